"""Two-sided critical values."""

from __future__ import annotations

import math

from scipy.special import ndtri, stdtrit


def normal_critical(confidence: float) -> float:
    """The z that a standard normal stays within, in absolute value, with this probability."""
    return -float(ndtri((1 - confidence) / 2))


def t_critical(confidence: float, dof: float) -> float:
    """The same for Student's t with `dof` degrees of freedom; infinitely many are the normal's."""
    if math.isinf(dof):
        return normal_critical(confidence)
    return -float(stdtrit(dof, (1 - confidence) / 2))
