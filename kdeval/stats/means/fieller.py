"""Fieller's interval: the t test of mean(S - theta T) = 0, inverted in closed form."""

from __future__ import annotations

import math

from kdeval.stats.moments import Moments


def fieller_limits(moments: Moments, critical: float) -> tuple[float, float] | None:
    """Ends of {theta: |mean(S - theta T)| <= critical x its standard error}, or None.

    None means that the set is unbounded: the mean of T is not significantly different from zero.

    Args:
        moments: Of the columns S and T, in this order; mean of T above zero.
        critical: Two-sided critical value, t with `moments.dof` degrees of freedom.

    Source: Fieller (1954), JRSS-B 16; with clusters, the covariances are the linearised CR1 ones.
    """
    student, teacher = (float(x) for x in moments.means)
    squared = critical**2
    a = teacher**2 - squared * float(moments.covariance[1, 1])
    if a <= 0:
        return None
    b = student * teacher - squared * float(moments.covariance[0, 1])
    c = student**2 - squared * float(moments.covariance[0, 0])
    root = math.sqrt(max(b * b - a * c, 0.0))
    estimate = student / teacher
    return min((b - root) / a, estimate), max((b + root) / a, estimate)
