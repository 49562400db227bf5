"""Who passes a student that lies exactly at the margin: methods in use today beside kdeval.

Right-or-wrong scores of n pairs are four counts, so samples and their bootstrap resamples are
multinomial draws, and equal tables are judged once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtr, ndtri

from kdeval.stats import Interval, one_sided, retention, strict_retention
from tests.bench import readme

NAME = "false passes"
FULL = readme.README.parent / "reports" / "false_passes.md"

LIMIT, LEVEL = 0.95, 0.95
SIZES = (20, 50, 200, 1000)
TRIALS, RESAMPLES, ORDERS = 8_000, 2_000, 4_000
STRICT = "kdeval, `promise: strict`"
"""Bets are placed in the order of the samples, so each of ORDERS samples is judged by itself."""

Tables = NDArray[np.int64]
"""Counts of both right, student only, teacher only, both wrong; shape (m, 4)."""
Judge = Callable[[Tables, float], NDArray[np.bool_]]
"""From tables and the teacher's true score to who passes, shape (m,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Shares of both right, student only, teacher only, both wrong."""

    name: str
    shares: tuple[float, float, float, float]

    @property
    def teacher(self) -> float:
        """The teacher's true score."""
        return self.shares[0] + self.shares[2]


BORDERLINE = (
    World(name="T .90, S .855", shares=(0.835, 0.02, 0.065, 0.08)),
    World(name="T .98, S .931", shares=(0.926, 0.005, 0.054, 0.015)),
    World(name="T .60, S .57", shares=(0.52, 0.05, 0.08, 0.35)),
)
EQUAL = (
    World(name="T .90, S .90", shares=(0.88, 0.02, 0.02, 0.08)),
    World(name="T .98, S .98", shares=(0.975, 0.005, 0.005, 0.015)),
    World(name="T .60, S .60", shares=(0.55, 0.05, 0.05, 0.35)),
)


def bench_false_passes(directory: Path) -> None:
    """Students at a limit of 95 % passed at a nominal 5 %, and equal ones; into the README."""
    found = {world: shares_passed(world) for world in (*BORDERLINE, *EQUAL)}
    FULL.write_text(full_table(found))
    body = short_table(found)
    readme.write(NAME, body)
    print(body)


def shares_passed(
    world: World, *, sizes: tuple[int, ...] = SIZES, trials: int = TRIALS
) -> dict[str, list[float]]:
    """Share of passes of each method, one at each size."""
    rows: dict[str, list[float]] = {name: [] for name in METHODS}
    for n in sizes:
        rng = np.random.default_rng([n, int(1e4 * world.teacher), 77])
        drawn = rng.multinomial(n, world.shares, size=trials)
        tables, counts = np.unique(drawn, axis=0, return_counts=True)
        for name, judge in METHODS.items():
            if name == STRICT:
                passed = judge(drawn[:ORDERS], world.teacher).mean()
            else:
                passed = counts @ judge(tables, world.teacher) / trials
            rows[name].append(float(passed))
    return rows


