"""Scores of a cell whose metric is no mean of its samples' scores: bootstrapped, never averaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from kdeval.compare.selection import FloatArray, Selection
from kdeval.records import Metric
from kdeval.stats.interval import Interval, unknown
from kdeval.stats.means.paired import retention
from kdeval.stats.sets.bootstrap import RESAMPLES, PairedBootstrap, paired_bootstrap

__all__ = ["SetScores", "retention_of_means", "set_baselines", "set_notes", "set_scores"]

_OTHER_TOKENS = (
    "the models split the texts into different tokens, so what they lose a token does not "
    "compare: use bits_per_byte"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetScores:
    """Both models' scores of one set of samples.

    Attributes:
        bootstrap: of both together.
        higher_is_better: direction of the metric.
        problem: why the two cannot be compared; None when they can.
    """

    bootstrap: PairedBootstrap
    higher_is_better: bool
    problem: str | None

    def teacher(self, confidence: float) -> Interval:
        """The teacher's score."""
        return self.bootstrap.teacher(confidence)

    def student(self, confidence: float) -> Interval:
        """The student's score."""
        return self.bootstrap.student(confidence)

    def difference(self, confidence: float) -> Interval:
        """Student minus teacher."""
        return self._refused(confidence) or self.bootstrap.difference(confidence)

    def retention(self, confidence: float) -> Interval:
        """Student / teacher; teacher / student where lower is better."""
        if self.problem is not None or self.higher_is_better:
            return self._refused(confidence) or self.bootstrap.ratio(confidence)
        return _swapped(self.bootstrap.swapped.ratio(confidence))

    def _refused(self, confidence: float) -> Interval | None:
        if self.problem is None:
            return None
        return unknown(
            self.problem,
            confidence=confidence,
            method=self.bootstrap.method,
            n=self.bootstrap.n,
            clusters=self.bootstrap.clusters,
        )


def retention_of_means(chosen: Selection, metric: Metric, confidence: float) -> Interval:
    """Mean score of the student over the teacher's; the reverse where lower is better.

    So a retention below 1 is a loss whatever the metric's direction.
    """
    above, below = chosen.student, chosen.teacher
    if not metric.higher_is_better:
        above, below = below, above
    found = retention(
        below,
        above,
        clusters=chosen.clusters,
        confidence=confidence,
        limits=(metric.low, metric.high),
    )
    return found if metric.higher_is_better else _swapped(found)


def set_notes(metrics: Mapping[str, Metric]) -> tuple[str, ...]:
    """What a reader must know of metrics that are no mean, and of those where lower is better."""
    notes = []
    of_sets = [name for name, metric in metrics.items() if metric.aggregation != "mean"]
    if of_sets:
        notes.append(
            f"{', '.join(of_sets)}: a score of the set, no mean over samples; its intervals are "
            f"those of a paired bootstrap with {RESAMPLES:,} resamples, and no router is certified "
            "on it."
        )
    lower = [name for name, metric in metrics.items() if not metric.higher_is_better]
    if lower:
        notes.append(
            f"{', '.join(lower)}: lower is better, so its retention is teacher / student: below "
            "100 % is a loss here too."
        )
    return tuple(notes)


def _swapped(interval: Interval) -> Interval:
    """With the reason of a ratio whose denominator is the student."""
    if interval.reason is None:
        return interval
    return replace(interval, reason=interval.reason.replace("the teacher's", "the student's"))


def set_scores(chosen: Selection, metric: Metric, *, seed: int) -> SetScores:
    """The scores of those pairs; their metric's aggregation is no mean.

    Args:
        chosen: with `statistics`.
        metric: of the scores.
        seed: of the resamples.
    """
    assert metric.aggregation != "mean"
    assert chosen.statistics is not None
    teacher, student = chosen.statistics
    tokens = metric.aggregation == "exp_ratio_of_sums"
    differ = tokens and not np.array_equal(teacher[:, 1], student[:, 1])
    return SetScores(
        bootstrap=paired_bootstrap(
            metric.aggregation,
            teacher,
            student,
            clusters=chosen.clusters,
            rng=np.random.default_rng(seed),
        ),
        higher_is_better=metric.higher_is_better,
        problem=_OTHER_TOKENS if differ else None,
    )


def set_baselines(chosen: Selection, metric: Metric) -> tuple[float | None, float | None]:
    """What always the most frequent label, and guessing evenly, would score; None: not defined."""
    if metric.aggregation not in ("macro_f1", "mcc") or chosen.statistics is None or not chosen.n:
        return None, metric.chance
    counts = np.bincount(chosen.statistics[0][:, 0].astype(np.int64))
    if metric.aggregation == "mcc":
        return 0.0, 0.0
    shares: FloatArray = counts[counts > 0] / chosen.n
    most = float(shares.max())
    guessed = chosen.chance
    even = None if guessed is None else float((2 * shares * guessed / (shares + guessed)).mean())
    return 2 * most / (1 + most) / len(shares), even
