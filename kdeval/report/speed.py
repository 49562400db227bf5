"""Speed, length, cost and size of both models as rows, the same in every rendering.

A row stands only where something is known of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from kdeval.compare.comparison import Comparison
from kdeval.latency.token_times import MedianTimes, TimeParts
from kdeval.latency.tokens import SAME_RATIO, PairedMeans
from kdeval.report.document import ReportDocument
from kdeval.report.models import comparable_memory
from kdeval.report.numbers import (
    UNKNOWN,
    bytes_text,
    count,
    number,
    ratio_text,
    seconds_text,
    usd_text,
)
from kdeval.stats.interval import Interval

__all__ = ["MEMORY", "SpeedRow", "parts_text", "plain_ratio", "speed_remarks", "speed_rows"]

Group = Literal["time", "tokens", "cost and errors", "size"]

MEMORY = (
    "Peak memory: the most that weights and work took while the model answered, counted from what "
    "was in use before: what was allocated on a CUDA device, resident memory of the process on a "
    "CPU, where a model may also work in memory that another has left, so that there is no ratio. "
    "It grows with the batch and the longest request."
)
_Shown = Callable[[Any], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedRow:
    """One quantity of both models.

    Attributes:
        name: what it is.
        note: how it was come by, how many requests tell it, or why a figure is missing.
        ratio: student / teacher; a number where nothing was sampled.
    """

    group: Group
    name: str
    teacher: str
    student: str
    ratio: Interval | float | None
    note: str = ""

    @property
    def ratio_text(self) -> str:
        """The ratio as it is written."""
        if isinstance(self.ratio, float):
            return plain_ratio(self.ratio)
        return ratio_text(self.ratio)


def speed_rows(document: ReportDocument, student: Comparison) -> tuple[SpeedRow, ...]:
    """Everything known of the two models' speed, length, cost and size."""
    return (
        *_latency(student),
        *_token_times(student),
        *_tokens(student),
        *_cost(student),
        _failures(student),
        *_sizes(document, student),
    )


def speed_remarks(document: ReportDocument, student: Comparison) -> tuple[str, ...]:
    """What the rows mean, a sentence or two each."""
    remarks = []
    if student.token_times is not None and student.token_times.parts is not None:
        remarks.append(parts_text(student.token_times.parts))
    cut = None if student.tokens is None else student.tokens.truncated
    if cut is not None and max(cut.teacher or 0.0, cut.student or 0.0) > 0:
        remarks.append(
            "Outputs that the token limit cut off count with the limit's length: a model that is "
            "often cut off would have written more."
        )
    if student.cost is not None:
        remarks.append(f"Costs: {student.cost.basis}.")
    if any(row.name == "peak memory" for row in _sizes(document, student)):
        remarks.append(MEMORY)
    return tuple(remarks)


def parts_text(parts: TimeParts) -> str:
    """Whether the student writes more, and what that does to the time of a request."""
    length, time = parts.length, parts.time
    written = ratio_text(length)
    if length.reason == SAME_RATIO and length.estimate is not None:
        lead = "Both write the same number of tokens in every request"
        if length.estimate != 1:
            same = plain_ratio(length.estimate)
            lead = f"The student writes {same} times as many tokens in every request"
    elif length.low is not None and length.low > 1:
        lead = f"The student is more verbose: it writes {written} times as many tokens"
        if parts.per_token < 1:
            eaten = "part" if time.estimate is not None and time.estimate < 1 else "all"
            lead += f", which eats {eaten} of its speed-up"
    elif length.high is not None and length.high < 1:
        lead = f"The student is terser: it writes {written} times as many tokens"
    else:
        lead = f"Whether the student writes more is not clear: {written} times as many tokens"
        lead += f" ({length.reason})" if length.reason is not None else ""
    over = "probed" if parts.source == "probe" else "recorded"
    return (
        f"{lead}. A token takes {plain_ratio(parts.per_token)} of the teacher's time, a request "
        f"{ratio_text(time)} of it: the product of the two. Means over {count(parts.n)} {over} "
        "requests; the wait for the first token is shared out among the tokens."
    )


