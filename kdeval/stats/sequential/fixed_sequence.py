"""Certifying the last of an ordered list of thresholds, at one error level for the whole list.

Candidates are walked in an order fixed on other data, strictest first; each is tested at the full
level delta and the walk ends at the first that fails. Then the probability to certify any candidate
whose risk exceeds alpha is at most delta, with no price for the number of candidates: the first
false one on the path has to be passed, and it is passed with probability at most delta.

Source: Angelopoulos et al. (2021), Learn then Test, arXiv 2110.01052; Bauer (1991) for the walk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from kdeval_router.bounds import certify_below, upper_bound
from numpy.typing import ArrayLike
from scipy.special import betainccinv

from kdeval.stats.moments import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedSequence:
    """What a walk certified.

    Attributes:
        certified: Index of the last (least strict) certified candidate, or None.
        bounds: Upper bound on the risk of each tested candidate, None for those never reached.
        n: Number of samples.
        trials: Samples that each candidate's risk was estimated on.
        alpha: Largest risk allowed.
        delta: Error level of the whole list.
        starts: Indices that walks started from; each had delta / len(starts).
        n_min: Trials below which no candidate can be certified, even without a loss; None where
            the bound knows no such number.
        method: Name of the bound.
        reason: Why nothing was certified.
    """

    certified: int | None
    bounds: tuple[float | None, ...]
    n: int
    trials: tuple[int, ...]
    alpha: float
    delta: float
    starts: tuple[int, ...]
    n_min: int | None
    method: str
    reason: str | None = None


def smallest_n(alpha: float, delta: float) -> int:
    """Trials that certify a risk <= alpha without a single loss: ln delta / ln(1 - alpha)."""
    _check(alpha, delta)
    return math.ceil(math.log(delta) / math.log1p(-alpha) - 1e-9)


def selective_start(trials: ArrayLike, *, alpha: float, delta: float) -> int | None:
    """First candidate with enough accepted samples to be worth testing; None when there is none.

    For a risk among the accepted, the strictest candidate accepts almost nothing and would end the
    walk at once; start where n_accepted >= 2.5 ln delta / ln(1 - alpha). Choose it on other data.

    Args:
        trials: Samples that each candidate accepts, shape (m,).
        alpha: Largest risk allowed.
        delta: Error level.
    """
    _check(alpha, delta)
    enough = np.asarray(trials) >= 2.5 * math.log(delta) / math.log1p(-alpha)
    return int(np.argmax(enough)) if enough.any() else None


def fixed_sequence(
    losses: ArrayLike,
    *,
    alpha: float,
    delta: float,
    accepted: ArrayLike | None = None,
    starts: Sequence[int] = (0,),
) -> FixedSequence:
    """Certifies P(loss) <= alpha by exact Clopper-Pearson bounds.

    Args:
        losses: Binary loss of each sample under each candidate, strictest first, shape (n, m). For
            a marginal risk a sample that is not routed has loss 0.
        alpha: Largest risk allowed.
        delta: Probability to certify a candidate whose risk exceeds alpha.
        accepted: For a selective risk P(loss | accepted): who is accepted, shape (n, m).
        starts: Where walks start, chosen on other data (see `selective_start`); several share
            delta equally.

    Raises:
        ValueError: If a loss is not 0 or 1, or a start is no candidate.
    """
    table = np.asarray(losses, dtype=np.float64)
    _check(alpha, delta)
    if table.ndim != 2 or not ((table == 0) | (table == 1)).all():
        raise ValueError("losses must be 0 or 1, shape (n, m)")
    taken = np.ones_like(table) if accepted is None else np.asarray(accepted, dtype=np.float64)
    if taken.shape != table.shape:
        raise ValueError(f"accepted must have shape {table.shape}, got {taken.shape}")
    trials = taken.sum(axis=0).astype(np.int64)
    failures = (table * taken).sum(axis=0).astype(np.int64)
    share = delta / max(len(starts), 1)

    safe = np.maximum(trials - failures, 1)
    upper = np.where(failures < trials, betainccinv(failures + 1, safe, share), 1.0)

    def bound(j: int) -> tuple[float, bool]:
        return float(upper[j]), bool(upper[j] <= alpha)

    n_min = smallest_n(alpha, share)
    return _walk(bound, table, trials.tolist(), alpha, delta, starts, "Clopper-Pearson", n_min)


def fixed_sequence_of_means(
    losses: ArrayLike,
    *,
    alpha: float,
    delta: float,
    rng: np.random.Generator,
    starts: Sequence[int] = (0,),
) -> FixedSequence:
    """Certifies a mean loss of at most alpha by the WSR betting bound, for losses in [-1, 1].

    Args:
        losses: Loss of each sample under each candidate, strictest first, shape (n, m): for
            instance teacher's score minus that of whoever answers (a net drop).
        alpha: Largest mean loss allowed, between -1 and 1.
        delta: Probability to certify a candidate whose mean loss exceeds alpha.
        rng: Shuffles the samples once, since betting depends on their order.
        starts: As for `fixed_sequence`.
    """
    table = np.asarray(losses, dtype=np.float64)
    if not 0 < delta < 1 or not -1 < alpha < 1:
        raise ValueError(f"need 0 < delta < 1 and -1 < alpha < 1, got {delta!r}, {alpha!r}")
    if table.ndim != 2 or not (np.abs(table) <= 1).all():
        raise ValueError("losses must lie in [-1, 1], shape (n, m)")
    unit: FloatArray = (1 + table[rng.permutation(len(table))]) / 2
    share, limit = delta / max(len(starts), 1), (1 + alpha) / 2

    def bound(j: int) -> tuple[float, bool]:
        passed = certify_below(unit[:, j], limit, delta=share)
        return 2 * upper_bound(unit[:, j], delta=share) - 1, passed

    trials = [len(table)] * table.shape[1]
    return _walk(bound, table, trials, alpha, delta, starts, "betting (WSR)", None)


def _walk(
    bound: Callable[[int], tuple[float, bool]],
    table: FloatArray,
    trials: Sequence[int],
    alpha: float,
    delta: float,
    starts: Sequence[int],
    method: str,
    n_min: int | None,
) -> FixedSequence:
    n, m = table.shape
    if not starts or not all(0 <= s < m for s in starts):
        raise ValueError(f"starts must be candidates from 0 to {m - 1}, got {tuple(starts)!r}")
    bounds: list[float | None] = [None] * m
    certified = None
    for start in sorted(set(starts)):
        for j in range(start, m):
            bounds[j], passed = bound(j)
            if not passed:
                break
            certified = j if certified is None else max(certified, j)
    reason = None
    if certified is None:
        reason = f"no candidate tested has an upper bound of at most {alpha:g} at n = {n}"
        if n_min is not None:
            reason += f"; even without a loss it takes {n_min}"
    return FixedSequence(
        certified=certified,
        bounds=tuple(bounds),
        n=n,
        trials=tuple(trials),
        alpha=alpha,
        delta=delta,
        starts=tuple(starts),
        n_min=n_min,
        method=f"fixed sequence, {method}",
        reason=reason,
    )


def _check(alpha: float, delta: float) -> None:
    if not (0 < alpha < 1 and 0 < delta < 1):
        raise ValueError(f"alpha and delta must lie between 0 and 1, got {alpha!r} and {delta!r}")
