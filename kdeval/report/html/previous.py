"""The section on the previous student, ready to be set."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval.compare.comparison import ALL
from kdeval.gate.previous import PreviousFlips
from kdeval.report.html.differences import Run, marked
from kdeval.report.html.figures import Figure, amount, measured, tally
from kdeval.report.plain_text import one_line, visible
from kdeval.report.previous import BrokenSample, PreviousReport

__all__ = ["PreviousView", "previous_view"]

_TEXT = 1_200


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipRow:
    """One slice; `whole` marks the row of the whole suite."""

    suite: str
    metric: str
    slice: str
    whole: bool
    n: Figure
    lost: Figure
    negative: Figure
    by_chance: Figure
    gained: Figure
    positive: Figure
    left_out: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenView:
    """One sample; texts are None where they are not told."""

    suite: str
    sample_id: str
    gist: str
    input: str | None
    reference: str | None
    previous: tuple[Run, ...] | None
    student: tuple[Run, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousView:
    """One student beside the previous one; `lost` counts all negative flips of whole suites."""

    previous: str
    rows: tuple[FlipRow, ...]
    broken: tuple[BrokenView, ...]
    lost: int


def previous_view(found: PreviousReport | None) -> PreviousView | None:
    """None where no previous student was given."""
    if found is None:
        return None
    return PreviousView(
        previous=found.previous,
        rows=tuple(map(_row, found.cells)),
        broken=tuple(map(_broken, found.broken)),
        lost=sum(cell.table.lost for cell in found.whole),
    )


def _row(cell: PreviousFlips) -> FlipRow:
    return FlipRow(
        suite=cell.suite,
        metric=cell.metric,
        slice=one_line(cell.slice, 120),
        whole=cell.slice == ALL,
        n=tally(cell.table.n),
        lost=tally(cell.table.lost),
        negative=measured(cell.negative, "percent"),
        by_chance=amount(cell.by_chance, "percent"),
        gained=tally(cell.table.gained),
        positive=measured(cell.positive, "percent"),
        left_out=tally(cell.changed + cell.absent),
    )


def _broken(item: BrokenSample) -> BrokenView:
    reference = _fit(item.reference)
    before, now = _fit(item.previous_output), _fit(item.output)
    against = before if reference is None else reference
    return BrokenView(
        suite=item.suite,
        sample_id=one_line(item.sample_id, 80),
        gist="" if item.input is None else one_line(item.input, 140),
        input=_fit(item.input),
        reference=reference,
        previous=None if before is None else marked(before, reference),
        student=None if now is None else marked(now, against),
    )


def _fit(text: str | None) -> str | None:
    if text is None:
        return None
    shown = visible(text)
    return shown if len(shown) <= _TEXT else f"{shown[:_TEXT]} …"
