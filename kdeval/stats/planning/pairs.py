"""How many samples a decision needs, from what is assumed or what a pilot showed.

Everything is a test that some D has mean zero (see `score_test`). With standard deviation sd of D,
and sd_0 the one that the test itself uses, it shows a positive mean with the wished power at

    N = (z_level sd_0 + z_power sd)^2 / mean^2 x design effect,

5 % on top for what the normal approximation leaves out. For scores that are right or wrong sd_0 is
the one under "mean zero", and N is at least what the test needs without a single flip.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.special import betaln, ndtri

from kdeval.stats.critical import normal_critical, t_critical
from kdeval.stats.interval import one_sided
from kdeval.stats.score_test import score_z

__all__ = [
    "Clustering",
    "PairedRates",
    "detectable_limit",
    "difference_values",
    "rate_values",
    "retention_values",
    "samples_for_mean",
    "samples_for_rates",
    "samples_without_a_flip",
]

MARGIN = 1.05
_MOST = 10**9

Cells = tuple[float, float, float, float]


def retention_values(limit: float, chance: float = 0.0) -> Cells:
    """D = S - limit x T where both are right, only the student, only the teacher, neither.

    With `chance`, that score of guessing is taken off both.
    """
    shift = chance * (1 - limit)
    return (1 - limit - shift, 1 - shift, -limit - shift, -shift)


def difference_values(limit: float) -> Cells:
    """D = S - T - limit in the same cells."""
    return (-limit, 1 - limit, -1 - limit, -limit)


def rate_values(limit: float) -> Cells:
    """D = S - limit in the same cells."""
    return (1 - limit, 1 - limit, -limit, -limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRates:
    """Shares of samples by who is right; they sum to one."""

    both: float
    gained: float
    lost: float
    neither: float

    @classmethod
    def from_scores(
        cls, teacher: float, student: float, disagreement: float | Literal["least", "most"] = "most"
    ) -> PairedRates:
        """Two scores with that share of samples on which exactly one of the two is right.

        Raises:
            ValueError: no such world exists: the scores are no shares, or differ by more than the
                disagreement, or it is more than they allow.
        """
        if not (0 <= teacher <= 1 and 0 <= student <= 1):
            raise ValueError(f"scores must lie in [0, 1], got {teacher!r} and {student!r}")
        least = abs(teacher - student)
        most = min(teacher + student, 2 - teacher - student)
        found = {"least": least, "most": most}.get(str(disagreement))
        share = float(disagreement) if found is None else found
        if not least - 1e-12 <= share <= most + 1e-12:
            raise ValueError(
                f"with scores of {teacher:g} and {student:g} the models disagree on {least:.4g} to "
                f"{most:.4g} of the samples, not on {share:g}"
            )
        gained = (share + student - teacher) / 2
        lost = share - gained
        both = student - gained
        found_rates = (both, gained, lost, 1 - both - gained - lost)
        return cls(**dict(zip(("both", "gained", "lost", "neither"),
                              (max(0.0, rate) for rate in found_rates), strict=True)))  # fmt: skip

    @property
    def cells(self) -> Cells:
        """The shares in the order of the values of D."""
        return (self.both, self.gained, self.lost, self.neither)

    @property
    def teacher(self) -> float:
        """The teacher's score."""
        return self.both + self.lost

    @property
    def disagreement(self) -> float:
        """Share of samples on which exactly one of the two is right."""
        return self.gained + self.lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """How samples hang together.

    Attributes:
        size: samples a cluster.
        effect: design effect of D: its variance over that of independent samples.
        largest: the design effect if clusters were copies of one sample.
        witnesses: clusters with an event (a flip), a cluster; the test is the more cautious the
            fewer it sees. None for real scores, whose test is not.
    """

    size: float
    effect: float
    largest: float
    witnesses: float | None = None

    @classmethod
    def equal(cls, size: float, correlation: float, event_rate: float | None = None) -> Clustering:
        """Clusters of `size` samples that correlate with one another by `correlation`.

        Args:
            size: at least 1.
            correlation: intraclass correlation of D, in [0, 1].
            event_rate: share of samples with an event, taken as beta-binomial in a cluster.
        """
        effect = 1 + (size - 1) * correlation
        witnesses = None if event_rate is None else _some_event(size, correlation, event_rate)
        return cls(size=size, effect=effect, largest=size, witnesses=witnesses)

    def effect_at(self, n: float) -> float:
        """Design effect that the test takes with n samples (`Moments.cautious_design_effect`)."""
        if self.witnesses is None:
            return self.effect
        seen = self.witnesses * n / self.size
        return (seen * self.effect + self.largest) / (seen + 1)


