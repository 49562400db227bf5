"""Betting bounds for the mean of values in [0, 1], and an e-CUSUM for drift.

All rest on one fact: the capital of a gambler who bets against "the mean is m" grows past 1/delta
with probability at most delta while m is true (Ville's inequality). A bound is the last m that the
gambler could not refute. Valid at every n, for every distribution; values must be independent (or
at least have the same conditional mean given the past).

Two gamblers: `wsr`, whose bets follow the variance seen so far and which is the sharper one on
data in random order, and `mixture`, which spreads its stake over constant bets and whose verdict on
n values does not depend on their order.

Source: Waudby-Smith & Ramdas (2024), Estimating means of bounded random variables by betting,
JRSS-B 86; Shafer & Vovk (2019) for the game.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Gambler = Literal["wsr", "mixture"]

_LARGEST_BET = 0.75
_STAKES = np.geomspace(0.01, 0.98, 12)
_NODES = 4096


def wsr_log_capital(values: ArrayLike, limit: float, *, delta: float) -> FloatArray:
    """Log capital, after each value, of the WSR gambler against "the mean is at least `limit`".

    Bets are predictable: each uses the variance of the values before it only.

    Args:
        values: In [0, 1], shape (n,), in an order fixed without looking at them.
        limit: The mean under test, 0 < limit < 1.
        delta: The error level that the bets are tuned to.
    """
    x = _unit_values(values)
    _check_delta(delta)
    return _wsr_logs(x, _wsr_bets(x, delta), limit)


def mixture_log_capital(values: ArrayLike, limit: float) -> float:
    """Log capital after all values of equal stakes on constant bets against "mean >= limit".

    Never above the exact capital; more than 4096 values are spread over a fine grid, which by
    concavity of the logarithm only lowers it. A limit of 1 is refuted by any value below it.
    """
    x = _unit_values(values)
    if limit >= 1:
        return math.inf if limit > 1 or (x < 1).any() else 0.0
    return _mixture(*_on_grid(x), max(limit, 0.0))


def mixture_log_capitals(values: ArrayLike, limit: float) -> FloatArray:
    """`mixture_log_capital` after each of the values, shape (n,), exact at every n."""
    x = _unit_values(values)
    if limit >= 1:
        refuted = np.logical_or.accumulate(x < 1) if limit == 1 else np.ones(len(x), dtype=bool)
        return np.where(refuted, np.inf, 0.0)
    limit = max(limit, 0.0)
    gains = (x - limit) / (1 - limit)
    logs = np.cumsum(np.log1p(-np.outer(_STAKES, gains)), axis=1)
    capitals: FloatArray = np.logaddexp.reduce(logs, axis=0) - math.log(len(_STAKES))
    return capitals


def upper_bound(values: ArrayLike, *, delta: float, gambler: Gambler = "wsr") -> float:
    """A number in [0, 1] that lies below the mean with probability at most `delta`.

    Args:
        values: In [0, 1], shape (n,). For `wsr`, shuffle them once with a recorded seed.
        delta: One-sided error level.
        gambler: Which bets: see the module.
    """
    x = _unit_values(values)
    _check_delta(delta)
    if len(x) == 0:
        return 1.0
    return _last_unrefuted(_log_wealth(x, delta, gambler), float(x.mean()), math.log(1 / delta))


def lower_bound(values: ArrayLike, *, delta: float, gambler: Gambler = "wsr") -> float:
    """A number in [0, 1] that lies above the mean with probability at most `delta`."""
    return 1.0 - upper_bound(1.0 - _unit_values(values), delta=delta, gambler=gambler)


def certify_below(
    values: ArrayLike, limit: float, *, delta: float, gambler: Gambler = "wsr"
) -> bool:
    """True when the mean is certified to lie below `limit` at error level `delta`.

    For a mean net drop of at most alpha, with teacher and student scores T, S in [0, 1]:
    values = (1 + T - S) / 2 and limit = (1 + alpha) / 2.
    """
    x = _unit_values(values)
    _check_delta(delta)
    if limit >= 1:
        return limit > 1 or bool((x < 1).any())
    if limit <= 0 or len(x) == 0:
        return False
    return _log_wealth(x, delta, gambler)(limit) >= math.log(1 / delta)


def e_cusum(evidence: float, alarm: bool, *, null_rate: float, bet_rate: float) -> float:
    """The e-CUSUM after one more observation: evidence that alarms now exceed `null_rate`.

    Start at 1 and raise the alarm at a threshold A: while alarms are independent and come at no
    more than `null_rate`, the mean number of observations to a false alarm is at least A.

    Args:
        evidence: The value so far.
        alarm: Whether this observation was one (for instance a conformal p-value <= null_rate).
        null_rate: Highest rate of alarms that counts as normal.
        bet_rate: Rate to bet on, above `null_rate`.

    Source: Shin, Ramdas & Rinaldo (2024), E-detectors.
    """
    if not 0 < null_rate < bet_rate < 1:
        raise ValueError(f"need 0 < null_rate < bet_rate < 1, got {null_rate!r}, {bet_rate!r}")
    factor = bet_rate / null_rate if alarm else (1 - bet_rate) / (1 - null_rate)
    return max(evidence, 1.0) * factor


def _wsr_bets(x: FloatArray, delta: float) -> FloatArray:
    """Bets sqrt(2 ln(1/delta) / (n variance so far)), not yet limited."""
    n = len(x)
    count = np.arange(1, n + 1)
    mean = (0.5 + np.cumsum(x)) / (count + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (count + 1)
    before = np.concatenate(([0.25], variance[:-1]))
    bets: FloatArray = np.sqrt(2 * math.log(1 / delta) / (n * before))
    return bets


def _wsr_logs(x: FloatArray, bets: FloatArray, limit: float) -> FloatArray:
    return np.cumsum(np.log1p(-np.minimum(bets, _LARGEST_BET / (1 - limit)) * (x - limit)))


def _log_wealth(x: FloatArray, delta: float, gambler: Gambler) -> Callable[[float], float]:
    if gambler == "mixture":
        nodes, weights = _on_grid(x)
        return lambda limit: _mixture(nodes, weights, limit)
    bets = _wsr_bets(x, delta)
    return lambda limit: float(_wsr_logs(x, bets, limit).max())


def _mixture(nodes: FloatArray, weights: FloatArray, limit: float) -> float:
    gains = (nodes - limit) / (1 - limit)
    logs = np.log1p(-np.outer(_STAKES, gains)) @ weights
    return float(np.logaddexp.reduce(logs) - math.log(len(_STAKES)))


def _on_grid(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Each value split between its two neighbours on a grid, keeping its mean."""
    if len(x) <= _NODES:
        return x, np.ones(len(x))
    left = np.minimum((x * _NODES).astype(np.int64), _NODES - 1)
    share = x * _NODES - left
    weights = np.zeros(_NODES + 1)
    weights[:-1] += np.bincount(left, weights=1 - share, minlength=_NODES)
    weights[1:] += np.bincount(left, weights=share, minlength=_NODES)
    return np.linspace(0.0, 1.0, _NODES + 1), weights


def _last_unrefuted(log_wealth: Callable[[float], float], start: float, threshold: float) -> float:
    """Smallest mean above `start` from which on every mean is refuted: wealth grows with it."""
    low, high = start, 1.0
    while high - low > 1e-7:
        middle = (low + high) / 2
        if log_wealth(middle) >= threshold:
            high = middle
        else:
            low = middle
    return high


def _unit_values(values: ArrayLike) -> FloatArray:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1:
        raise ValueError(f"values must have shape (n,), got {x.shape}")
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError("values must lie in [0, 1]; rescale them and drop missing ones")
    return x


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise ValueError(f"delta must lie between 0 and 1, got {delta!r}")
