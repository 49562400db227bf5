"""Verdicts over several tasks: which need a correction, and which do not.

"Every task holds" is an intersection-union test (Berger 1982): it passes when each task passes at
the full level, and passes wrongly no more often than one test does. "Which tasks hold" is a claim
about each, and needs Holm's correction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kdeval.stats.interval import Interval

__all__ = ["holm", "shown_by_holm", "smallest_of"]


def shown_by_holm(
    shown_at: Callable[[int, float], bool], count: int, *, error: float
) -> tuple[int, ...]:
    """Which of `count` claims hold, with a chance of at most `error` of any false one among them.

    Step down: each claim is first tested at error / count; with every claim that holds, the rest
    are tested at error / (how many are left).

    Args:
        shown_at: Whether a claim is shown at that one-sided error; never True at a smaller error
            and False at a larger one.
        count: Number of claims, fixed beforehand.
        error: For all of them together.

    Returns:
        Their positions, ascending. No assumption on how the claims depend on each other.

    Source: Holm (1979), Scandinavian Journal of Statistics 6.
    """
    if not 0 < error < 1:
        raise ValueError(f"error must lie between 0 and 1, got {error!r}")
    open_claims = list(range(count))
    while open_claims:
        share = error / len(open_claims)
        left = [claim for claim in open_claims if not shown_at(claim, share)]
        if len(left) == len(open_claims):
            break
        open_claims = left
    return tuple(claim for claim in range(count) if claim not in open_claims)


def holm(p_values: Sequence[float], *, error: float) -> tuple[int, ...]:
    """Positions of the p-values that Holm's step-down procedure rejects at `error`."""
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError(f"p-values must lie in [0, 1], got {list(p_values)!r}")
    return shown_by_holm(lambda i, share: p_values[i] <= share, len(p_values), error=error)


def smallest_of(
    interval_at: Callable[[int, float], Interval], count: int, *, confidence: float
) -> tuple[int, Interval] | None:
    """The smallest of several true values; None where no task has an estimate.

    The lower end is the plain minimum of the tasks' lower ends (intersection-union): it lies above
    the smallest true value no more often than one of them does above its own. The upper end is the
    minimum of upper ends whose error is shared out evenly (Bonferroni), since any one of many may
    come out too low.

    Args:
        interval_at: Interval of a task's true value at a two-sided confidence.
        count: Number of tasks.
        confidence: Two-sided.

    Returns:
        The position of the smallest estimate, and the interval. Without a lower end of some task
        there is none over all.
    """
    plain = [interval_at(i, confidence) for i in range(count)]
    known = [(x.estimate, i) for i, x in enumerate(plain) if x.estimate is not None]
    if not known:
        return None
    estimate, index = min(known)
    lows = [x.low for x in plain]
    shared = 1 - (1 - confidence) / count
    highs = [x.high for i in range(count) if (x := interval_at(i, shared)).high is not None]
    low = None if None in lows else min(x for x in lows if x is not None)
    interval = replace(
        plain[index],
        estimate=estimate,
        low=low,
        high=min((x for x in highs if x is not None), default=None),
        confidence=confidence,
        method="smallest of the tasks' bounds (intersection-union)",
        n=sum(x.n for x in plain),
        clusters=None,
        reason=None if low is not None else "some task has no lower bound",
    )
    return index, interval
