"""The limit that the samples at hand could have shown, were the student as good as it looks."""

from __future__ import annotations

from kdeval.gate.measurement import Measurement
from kdeval.gate.missing import samples_needed
from kdeval.gate.resolve import Target

__all__ = ["detectable_limit"]

_STEPS = 24
_FURTHEST = 2.0**30


def detectable_limit(target: Target, measured: Measurement, *, level: float) -> float | None:
    """The tightest limit that n such samples pass with 80 % probability; None where none is known.

    The mirror of the samples missing: there the limit is given and n is asked for.
    """
    estimate, n = measured.interval.estimate, measured.interval.n
    if estimate is None or measured.exact or n < 2:
        return None
    towards = -1.0 if target.rule.direction == "min" else 1.0

    def enough(distance: float) -> bool:
        needed = samples_needed(target, measured, limit=estimate + towards * distance, level=level)
        return needed is not None and needed <= n

    far = max(abs(estimate), 1e-3) / 8
    while not enough(far):
        far *= 2
        if far > _FURTHEST or (_is_ratio(target) and far >= estimate):
            return None
    near = 0.0
    for _ in range(_STEPS):
        middle = (near + far) / 2
        near, far = (near, middle) if enough(middle) else (middle, far)
    return estimate + towards * far


def _is_ratio(target: Target) -> bool:
    return target.rule.direction == "min" and target.rule.metric in ("retention", "macro_retention")
