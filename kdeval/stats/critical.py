"""Two-sided critical values."""

from __future__ import annotations

from scipy.special import ndtri, stdtrit


def normal_critical(confidence: float) -> float:
    """The z that a standard normal stays within, in absolute value, with this probability."""
    return -float(ndtri((1 - confidence) / 2))


def t_critical(confidence: float, dof: int) -> float:
    """The same for Student's t with `dof` degrees of freedom."""
    return -float(stdtrit(dof, (1 - confidence) / 2))
