"""How closely a student imitates its teacher: by sample, by repeat, by token."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval.compare.comparison import Comparison
from kdeval.compare.fidelity import Apart, Fidelity
from kdeval.compare.token_fidelity import TokenApart, TokenFidelity, WideToken
from kdeval.report.details import StudentDetails, SuiteDetails
from kdeval.report.fidelity_words import (
    bits_words,
    left_out_words,
    repeats_words,
    token_words,
    top_k_words,
)
from kdeval.report.html.charts.drawing import Chart
from kdeval.report.html.charts.places import places_chart
from kdeval.report.html.figures import Figure, amount, measured
from kdeval.report.numbers import number
from kdeval.report.plain_text import one_line

__all__ = ["FidelityRow", "FidelityView", "fidelity_view"]

_TEACHER_WAS = {
    "any": "all",
    "right": "teacher right",
    "wrong": "teacher wrong",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FidelityRow:
    """Imitation on one part of a suite; `hot` is at the distillation temperature."""

    part: str
    n: str
    agreement: Figure
    kappa: str
    kl: Figure
    js: Figure
    tv: Figure
    hot_kl: Figure
    hot_js: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """Mean divergence by token at one temperature."""

    temperature: str
    kl: Figure
    js: Figure
    teacher_entropy: str
    student_entropy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WideRow:
    """A token at which both differ most, with each model's likeliest; no words without text."""

    sample_id: str
    position: str
    before: str | None
    token: str | None
    kl: str
    teacher: str | None
    student: str | None
    teacher_sure: str
    student_sure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenView:
    """One suite, token by token; `words` are sentences."""

    suite: str
    words: tuple[str, ...]
    rows: tuple[TokenRow, ...]
    chart: Chart | None
    widest: tuple[WideRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FidelityView:
    """The section of one student.

    Attributes:
        suites: (suite, metric, rows).
        hot: the distillation temperature, "" where no divergence at it is known.
        divergences: whether any divergence is known.
        kappas: whether any kappa is known.
        notes: sentences on repeated answers, and on likeliest tokens.
        tokens: suites compared token by token.
    """

    suites: tuple[tuple[str, str, tuple[FidelityRow, ...]], ...]
    hot: str
    divergences: bool
    kappas: bool
    notes: tuple[str, ...]
    tokens: tuple[TokenView, ...]


def fidelity_view(
    details: StudentDetails | None, student: Comparison, *, name: str
) -> FidelityView | None:
    """None where nothing is known."""
    if details is None:
        return None
    suites = [item for item in details.suites if item.fidelity]
    if not suites and not details.tokens:
        return None
    apart = [a for item in suites for part in item.fidelity for a in part.apart]
    return FidelityView(
        suites=tuple(
            (item.suite, item.metric, tuple(_row(part, student, item) for part in item.fidelity))
            for item in suites
        ),
        hot=next((f"{item.temperature:g}" for item in apart if item.temperature != 1), ""),
        divergences=bool(apart),
        kappas=any(cell.kappa is not None for cell in student.cells),
        notes=tuple(_notes(details.suites)),
        tokens=tuple(
            _token_view(item, name=f"{name}-places-{index}")
            for index, item in enumerate(details.tokens)
        ),
    )


def _notes(suites: tuple[SuiteDetails, ...]) -> list[str]:
    repeated = [repeats_words(item.repeats) for item in suites if item.repeats is not None]
    return repeated + [top_k_words(item.top_k) for item in suites if item.top_k is not None]


def _row(found: Fidelity, student: Comparison, suite: SuiteDetails) -> FidelityRow:
    plain, hot = found.apart[:1], found.apart[1:]
    cell = student.cell(suite=suite.suite, metric=suite.metric)
    kappa = None if cell is None or found.teacher_was != "any" else cell.kappa
    return FidelityRow(
        part=_TEACHER_WAS[found.teacher_was],
        n=f"{found.n:,}",
        agreement=measured(found.agreement, "percent"),
        kappa="" if found.teacher_was != "any" else number(kappa, "number"),
        kl=_kl(found, plain),
        js=measured(found.js, "number", 3),
        tv=measured(plain[0].tv if plain else None, "number", 3),
        hot_kl=_kl(found, hot),
        hot_js=measured(hot[0].js if hot else None, "number", 3),
    )


def _kl(found: Fidelity, apart: tuple[Apart, ...]) -> Figure:
    if not apart:
        return measured(None, "number")
    kl = measured(apart[0].kl, "number", 3)
    if found.infinite_kl:
        return Figure(text="∞", ends=f"({found.infinite_kl:,} samples)", reason=kl.reason)
    return kl


def _token_view(found: TokenFidelity, *, name: str) -> TokenView:
    return TokenView(
        suite=found.suite,
        words=tuple(
            words for words in (token_words(found), bits_words(found), left_out_words(found))
            if words
        ),
        rows=tuple(map(_token_row, found.apart)),
        chart=places_chart(
            found.places,
            title=f"Divergence from the teacher on {one_line(found.suite)} by place in the "
            "answer: mean KL a token with its interval",
            name=name,
        ),
        widest=tuple(map(_wide_row, found.widest)),
    )  # fmt: skip


def _token_row(apart: TokenApart) -> TokenRow:
    return TokenRow(
        temperature=f"{apart.temperature:g}",
        kl=measured(apart.kl, "number", 3),
        js=measured(apart.js, "number", 3),
        teacher_entropy=number(apart.teacher_entropy, "number", 3),
        student_entropy=number(apart.student_entropy, "number", 3),
    )


def _wide_row(item: WideToken) -> WideRow:
    return WideRow(
        sample_id=one_line(item.sample_id, 80),
        position=f"{item.position:,}",
        before=item.before,
        token=_token(item.token),
        kl=amount(item.kl, "number", 2).text,
        teacher=_token(item.teacher_top),
        student=_token(item.student_top),
        teacher_sure=number(item.teacher_top_probability, "percent"),
        student_sure=number(item.student_top_probability, "percent"),
    )


def _token(text: str | None) -> str | None:
    """What a token writes, white space made visible."""
    if text is None or text.strip():
        return text
    return text.translate({32: "␣", 10: "⏎", 13: "⏎", 9: "⇥"}) or "no text"
