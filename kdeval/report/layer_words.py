"""Sentences on the layers of teacher and student, the same in every rendering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kdeval.compare.hidden_states import AttentionFigures, AttentionPair, HiddenStateFigures
from kdeval.report.details import StudentDetails
from kdeval.report.numbers import counted, interval_text, number
from kdeval.stats.interval import Interval
from kdeval.store.reasons import reason_lines

__all__ = [
    "LAYERS_MEAN",
    "attention_words",
    "layer_lines",
    "layer_ranges",
    "layer_words",
    "left_out_words",
    "mapping_words",
    "relation_words",
]

LAYERS_MEAN = (
    "Debiased CKA tells whether the same samples lie near each other inside both models: 1 for the "
    "same up to rotation, scale and shift, 0 in the mean for unrelated ones. It explains and does "
    "not judge: layers that are alike may end in other answers, and a student may be right by ways "
    "of its own."
)

_TOKENS = {"mean": "the mean over its tokens", "last": "its last token", "first": "its first token"}
_REASONS = 4
_THE_SAME = 1 - 1e-6


def layer_lines(details: StudentDetails | None) -> Iterator[str]:
    """A few lines for each suite; none where layers were not compared."""
    for found in () if details is None else details.layers:
        said = (
            layer_words(found), mapping_words(found), relation_words(found),
            attention_words(found.attention), left_out_words(found.left_out),
        )  # fmt: skip
        yield f"{found.suite}, layer by layer: {' '.join(part for part in said if part)}"
    if details is not None and details.layers:
        yield LAYERS_MEAN


def layer_words(found: HiddenStateFigures) -> str:
    """How alike the layers are that go together, and what chance comes to."""
    if found.mean is None:
        return f"Nothing is compared: {found.reason}."
    words = (
        f"CKA {_figure(found.mean, 3)} in the mean of the layers that go together, "
        f"over {counted(found.samples, 'sample')}, each by {_TOKENS[found.tokens]}"
    )
    if found.unrelated is not None:
        words += (
            "; with the samples shuffled no two layers reach "
            f"{number(found.unrelated, 'number', 3)} in 95 % of the cases"
        )
    lowest = min(found.pairs, key=lambda pair: pair.cka.estimate or 0.0)
    if (lowest.cka.estimate or 0.0) > _THE_SAME:
        return f"{words}. All of them are the same, up to rounding."
    return (
        f"{words}. Least alike are the student's {_layer(lowest.student)} and the teacher's "
        f"{_layer(lowest.teacher)}: {_figure(lowest.cka, 3)}."
    )


def mapping_words(found: HiddenStateFigures) -> str:
    """Which layers of the teacher the student's go with, in their order."""
    if not found.pairs:
        return ""
    taken = sorted({pair.teacher for pair in found.pairs})
    words = f"In their order the student's layers go with the teacher's {layer_ranges(taken)}"
    if found.unmatched:
        words += f", none with {layer_ranges(found.unmatched)}"
    other = [pair for pair in found.pairs if pair.nearest != pair.teacher]
    if other:
        words += (
            f"; without regard to order {counted(len(other), 'layer')} would go with another one"
        )
    unsure = sum(len(pair.as_near) > 1 for pair in found.pairs)
    if unsure:
        words += (
            f"; of {counted(unsure, 'layer')} these samples do not tell which of several layers "
            "of the teacher is nearest"
        )
    return f"{words}. Layer 0 is the embeddings."


def relation_words(found: HiddenStateFigures) -> str:
    """How samples stand to each other after the last layers; empty where that is not known."""
    kept = found.relations
    if kept is None:
        return ""
    words = (
        "After the last layers the distances between samples correlate at "
        f"{_figure(kept.distances.correlation, 3)} (Huber loss {_figure(kept.distances.loss, 4)})"
    )
    if kept.angles.loss.estimate is not None:
        words += (
            f", the angles that three of them make at {_figure(kept.angles.correlation, 3)} "
            f"({_figure(kept.angles.loss, 4)}; {kept.angles.n:,} samples)"
        )
    return f"{words}."


def attention_words(found: AttentionFigures | None) -> str:
    """How far both look elsewhere; empty where that was not asked for."""
    if found is None:
        return ""
    if not found.pairs:
        why = _reasons(found.left_out) or "no layers go together but the embeddings"
        return f"Attention is not compared: {why}."
    words = (
        f"Attention of the layers that go together, over {counted(found.samples, 'sample')}: "
        f"{_spread(found.pairs, 'divergence')} bits of Jensen-Shannon divergence"
    )
    if any(pair.beyond_first is not None for pair in found.pairs):
        first = [pair.teacher_first for pair in found.pairs]
        words += (
            f", {_spread(found.pairs, 'beyond_first')} without the first token, which draws "
            f"{number(sum(first) / len(first), 'percent')} of the teacher's"
        )
    if any(pair.matched_heads is not None for pair in found.pairs):
        words += f"; head by head, each with its nearest, {_spread(found.pairs, 'matched_heads')}"
    left_out = _reasons(found.left_out)
    return f"{words}.{f' Without maps: {left_out}.' if left_out else ''}"


def left_out_words(left_out: Mapping[str, int]) -> str:
    """Which samples were not read, and why; empty where all were."""
    said = _reasons(left_out)
    return f"Left out: {said}." if said else ""


def layer_ranges(layers: Sequence[int]) -> str:
    """Runs of numbers shortened: 0–12, 14, 16–30."""
    parts: list[list[int]] = []
    for layer in sorted(layers):
        if parts and layer == parts[-1][-1] + 1:
            parts[-1].append(layer)
        else:
            parts.append([layer])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}–{part[-1]}" for part in parts)


def _figure(interval: Interval, digits: int) -> str:
    """An estimate that no sample changes stands alone."""
    if interval.low is None and interval.high is None:
        return number(interval.estimate, "number", digits)
    return interval_text(interval, "number", digits)


def _layer(place: int) -> str:
    return f"layer {place}" if place else "embeddings"


def _spread(pairs: Sequence[AttentionPair], name: str) -> str:
    """The least and the most of the pairs."""
    known = [
        found.estimate
        for pair in pairs
        if (found := getattr(pair, name)) is not None and found.estimate is not None
    ]
    low, high = number(min(known), "number", 3), number(max(known), "number", 3)
    return low if low == high else f"{low} to {high}"


def _reasons(left_out: Mapping[str, int]) -> str:
    return "; ".join(reason_lines(left_out, most=_REASONS))
