"""Paired cluster bootstrap of scores that are no mean, from sufficient statistics.

Nothing is decided on a ratio: for every theta the bounded quantity is D = S - theta T of the
resampled scores. Its interval is the outer one of two:

- the bootstrap's percentiles of D, less what resampling itself shifts it by;
- the estimate plus and minus t times the jackknife's standard error, which is not misled where
  resampling biases a score (macro-F1 loses rare classes).

Both are widened from normal to Student's t with as many degrees of freedom as units carry the
variance, (sum psi^2)^2 / sum psi^4 of the jackknife's influences psi, and never more than units
less one: where a few units decide, they say little about their own variance. For classes, every
way of being right and wrong counts as seen a quarter of a time in each class beside what was
seen (a smoothed bootstrap), so that models that never differ still get an interval. Measured in
tests/validity; sources: Efron & Tibshirani (1993), chapters 11 and 13; Davison & Hinkley (1997),
section 3.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import stdtrit

from kdeval.stats.critical import normal_critical
from kdeval.stats.interval import Interval, check_confidence, unknown
from kdeval.stats.moments import FloatArray, as_clusters
from kdeval.stats.sets.aggregates import LENGTHS, Aggregate, value_of
from kdeval.stats.sets.units import Units, units_of

__all__ = ["LEAST_CARRIERS", "LEAST_UNITS", "METHOD", "PairedBootstrap", "paired_bootstrap"]

METHOD = "paired bootstrap"
RESAMPLES = 2000
LEAST_UNITS = 20
"""Samples (clusters, where there are some) below which there is no interval."""
LEAST_CARRIERS = 4.0
"""Units that must carry a variance, as an effective number, where nothing smooths it."""

_CHUNK = 250
_FURTHEST = 2.0**20
_TINY = 1e-12
_NOT_ABOVE_ZERO = "the teacher's score is not clearly above zero at this n"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedBootstrap:
    """Both models' scores of one set, resampled together.

    Attributes:
        estimates: scores of the set, of teacher and student; NaN where undefined.
        centre: scores of the set with its pseudo-units, which resamples scatter around.
        draws: scores of the resamples, shape (2, b).
        influences: of each unit and pseudo-unit on both scores, shape (2, u).
        weights: how often each of those counts, shape (u,).
        units: how many a resample draws.
        smoothed: there are pseudo-units.
        n: samples.
        clusters: None when every sample is its own.
    """

    estimates: FloatArray
    centre: FloatArray
    draws: FloatArray
    influences: FloatArray
    weights: FloatArray
    units: int
    smoothed: bool
    n: int
    clusters: int | None

    def teacher(self, confidence: float = 0.95) -> Interval:
        """The teacher's score."""
        return self._combination((1.0, 0.0), confidence)

    def student(self, confidence: float = 0.95) -> Interval:
        """The student's score."""
        return self._combination((0.0, 1.0), confidence)

    def difference(self, confidence: float = 0.95) -> Interval:
        """Student minus teacher."""
        return self._combination((-1.0, 1.0), confidence)

    def ratio(self, confidence: float = 0.95) -> Interval:
        """Student over teacher: all theta for which the interval of S - theta T holds zero."""
        check_confidence(confidence)
        teacher = self.teacher(confidence)
        estimate = None
        if teacher.estimate is not None and teacher.estimate > 0 and np.isfinite(self.estimates[1]):
            estimate = float(self.estimates[1] / teacher.estimate)
        problem = self._problem() or teacher.reason
        if problem is None and not (teacher.low is not None and teacher.low > 0):
            problem = _NOT_ABOVE_ZERO
        if problem is None and estimate is not None:
            problem = self._limits((-estimate, 1.0), confidence)[2]
        if problem is not None or estimate is None:
            return self._unknown(problem or _NOT_ABOVE_ZERO, confidence, estimate)

        def bound(side: int) -> Callable[[float], float]:
            def end(theta: float) -> float:
                limits = self._limits((-theta, 1.0), confidence)
                return limits[1] if side else limits[0]

            return end

        low, high = _root(bound(0), estimate, -1), _root(bound(1), estimate, 1)
        return Interval(
            estimate=estimate,
            low=low,
            high=high,
            confidence=confidence,
            method=f"{self.method}, ratio by inversion",
            n=self.n,
            clusters=self.clusters,
            reason=_NOT_ABOVE_ZERO if None in (low, high) else None,
        )

    @property
    def swapped(self) -> PairedBootstrap:
        """The same with student and teacher in each other's place."""
        return replace(
            self,
            estimates=self.estimates[::-1],
            centre=self.centre[::-1],
            draws=self.draws[::-1],
            influences=self.influences[::-1],
        )

    @property
    def method(self) -> str:
        """Name of the method."""
        words = METHOD if self.clusters is None else "paired cluster bootstrap"
        return f"{words}{', smoothed' if self.smoothed else ''}, t of effective n"

    def _combination(self, weights: tuple[float, float], confidence: float) -> Interval:
        check_confidence(confidence)
        used = self.estimates[[index for index in (0, 1) if weights[index]]]
        estimate = None
        if np.isfinite(used).all():
            estimate = float(sum(w * e for w, e in zip(weights, self.estimates, strict=True) if w))
        problem = self._problem(weights)
        if problem is not None:
            return self._unknown(problem, confidence, estimate)
        low, high, reason = self._limits(weights, confidence)
        if reason is not None:
            return self._unknown(reason, confidence, estimate)
        return Interval(
            estimate=estimate,
            low=low,
            high=high,
            confidence=confidence,
            method=self.method,
            n=self.n,
            clusters=self.clusters,
        )

    def _problem(self, weights: tuple[float, float] = (1.0, 1.0)) -> str | None:
        """Why there is no interval whatever the confidence; None when there may be one."""
        used = [index for index in (0, 1) if weights[index]]
        if self.n == 0:
            return "no samples"
        if not np.isfinite(self.estimates[used]).all():
            return "the score is not defined: there is nothing to divide by"
        if self.units < LEAST_UNITS:
            what = "samples" if self.clusters is None else "clusters"
            return f"{self.units} {what}: a bootstrap needs at least {LEAST_UNITS}"
        if not np.isfinite(self.draws[used]).all():
            return "the score is not defined in some resamples: too few samples count for it"
        return None

    def _limits(
        self, weights: tuple[float, float], confidence: float
    ) -> tuple[float, float, str | None]:
        """Ends of the interval of the combination, and why they are none."""
        both = np.asarray(weights)
        estimate = float(both @ self.estimates)
        psi = both @ self.influences
        squares = self.weights * psi**2
        total = float(squares.sum())
        scale = float(np.abs(both) @ np.abs(self.estimates))
        if total <= (_TINY * max(scale, _TINY)) ** 2 * self.units:
            return estimate, estimate, "the score does not vary: nothing bounds the error"
        carriers = total**2 / float((squares * psi**2).sum())
        if not self.smoothed and carriers < LEAST_CARRIERS:
            reason = (
                f"about {carriers:.1f} samples or clusters decide it alone: a bootstrap needs at "
                f"least {LEAST_CARRIERS:g}"
            )
            return estimate, estimate, reason
        dof = min(max(carriers, 1.0), self.units - 1)
        critical = -float(stdtrit(dof, (1 - confidence) / 2))
        error = float(np.sqrt(total / (self.units - 1) / self.units))
        tail = (1 - confidence) / 2
        shifts = np.quantile(both @ self.draws - both @ self.centre, [tail, 1 - tail])
        shifts *= critical / normal_critical(confidence)
        low = estimate + min(-critical * error, float(shifts[0]))
        high = estimate + max(critical * error, float(shifts[1]))
        return low, high, None

    def _unknown(self, reason: str, confidence: float, estimate: float | None) -> Interval:
        return unknown(
            reason,
            confidence=confidence,
            method=self.method,
            n=self.n,
            clusters=self.clusters,
            estimate=estimate,
        )