def _scores(tables: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right answers of teacher and student; shape of the tables without their last axis."""
    return tables[..., 0] + tables[..., 2], tables[..., 0] + tables[..., 1]


def _ratios(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Retention; 1 where the teacher has nothing right."""
    teacher, student = _scores(tables)
    return np.where(teacher > 0, student / np.maximum(teacher, 1), 1.0)


def _resampled(table: NDArray[np.int64]) -> NDArray[np.float64]:
    rng = np.random.default_rng([*table.tolist(), 78])
    n = int(table.sum())
    return np.sort(_ratios(rng.multinomial(n, table / n, size=RESAMPLES).astype(float)))


def percentile_bootstrap(tables: Tables, teacher: float) -> NDArray[np.bool_]:
    """The 5 % quantile of resampled retentions reaches the limit."""
    return np.array([np.quantile(_resampled(table), 1 - LEVEL) >= LIMIT for table in tables])


def bca_bootstrap(tables: Tables, teacher: float) -> NDArray[np.bool_]:
    """The same with Efron's bias correction and acceleration; without spread, the estimate."""
    return np.array([_bca_low(table) >= LIMIT for table in tables])


def _bca_low(table: NDArray[np.int64]) -> float:
    ratios, estimate = _resampled(table), float(_ratios(table.astype(float)))
    below = (np.mean(ratios < estimate) + np.mean(ratios <= estimate)) / 2
    present = np.flatnonzero(table)
    left_out = _ratios((table - np.eye(4, dtype=int)[present]).astype(float))
    weights = table[present]
    d = np.average(left_out, weights=weights) - left_out
    spread = float(weights @ d**2)
    if spread == 0 or not 0 < below < 1:
        return estimate if spread == 0 else float(ratios[0])
    acceleration = float(weights @ d**3) / (6 * spread**1.5)
    shift = float(ndtri(below))
    moved = shift + float(ndtri(1 - LEVEL))
    return float(np.quantile(ratios, ndtr(shift + moved / (1 - acceleration * moved))))


def delta_method(tables: Tables, teacher: float) -> NDArray[np.bool_]:
    """Retention minus 1.645 of its linearised standard errors."""
    t, ratio = _scores(tables.astype(float))[0], _ratios(tables.astype(float))
    squares = tables[:, 0] * (1 - ratio) ** 2 + tables[:, 1] + tables[:, 2] * ratio**2
    return ratio - ndtri(LEVEL) * np.sqrt(squares) / np.maximum(t, 1) >= LIMIT


def fieller(tables: Tables, teacher: float) -> NDArray[np.bool_]:
    """The t test of the mean of S - 0.95 T; two equal means of no spread pass."""
    n = tables.sum(axis=1)
    values = np.array([1 - LIMIT, 1, -LIMIT, 0])
    mean = tables @ values / n
    variance = (tables @ values**2 / n - mean**2) * n / (n - 1)
    return mean - stats.t.ppf(LEVEL, n - 1) * np.sqrt(np.maximum(variance, 0) / n) >= 0


def unpaired_z(tables: Tables, teacher: float) -> NDArray[np.bool_]:
    """lm-eval's comparator, (S - T) over both standard errors, moved to the margin."""
    n = tables.sum(axis=1)
    t, s = (right / n for right in _scores(tables.astype(float)))
    error = np.sqrt((t * (1 - t) + s * (1 - s)) / (n - 1))
    return s - t + (1 - LIMIT) * teacher >= ndtri(LEVEL) * error


def _kdeval(method: Callable[..., Interval]) -> Judge:
    """The gate's own test, of samples in a random order."""

    def judge(tables: Tables, teacher: float) -> NDArray[np.bool_]:
        passed = []
        rng = np.random.default_rng([len(tables), 79])
        for table in tables:
            cells = rng.permutation(np.repeat(np.arange(4), table))
            low = method(cells % 2 == 0, cells < 2, confidence=one_sided(LEVEL)).low
            passed.append(low is not None and low >= LIMIT)
        return np.array(passed)

    return judge


METHODS: dict[str, Judge] = {
    "percentile bootstrap": percentile_bootstrap,
    "BCa bootstrap": bca_bootstrap,
    "delta method": delta_method,
    "Fieller": fieller,
    "unpaired z (lm-eval)": unpaired_z,
    "kdeval, score": _kdeval(retention),
    STRICT: _kdeval(strict_retention),
}


def short_table(found: dict[World, dict[str, list[float]]]) -> str:
    """The first world: false passes by size, and what an equal student gets."""
    wrong, right = found[BORDERLINE[0]], found[EQUAL[0]]
    head = ["passed at n =", *(f"{n:,}" for n in SIZES), *(f"equal, {n:,}" for n in SIZES[1:])]
    rows = [
        [
            name,
            *(readme.percent(x, 1) for x in wrong[name]),
            *(readme.percent(x, 0) for x in right[name][1:]),
        ]
        for name in METHODS
    ]
    return readme.table(head, rows)


def full_table(found: dict[World, dict[str, list[float]]]) -> str:
    """Every world."""
    parts = [
        "# False passes at the margin, and power\n\nWritten by `make bench ARGS=false_passes`: "
        f"{TRIALS:,} simulated samples a world and size, limit {readme.percent(LIMIT, 0)} of "
        f"retention, nominal {readme.percent(1 - LEVEL, 0)} one-sided.\n"
        "In the first worlds the student lies exactly at the limit: a pass is an error. In the\n"
        "others it is as good as its teacher: a pass is right.\n"
    ]
    for world, rows in found.items():
        head = [f"{world.name}, n =", *(f"{n:,}" for n in SIZES)]
        body = [[name, *(readme.percent(x, 1) for x in shares)] for name, shares in rows.items()]
        parts.append(readme.table(head, body) + "\n")
    return "\n".join(parts)