def plain_ratio(value: float) -> str:
    """A ratio without an interval, small ones with the decimals that tell them apart."""
    digits = 2
    while digits < 5 and 0 < value * 10**digits < 10:
        digits += 1
    return f"{value:.{digits}f}"


def _latency(student: Comparison) -> Iterator[SpeedRow]:
    found = student.latency
    if found is None:
        return
    for name, ratio in found.ratio.items():
        yield SpeedRow(
            group="time",
            name=f"latency {name}",
            teacher=_seconds(found.teacher.get(name)),
            student=_seconds(found.student.get(name)),
            ratio=ratio,
            note=_measured(found.source, found.n),
        )


def _token_times(student: Comparison) -> Iterator[SpeedRow]:
    found = student.token_times
    if found is None:
        return
    named: tuple[tuple[str, MedianTimes | None], ...] = (
        ("time to first token, median", found.first_token),
        ("time per further token, median", found.between_tokens),
    )
    for name, times in named:
        if times is not None:
            yield SpeedRow(
                group="time",
                name=name,
                teacher=_seconds(times.teacher),
                student=_seconds(times.student),
                ratio=times.ratio,
                note=_measured(times.source, times.n),
            )


def _tokens(student: Comparison) -> Iterator[SpeedRow]:
    found = student.tokens
    if found is None:
        return
    named: list[tuple[str, PairedMeans | None]] = [
        ("input tokens, mean", found.input),
        ("output tokens, mean", found.output),
    ]
    named += [(f"output tokens, {suite}", means) for suite, means in found.suites.items()]
    if found.reasoning is not None and (found.reasoning.teacher or found.reasoning.student):
        named.append(("reasoning tokens among them, mean", found.reasoning))
    for name, means in named:
        if means is not None:
            yield _means_row(name, means, lambda value: number(value, "number", 1))
    if found.truncated is not None:
        yield _means_row(
            "outputs cut off by the limit", found.truncated, lambda value: number(value, "percent")
        )


def _means_row(name: str, means: PairedMeans, shown: _Shown) -> SpeedRow:
    note = means.reason or (means.coverage if means.n < means.total else "")
    return SpeedRow(
        group="tokens",
        name=name,
        teacher=shown(means.teacher),
        student=shown(means.student),
        ratio=means.ratio,
        note=note,
    )


def _cost(student: Comparison) -> Iterator[SpeedRow]:
    cost = student.cost
    if cost is not None:
        yield SpeedRow(
            group="cost and errors",
            name="cost of 1,000 requests",
            teacher=usd_text(cost.teacher_usd),
            student=usd_text(cost.student_usd),
            ratio=cost.ratio,
            note="; ".join(part for part in (cost.coverage, cost.reason) if part),
        )


def _failures(student: Comparison) -> SpeedRow:
    return SpeedRow(
        group="cost and errors",
        name=f"failed of {count(student.requests)} requests",
        teacher=number(student.teacher_error_share, "percent"),
        student=number(student.error_share, "percent"),
        ratio=None,
    )


def _sizes(document: ReportDocument, student: Comparison) -> Iterator[SpeedRow]:
    teacher, own = document.model(student.teacher), document.model(student.student)
    if teacher is None or own is None:
        return
    sizes: tuple[tuple[str, int | None, int | None, _Shown], ...] = (
        ("parameters", teacher.parameters, own.parameters, count),
        ("weights on disk", teacher.bytes_on_disk, own.bytes_on_disk, bytes_text),
        ("peak memory", teacher.peak_memory_bytes, own.peak_memory_bytes, bytes_text),
    )
    for name, of_teacher, of_student, shown in sizes:
        if of_teacher is None and of_student is None:
            continue
        reason = comparable_memory(teacher, own) if name == "peak memory" else None
        both = of_teacher and of_student and reason is None
        yield SpeedRow(
            group="size",
            name=name,
            teacher=shown(of_teacher),
            student=shown(of_student),
            ratio=of_student / of_teacher if both and of_student and of_teacher else None,
            note=f"no ratio: {reason}" if reason and of_teacher and of_student else "",
        )


def _measured(source: str, n: int) -> str:
    return f"{source}, {count(n)} requests"


def _seconds(interval: Interval | None) -> str:
    return UNKNOWN if interval is None else seconds_text(interval.estimate)
