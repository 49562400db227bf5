"""How a student's mean score compares with its teacher's on the same samples.

Ratio, difference and single mean all rest on one thing: a test that the mean of D = S - theta T is
zero, inverted into an interval. The scores decide which test: for binary ones (`rates`) the
constrained-likelihood score test, for real ones (`reals`) t, or betting where D does not vary.

Clusters (conversations, documents, templates, repeats of a prompt) make samples dependent; every
interval here takes their codes and then counts clusters, not samples.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.interval import Interval, check_confidence, unknown
from kdeval.stats.means.rates import difference_of_rates, rate, ratio_of_rates
from kdeval.stats.means.reals import mean_of_reals, ratio_of_means
from kdeval.stats.moments import (
    FloatArray,
    IntArray,
    Limits,
    as_clusters,
    as_scores,
    is_binary,
    lie_in_unit,
    range_of,
)


def retention(
    teacher: ArrayLike,
    student: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    chance: float = 0.0,
    limits: Limits | None = None,
) -> Interval:
    """Mean score of the student over that of the teacher, above chance, on the same samples.

    Binary scores get the paired score interval of Tang, Tang & Chan (2003) and Nam & Blackwelder
    (2002) (with `chance`: its four-valued relative); real ones Fieller's, or the betting interval
    where they do not vary.

    Score and Fieller intervals are asymptotic. Near the zero-flip floor the score interval passes a
    bad student up to 1.2 times as often as its nominal error says; Fieller and t miss 1.5 times as
    often at n = 30 on strongly skewed scores; clustered score intervals up to twice as often where
    rare losses fill whole clusters among scattered gains (see tests/validity).

    Args:
        teacher: Scores, shape (n,), without NaN.
        student: Scores of the same samples.
        clusters: Integer codes, shape (n,); samples that share one are dependent.
        confidence: Two-sided.
        chance: Score of guessing, taken off both means.
        limits: The least and the most that a score can be, None where nothing limits it. Untold,
            scores that all lie in [0, 1] are taken to be limited to it; without any limit, scores
            that are all exactly 0 or 1 are still taken for marks, right or wrong.

    Returns:
        The interval. Ends are None where nothing bounds them (the teacher is not clearly above
        chance, a single cluster), the estimate where the teacher's mean is not above chance.

    Raises:
        ValueError: If shapes differ or a score is NaN or infinite.
    """
    check_confidence(confidence)
    t, s, codes = _paired(teacher, student, clusters)
    if len(t) == 0:
        return unknown("no samples", confidence=confidence, method="paired retention", n=0)
    if t.mean() - chance <= 0:
        return unknown(
            "the teacher's mean score is not above " + ("chance" if chance else "zero"),
            confidence=confidence,
            method="paired retention",
            n=len(t),
            clusters=None if codes is None else int(codes.max()) + 1,
        )
    unit = lie_in_unit(limits, t, s)
    if unit and is_binary(t) and is_binary(s):
        return ratio_of_rates(t, s, codes, chance=chance, confidence=confidence)
    return ratio_of_means(t, s, codes, chance=chance, confidence=confidence, unit=unit)


def paired_difference(
    teacher: ArrayLike,
    student: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    limits: Limits | None = None,
) -> Interval:
    """Mean score of the student minus that of the teacher on the same samples.

    Tango's (1998) score interval for binary scores, t for real ones, betting where real differences
    do not vary. Arguments and errors as for `retention`.
    """
    check_confidence(confidence)
    t, s, codes = _paired(teacher, student, clusters)
    if len(t) == 0:
        return unknown("no samples", confidence=confidence, method="paired difference", n=0)
    if lie_in_unit(limits, t, s) and is_binary(t) and is_binary(s):
        return difference_of_rates(t, s, codes, confidence=confidence)
    lie_in = range_of(limits, t, s)
    span = None if lie_in is None else lie_in[1] - lie_in[0]
    value_range = None if span is None else (-span, span)
    return mean_of_reals(s - t, codes, value_range=value_range, confidence=confidence)


def mean(
    scores: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    limits: Limits | None = None,
) -> Interval:
    """Mean score: Wilson for binary scores, t for real ones, betting where those do not vary.

    Asymptotic: for the limits see `wilson` (rates within a few samples of 0 or 1) and `retention`
    (skewed scores at n = 30). Arguments and errors as for `retention`.
    """
    check_confidence(confidence)
    x = as_scores(scores, "scores")
    codes = as_clusters(clusters, len(x))
    if len(x) == 0:
        return unknown("no samples", confidence=confidence, method="mean", n=0)
    if lie_in_unit(limits, x) and is_binary(x):
        return rate(x, codes, confidence=confidence)
    return mean_of_reals(x, codes, value_range=range_of(limits, x), confidence=confidence)


def agreement(
    same: ArrayLike, *, clusters: ArrayLike | None = None, confidence: float = 0.95
) -> Interval:
    """Share of samples on which both answered alike, with the interval of `mean`.

    Args:
        same: Boolean, shape (n,).
        clusters: Integer codes, shape (n,).
        confidence: Two-sided.
    """
    flags = np.asarray(same)
    if flags.dtype != np.bool_ and flags.size:
        raise ValueError(f"same must be boolean, got dtype {flags.dtype}")
    interval = mean(flags.astype(np.float64), clusters=clusters, confidence=confidence)
    return replace(interval, method=f"agreement, {interval.method}")


def _paired(
    teacher: ArrayLike, student: ArrayLike, clusters: ArrayLike | None
) -> tuple[FloatArray, FloatArray, IntArray | None]:
    t, s = as_scores(teacher, "teacher"), as_scores(student, "student")
    if t.shape != s.shape:
        raise ValueError(f"teacher has {len(t)} scores and student {len(s)}; they must be paired")
    return t, s, as_clusters(clusters, len(t))
