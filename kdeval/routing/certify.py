"""The certificate: the loosest threshold at which the risk is still proven to be small.

Risk: a request is routed to a student, the teacher would have been right and the student is
wrong (a negative flip), over all traffic. Thresholds come from other data; they are tested from
strict to loose, each at the full error probability, until the first that fails: fixed-sequence
testing (Bauer 1991; Angelopoulos et al. 2021, arXiv 2110.01052) with exact Clopper-Pearson
bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdeval.stats.binomial import clopper_pearson
from kdeval.stats.sequential.fixed_sequence import fixed_sequence, smallest_n

__all__ = ["Certificate", "certify", "min_units", "one_per_unit", "threshold_grid"]

GRID = 100
LOOSEST = 1.0
_ROUNDING = 1e-9
_MAX_UNITS = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What was proven.

    Attributes:
        threshold: largest risk rank that is routed; None: nothing is certified.
        flips, bound, share: negative flips at the threshold, the exact upper bound of their rate,
            and the share routed; of the strictest threshold when nothing is certified.
        n: units tested on.
        n_min: units needed at zero flips.
        missing: further units that would be enough at the strictest threshold's flip rate; None
            when something is certified, or no number would be enough.
    """

    threshold: float | None
    flips: int
    bound: float
    share: float
    n: int
    n_min: int
    missing: int | None


def min_units(level: float, confidence: float) -> int:
    """Smallest n at which zero flips prove a risk of at most `level`."""
    return smallest_n(level, 1.0 - confidence)


def one_per_unit(units: NDArray[np.object_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of one sample a unit, drawn uniformly within it, in ascending order."""
    order = rng.permutation(len(units))
    _, first = np.unique(units[order].astype(str), return_index=True)
    return np.sort(order[first])


def threshold_grid(risk: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most GRID + 1 thresholds from strict to loose: quantiles of fit risks, then all."""
    if len(risk) == 0:
        return np.array([LOOSEST])
    quantiles = np.quantile(risk, np.linspace(0.0, 1.0, GRID + 1)[1:])
    return np.unique(np.append(quantiles + _ROUNDING, LOOSEST))


def certify(
    grid: NDArray[np.float64],
    eligible: NDArray[np.bool_],
    risk: NDArray[np.float64],
    lost: NDArray[np.bool_],
    *,
    level: float,
    confidence: float,
) -> Certificate:
    """The certificate of n independent units.

    Args:
        grid: thresholds from strict to loose, fixed without these units.
        eligible: (n,): routed at the loosest threshold.
        risk: (n,): what the threshold is compared with; read where eligible.
        lost: (n,): the teacher is right and the unit's student wrong.
        level: largest rate of negative flips.
        confidence: that the certificate holds, over draws of the units.
    """
    n = len(eligible)
    routed = eligible[:, None] & (risk[:, None] <= grid[None, :])
    losses = routed & lost[:, None]
    walk = fixed_sequence(losses, alpha=level, delta=1.0 - confidence)
    chosen = 0 if walk.certified is None else walk.certified
    flips, bound = int(losses[:, chosen].sum()), walk.bounds[chosen]
    n_min = min_units(level, confidence)
    return Certificate(
        threshold=None if walk.certified is None else float(grid[chosen]),
        flips=flips,
        bound=1.0 if bound is None else bound,
        share=float(routed[:, chosen].mean()) if n else 0.0,
        n=n,
        n_min=n_min,
        missing=_missing(flips, n, level, confidence, n_min) if walk.certified is None else None,
    )


def _upper(flips: int, n: int, confidence: float) -> float:
    high = clopper_pearson(flips, n, confidence=confidence, side="upper").high
    return 1.0 if high is None else high


def _missing(flips: int, n: int, level: float, confidence: float, n_min: int) -> int | None:
    """Units more, if flips went on at the same rate; None when that rate is itself too high."""
    rate = flips / n if n else 0.0
    if rate >= level:
        return None
    low, high = max(n, n_min), max(n, n_min)
    while _upper(round(rate * high), high, confidence) > level:
        low, high = high, high * 2
        if high > _MAX_UNITS:
            return None
    while low < high:
        middle = (low + high) // 2
        if _upper(round(rate * middle), middle, confidence) <= level:
            high = middle
        else:
            low = middle + 1
    return high - n