def paired_bootstrap(
    aggregate: Aggregate,
    teacher: ArrayLike,
    student: ArrayLike,
    *,
    rng: np.random.Generator,
    clusters: ArrayLike | None = None,
    resamples: int = RESAMPLES,
) -> PairedBootstrap:
    """Both models' scores of a set, with what their intervals need.

    More than 2,000 units are put into 1,000 random groups, which are drawn instead: their sums
    vary as the units do.

    Args:
        aggregate: which score.
        teacher: sufficient statistics of each sample, shape (n, k) (see `stats.aggregates`).
        student: the same of the student's answers to the same samples.
        rng: draws the resamples.
        clusters: integer codes, shape (n,); samples that share one are drawn together.
        resamples: how many.

    Raises:
        ValueError: the shapes do not fit, or a statistic is NaN or infinite.
    """
    t, s = _statistics(aggregate, teacher, "teacher"), _statistics(aggregate, student, "student")
    if t.shape != s.shape:
        raise ValueError(f"teacher has {len(t)} samples and student {len(s)}; they must be paired")
    codes = as_clusters(clusters, len(t))
    if len(t) == 0:
        return _empty()
    units = units_of(aggregate, t, s, codes, rng)
    values = [value_of(aggregate, total) for total in units.totals]
    estimates = np.array([float(v(total)) for v, total in zip(values, units.totals, strict=True)])
    sides = [(units.teacher, units.pseudo_teacher), (units.student, units.pseudo_student)]
    everything = [np.vstack(side) for side in sides]
    counts = np.concatenate(
        [units.weights, np.full(len(units.pseudo_teacher), units.pseudo_weight)]
    )
    drawn = _draws(everything, counts, values, units.count, resamples, rng)
    return PairedBootstrap(
        estimates=estimates,
        centre=np.array([float(v(counts @ x)) for v, x in zip(values, everything, strict=True)]),
        draws=drawn,
        influences=_influences(units, values, estimates),
        weights=counts,
        units=units.count,
        smoothed=len(units.pseudo_teacher) > 0,
        n=units.n,
        clusters=units.clusters,
    )