def samples_for_rates(
    values: Cells,
    rates: PairedRates,
    *,
    level: float,
    power: float = 0.8,
    clustering: Clustering | None = None,
) -> int | None:
    """Samples with which the score test shows that D has a positive mean.

    Args:
        values: D in each cell: `retention_values`, `difference_values`, `rate_values`, or their
            negatives where less is better.
        rates: the world in which the power holds.
        level: one-sided.
        power: probability to pass.
        clustering: of the samples; None: independent.

    Returns:
        The number, or None where the mean of D is not above zero: no number would do.
    """
    mean = sum(v * p for v, p in zip(values, rates.cells, strict=True))
    if mean <= 1e-12:
        return None
    variance = sum(v * v * p for v, p in zip(values, rates.cells, strict=True)) - mean**2
    z = score_z(values, rates.cells)
    null = 0.0 if math.isinf(z) else (mean / z) ** 2
    floor = samples_without_a_flip(values, rates.teacher, level=level) or 2

    def required(n: int) -> float:
        effect = 1.0 if clustering is None else clustering.effect_at(n)
        critical = _critical(level, None if clustering is None else n / clustering.size - 1)
        simple = critical * math.sqrt(null * effect)
        actual = 1.0 if clustering is None else clustering.effect
        spread = simple + float(ndtri(power)) * math.sqrt(max(variance, 0.0) * actual)
        return max(MARGIN * (spread / mean) ** 2, floor * effect)

    return _smallest(required)


def samples_for_mean(
    mean: float,
    sd: float,
    *,
    level: float,
    power: float = 0.8,
    clustering: Clustering | None = None,
) -> int | None:
    """Samples with which the t test shows that D has a positive mean; None where it has none.

    Asymptotic, too: where a handful of large losses makes D strongly skewed, the power at about 65
    samples was 73 % for a planned 80 %.

    Args:
        mean: of D.
        sd: of D, above 0.
        level: one-sided.
        power: probability to pass.
        clustering: of the samples; None: independent.
    """
    if mean <= 0:
        return None
    effect, size = (1.0, 1.0) if clustering is None else (clustering.effect, clustering.size)

    def required(n: int) -> float:
        spread = (_critical(level, n / size - 1) + float(ndtri(power))) * sd
        return MARGIN * effect * (spread / mean) ** 2

    return _smallest(required)


def samples_without_a_flip(values: Sequence[float], teacher: float, *, level: float) -> int | None:
    """Samples below which the score test shows nothing even if the two never part.

    Returns:
        The number, or None where no number of such samples would do.
    """
    z = score_z(values, (teacher, 0.0, 0.0, 1 - teacher))
    if z <= 0:
        return None
    if math.isinf(z):
        return 1
    return math.floor((normal_critical(one_sided(level)) / z) ** 2) + 1


def detectable_limit(
    needed: Callable[[float], int | None], n: int, *, figure: float, furthest: float
) -> float | None:
    """The limit closest to `figure` that n samples can show; None where none up to `furthest`.

    Args:
        needed: samples for a limit, falling as the limit moves away from the figure.
        n: samples there are.
        figure: what is assumed, or what a pilot showed.
        furthest: the least demanding limit there is.
    """

    def enough(limit: float) -> bool:
        count = needed(limit)
        return count is not None and count <= n

    if not enough(furthest):
        return None
    near, far = figure, furthest
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (near, middle) if enough(middle) else (middle, far)
    return far


def _some_event(size: float, correlation: float, rate: float) -> float:
    """Probability that a cluster has an event, by the beta-binomial."""
    if rate <= 0 or rate >= 1:
        return float(rate > 0)
    if correlation <= 0:
        return 1.0 - math.pow(1 - rate, size)
    if correlation >= 1:
        return rate
    spread = 1 / correlation - 1
    a, b = rate * spread, (1 - rate) * spread
    return 1.0 - math.exp(float(betaln(a, b + size)) - float(betaln(a, b)))


def _critical(level: float, dof: float | None) -> float:
    """One-sided critical value of the normal, or of t with that many degrees of freedom."""
    confidence = one_sided(level)
    if dof is None:
        return normal_critical(confidence)
    return t_critical(confidence, math.floor(dof)) if dof >= 1 else math.inf


def _smallest(required: Callable[[int], float]) -> int | None:
    """The smallest n that is at least what it requires; the requirement falls as n grows."""
    high = 2
    while required(high) > high:
        high *= 2
        if high > _MOST:
            return None
    low = 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if required(middle) <= middle else (middle, high)
    return high
