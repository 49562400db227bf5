"""Sentences on imitation, the same in every rendering."""

from __future__ import annotations

from collections.abc import Iterator

from kdeval.compare.comparison import Cell, Comparison
from kdeval.compare.fidelity import Apart
from kdeval.compare.repeats import Repeats
from kdeval.compare.token_fidelity import TokenFidelity
from kdeval.compare.top_k import TopK
from kdeval.report.details import StudentDetails, SuiteDetails
from kdeval.report.numbers import counted, interval_text, number
from kdeval.store.reasons import reason_lines

__all__ = [
    "bits_words",
    "fidelity_lines",
    "left_out_words",
    "repeated_errors_words",
    "repeats_words",
    "token_words",
    "top_k_words",
]

_REASONS = 4
_TEXTS = {"teacher_output": "of the teacher's own answers", "reference": "of the references"}


def fidelity_lines(details: StudentDetails | None, student: Comparison) -> Iterator[str]:
    """A line for each whole suite, repeated prompt and text by token, as far as known."""
    if details is None:
        return
    for suite in details.suites:
        words = _suite_words(suite, student.cell(suite=suite.suite, metric=suite.metric))
        if words:
            yield f"{suite.suite}, {suite.metric}: {words}"
        if suite.repeats is not None:
            yield repeats_words(suite.repeats)
        if suite.top_k is not None:
            yield top_k_words(suite.top_k)
    for found in details.tokens:
        apart = " ".join(
            f"KL {interval_text(item.kl, 'number', 3)} nats a token at T = {item.temperature:g}."
            for item in found.apart
        )
        said = (apart, token_words(found), bits_words(found), left_out_words(found))
        yield f"{found.suite}, token by token: {' '.join(part for part in said if part)}"


def _suite_words(suite: SuiteDetails, cell: Cell | None) -> str:
    whole = next((part for part in suite.fidelity if part.teacher_was == "any"), None)
    if whole is None:
        return ""
    parts = []
    if whole.agreement is not None:
        same = f"the same output on {interval_text(whole.agreement, 'percent')}"
        kappa = None if cell is None else cell.kappa
        parts.append(same if kappa is None else f"{same}, κ {number(kappa, 'number')}")
    parts += [_apart_words(item, whole.infinite_kl) for item in whole.apart]
    if cell is not None and cell.repeats_teacher_error is not None:
        parts.append(repeated_errors_words(cell))
    return "; ".join(parts)


def _apart_words(found: Apart, infinite: int) -> str:
    kl = f"{interval_text(found.kl, 'number', 3)} nats"
    if infinite:
        kl = f"infinite on {counted(infinite, 'sample')}"
    return f"at T = {found.temperature:g} KL {kl}, JS {interval_text(found.js, 'number', 3)} bits"


def repeated_errors_words(cell: Cell) -> str:
    """Share of the teacher's errors that the student repeats, and what chance would make it."""
    words = (
        f"the student repeats {interval_text(cell.repeats_teacher_error, 'percent')} of the "
        "teacher's errors"
    )
    if cell.repeats_by_chance is None:
        return words
    chance = number(cell.repeats_by_chance, "percent")
    return f"{words} ({chance} if its errors knew nothing of the teacher's)"


def repeats_words(found: Repeats) -> str:
    """The teacher's agreement with itself: the ceiling of what an exact copy of it reaches."""
    ceiling = interval_text(found.teacher, "percent")
    between = interval_text(found.between, "percent")
    words = (
        f"{found.suite}: of two answers of the teacher to one prompt, {ceiling} are the same, "
        f"which is what an exact copy of it would reach; of the student's and the teacher's, "
        f"{between} ({counted(found.n, 'prompt')} answered several times)"
    )
    if found.student is not None:
        words += f". Of two answers of the student, {interval_text(found.student, 'percent')}"
    return words + "."


def top_k_words(found: TopK) -> str:
    """What lists of the likeliest tokens prove: bounds, never an estimate."""
    known = number(found.known, "percent")
    ends = [
        f"{name} between {interval_text(low, 'number', 3)} and {interval_text(high, 'number', 3)}"
        f"{unit}"
        for name, low, high, unit in (
            ("JS", found.js_low, found.js_high, " bits"),
            ("total variation", found.tv_low, found.tv_high, ""),
        )
    ]
    return (
        f"{found.suite}: from the likeliest tokens of both at T = 1 ({counted(found.n, 'sample')}, "
        f"{known} of the teacher's probability on tokens known to both): KL at least "
        f"{interval_text(found.kl_low, 'number', 3)} nats, without an upper bound; "
        f"{'; '.join(ends)}."
    )


def token_words(found: TokenFidelity) -> str:
    """How alike both are token by token; empty where they do not share a vocabulary."""
    if not found.tokens:
        return ""
    words = (
        f"Both read {counted(found.tokens, 'token')} in {counted(found.texts, 'text')} "
        f"{_TEXTS.get(found.text, found.text)}, each after its own prompt"
    )
    if found.own_prompts:
        words += f" ({counted(found.own_prompts, 'prompt')} not the same for both)"
    same = interval_text(found.same_top, "percent")
    words += f". They hold the same token likeliest at {same} of the places"
    if found.half_share is not None:
        share = number(found.half_share, "percent")
        words += f"; half of all KL lies on {share} of the tokens"
    return words + ". Intervals take texts as independent, not tokens."


def bits_words(found: TokenFidelity) -> str:
    """What the texts cost each of them; empty where none was read."""
    bits = found.bits
    if bits is None:
        return ""
    why = "" if found.tokens else "The vocabularies differ, so only whole texts compare. "
    return (
        f"{why}Bits per byte of the same text: teacher {interval_text(bits.teacher, 'number', 3)}, "
        f"student {interval_text(bits.student, 'number', 3)}, student minus teacher "
        f"{interval_text(bits.difference, 'signed', 3)} over {counted(found.texts, 'text')}."
    )


def left_out_words(found: TokenFidelity) -> str:
    """Which texts were not read, and why; empty where all were."""
    if not found.left_out:
        return ""
    return f"Left out: {'; '.join(reason_lines(found.left_out, most=_REASONS))}."