def _draws(
    sums: list[FloatArray],
    counts: FloatArray,
    values: list[Callable[[FloatArray], FloatArray]],
    size: int,
    resamples: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Scores of the resamples, shape (2, resamples), a chunk of them at a time."""
    shares = counts / counts.sum()
    found = np.empty((2, resamples))
    for start in range(0, resamples, _CHUNK):
        stop = min(start + _CHUNK, resamples)
        drawn = rng.multinomial(size, shares, size=stop - start).astype(np.float64)
        for side in (0, 1):
            found[side, start:stop] = values[side](drawn @ sums[side])
    return found


def _influences(
    units: Units, values: list[Callable[[FloatArray], FloatArray]], estimates: FloatArray
) -> FloatArray:
    """The jackknife's, of each unit left out and each pseudo-unit put in, times the unit count."""
    sides = [(units.teacher, units.pseudo_teacher), (units.student, units.pseudo_student)]
    rows = []
    for side, (own, pseudo) in enumerate(sides):
        total = units.totals[side]
        without = estimates[side] - values[side](total - own)
        added = values[side](total + pseudo) - estimates[side]
        without = np.where(np.isfinite(without), without, 0.0)
        without -= (units.weights @ without) / units.count
        rows.append(np.concatenate([without, added]))
    return np.stack(rows) * units.count


def _statistics(aggregate: Aggregate, values: ArrayLike, name: str) -> FloatArray:
    width = LENGTHS[aggregate]
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != width:
        raise ValueError(f"{name} must have shape (n, {width}) for {aggregate}, got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite statistics; drop missing samples first")
    return array


def _empty() -> PairedBootstrap:
    return PairedBootstrap(
        estimates=np.full(2, np.nan),
        centre=np.full(2, np.nan),
        draws=np.empty((2, 0)),
        influences=np.empty((2, 0)),
        weights=np.empty(0),
        units=0,
        smoothed=False,
        n=0,
        clusters=None,
    )


def _root(bound: Callable[[float], float], start: float, sign: int) -> float | None:
    """Where a falling bound crosses zero below (sign -1) or above (1) `start`; None: nowhere."""
    step = max(abs(start), 1.0) / 64
    far = start
    while sign * bound(far) >= 0:
        if step > _FURTHEST:
            return None
        far = start + sign * step
        step *= 2
    return float(brentq(bound, min(start, far), max(start, far), xtol=1e-10))
