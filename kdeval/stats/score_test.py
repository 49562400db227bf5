"""Score test of a mean with few possible values, and its inversion into an interval.

Every decision on binary scores in kdeval is a test that some D has mean zero, where D takes one
value per cell of the pairs' 2 x 2 table. The variance under that hypothesis comes from the
multinomial likelihood, maximised under it; cells that were never seen may receive mass, which is
why the test stays honest without a single flip. Special cases of one formula:

- D = S - theta T: Tang, Tang & Chan (2003) / Nam & Blackwelder (2002), the ratio of paired rates;
- D = S - T - delta: Tango (1998), their difference;
- D = S - p: Wilson (1927), one rate;
- D = (S - c) - theta (T - c): retention of the score above chance c.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scipy.optimize import brentq

_TINY = 1e-12
_FURTHEST = 2.0**40


def score_z(values: Sequence[float], counts: Sequence[float]) -> float:
    """Signed score statistic of "the mean of D is zero"; +-inf where that is impossible.

    Args:
        values: The value of D in each cell.
        counts: How often each cell occurred; need not be whole (Rao-Scott effective counts).
    """
    total = sum(counts)
    scale = max(abs(v) for v in values)
    mean = sum(v * c for v, c in zip(values, counts, strict=True)) / total
    if abs(mean) <= _TINY * scale:
        return 0.0
    if mean < 0:
        return -score_z([-v for v in values], counts)
    variance = _null_variance(values, [c / total for c in counts], scale)
    return mean * math.sqrt(total / variance) if variance > 0 else math.inf


def _null_variance(values: Sequence[float], shares: Sequence[float], scale: float) -> float:
    """Variance of D at the maximum of the likelihood under mean 0, for a positive mean.

    The maximum has p_k = share_k / (1 + lambda v_k). With lambda = t / |lowest v|, t lies in
    (0, 1]; t = 1 puts mass on the lowest cell although it was never seen.
    """
    lowest = min(values)
    if lowest >= 0:
        return 0.0
    cells = list(zip(values, shares, strict=True))
    above = [(v, w) for v, w in cells if v - lowest > _TINY * scale]
    seen = sum(w for v, w in cells if v - lowest <= _TINY * scale)

    def likelihood_equation(t: float) -> float:
        rest = sum(w * v / (1 - t * v / lowest) for v, w in above)
        return rest * (1 - t) + seen * lowest if seen else rest

    t = 1.0
    if likelihood_equation(1.0) < 0:
        t = brentq(likelihood_equation, 0.0, 1.0, xtol=1e-15)
    masses = [(v, w / (1 - t * v / lowest)) for v, w in above]
    at_lowest = sum(p * v for v, p in masses) / -lowest
    return sum(p * v * v for v, p in masses) + at_lowest * lowest**2


def invert(
    statistic: Callable[[float], float],
    *,
    estimate: float,
    critical: float,
    floor: float | None = None,
    ceiling: float | None = None,
) -> tuple[float | None, float | None]:
    """Ends of the set of parameters that a test does not reject.

    Args:
        statistic: Signed and falling in the parameter; about 0 at `estimate`.
        estimate: A parameter inside the set.
        critical: The set holds the parameters with |statistic| <= critical.
        floor: Lowest possible parameter, None when there is none.
        ceiling: Highest possible parameter, None when there is none.

    Returns:
        The lower and the upper end; None where the set is unbounded.
    """

    def mirrored(parameter: float) -> float:
        return -statistic(-parameter)

    high = _crossing(statistic, estimate, critical, ceiling)
    low = _crossing(mirrored, -estimate, critical, None if floor is None else -floor)
    return (None if low is None else -low), high


def _crossing(
    statistic: Callable[[float], float], start: float, critical: float, limit: float | None
) -> float | None:
    """Where a falling statistic passes -critical above `start`; None when it never does."""

    def excess(parameter: float) -> float:
        return max(statistic(parameter) + critical, -1e6)

    far = start if limit is None else limit
    if limit is None:
        step = max(abs(start), 1.0) / 8
        while excess(far := start + step) > 0:
            step *= 2
            if step > _FURTHEST:
                return None
    elif excess(limit) >= 0:
        return limit
    if excess(start) <= 0:
        return start
    return float(brentq(excess, start, far, xtol=1e-12, rtol=1e-12))
