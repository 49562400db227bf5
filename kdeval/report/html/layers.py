"""What the layers of teacher and student make of the same samples."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kdeval.compare.hidden_states import AttentionPair, HiddenStateFigures
from kdeval.report.details import StudentDetails
from kdeval.report.html.charts.drawing import Chart
from kdeval.report.html.charts.heat_map import heat_map
from kdeval.report.html.figures import Figure, amount, measured
from kdeval.report.layer_words import (
    attention_words,
    layer_ranges,
    layer_words,
    left_out_words,
    mapping_words,
    relation_words,
)
from kdeval.report.numbers import number
from kdeval.report.plain_text import one_line
from kdeval.stats.interval import Interval
from kdeval.stats.representation.layers import LayerMatch

__all__ = ["LayerRow", "LayersView", "layers_views"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionRow:
    """Attention of two layers; `first` is the share on the first token of teacher and student."""

    divergence: Figure
    beyond_first: Figure
    matched_heads: Figure
    kept_heads: str
    first: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """A layer of the student and the teacher's that goes with it.

    Attributes:
        as_near: other layers that may be as near, "" where none may.
        nearest: the nearest one in any order with its CKA, "" where it is the same.
        attention: None where it is not known.
    """

    student: str
    teacher: str
    cka: Figure
    as_near: str
    nearest: str
    attention: AttentionRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersView:
    """One suite; `words` are sentences.

    Attributes:
        attention: whether any row has it.
        one_way: whether the first token is told apart.
    """

    suite: str
    words: tuple[str, ...]
    chart: Chart | None
    rows: tuple[LayerRow, ...]
    attention: bool
    one_way: bool


def layers_views(details: StudentDetails | None, *, name: str) -> tuple[LayersView, ...]:
    """A view for each suite; empty where layers were not compared."""
    if details is None:
        return ()
    return tuple(
        _view(found, name=f"{name}-layers-{index}") for index, found in enumerate(details.layers)
    )


def _view(found: HiddenStateFigures, *, name: str) -> LayersView:
    attended = () if found.attention is None else found.attention.pairs
    attention = {(pair.student, pair.teacher): pair for pair in attended}
    return LayersView(
        suite=found.suite,
        words=tuple(
            words
            for words in (
                layer_words(found), mapping_words(found), relation_words(found),
                attention_words(found.attention), left_out_words(found.left_out),
            )
            if words
        ),
        chart=heat_map(
            found,
            title=f"Debiased CKA of the student's layers with the teacher's on "
            f"{one_line(found.suite)}, and the mapping that keeps their order",
            name=name,
        ),
        rows=tuple(_row(pair, attention) for pair in found.pairs),
        attention=bool(attended),
        one_way=any(pair.beyond_first is not None for pair in attended),
    )  # fmt: skip


def _row(pair: LayerMatch, attention: dict[tuple[int, int], AttentionPair]) -> LayerRow:
    others = [layer for layer in pair.as_near if layer != pair.teacher]
    moved = pair.nearest != pair.teacher
    found = attention.get((pair.student, pair.teacher))
    return LayerRow(
        student=str(pair.student),
        teacher=str(pair.teacher),
        cka=_figure(pair.cka),
        as_near=layer_ranges(others),
        nearest=f"{pair.nearest} ({number(pair.nearest_cka, 'number', 3)})" if moved else "",
        attention=None if found is None else _attention_row(found),
    )


def _attention_row(found: AttentionPair) -> AttentionRow:
    kept = "" if found.kept_heads is None else f"{found.kept_heads} of {found.heads}"
    return AttentionRow(
        divergence=_figure(found.divergence),
        beyond_first=_brief(found.beyond_first),
        matched_heads=_brief(found.matched_heads),
        kept_heads=kept,
        first=f"{number(found.teacher_first, 'percent')}, {number(found.student_first, 'percent')}",
    )


def _figure(interval: Interval | None) -> Figure:
    """An estimate that no sample changes stands alone, with its reason to hover."""
    if interval is None or interval.low is not None or interval.high is not None:
        return measured(interval, "number", 3)
    return replace(amount(interval.estimate, "number", 3), reason=interval.reason or "")


def _brief(interval: Interval | None) -> Figure:
    """The estimate, its interval to hover: a row has many."""
    found = _figure(interval)
    return replace(found, ends="", reason=found.reason or found.ends)
