"""Violation rates of betting bounds, certified thresholds and the drift alarm: strict promises."""

import numpy as np
import pytest
from kdeval_router.bounds import e_cusum, lower_bound, upper_bound

from kdeval.stats import fixed_sequence, fixed_sequence_of_means, selective_start

pytestmark = pytest.mark.validity

GRID = 40
ALPHA, DELTA = 0.02, 0.1
WORLDS = {
    "rare ones": (lambda rng, n: (rng.random(n) < 0.03).astype(float), 0.03),
    "uniform": (lambda rng, n: rng.random(n), 0.5),
    "mostly half": (lambda rng, n: rng.choice([0.0, 0.5, 1.0], n, p=[0.02, 0.93, 0.05]), 0.515),
}


@pytest.mark.parametrize("gambler", ["wsr", "mixture"])
@pytest.mark.parametrize("world", WORLDS)
def test_betting_bounds(world: str, gambler, exact) -> None:
    draw, truth = WORLDS[world]
    rng = np.random.default_rng([len(world), 7])
    trials, errors = 500, np.zeros(2, dtype=int)
    for _ in range(trials):
        x = draw(rng, 100)
        errors += (
            upper_bound(x, delta=DELTA, gambler=gambler) < truth,
            lower_bound(x, delta=DELTA, gambler=gambler) > truth,
        )
    for side, count in zip(("upper", "lower"), errors, strict=True):
        exact(f"betting bound, {gambler}, {side}", f"{world}, n = 100", count, trials, DELTA)


def routed(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Who is routed at each threshold, and who then loses or gains; strictest first."""
    score = rng.random(n)
    taken = score[:, None] >= np.linspace(0.98, 0.0, GRID)
    worse = rng.random(n) < 0.18 * (1 - score) ** 1.5
    better = ~worse & (rng.random(n) < 0.03)
    return taken, worse, better


@pytest.fixture(scope="module")
def risks() -> dict[str, np.ndarray]:
    """True risks of every threshold, by a sample large enough not to matter."""
    taken, worse, better = routed(np.random.default_rng(8), 1_000_000)
    marginal = (taken & worse[:, None]).mean(axis=0)
    return {
        "marginal": marginal,
        "selective": marginal / np.maximum(taken.mean(axis=0), 1e-9),
        "net": marginal - (taken & better[:, None]).mean(axis=0),
    }


@pytest.mark.parametrize("n", [200, 500, 2000])
def test_marginal_flips(n: int, risks, exact) -> None:
    """Clopper-Pearson, and beside it the plug-in choice that everybody makes, which fails."""
    rng = np.random.default_rng([n, 9])
    trials, errors, plug_in, certified = 800, 0, 0, 0
    for _ in range(trials):
        taken, worse, _ = routed(rng, n)
        losses = taken & worse[:, None]
        found = fixed_sequence(losses, alpha=ALPHA, delta=DELTA).certified
        certified += found is not None
        errors += found is not None and risks["marginal"][found] > ALPHA
        chosen = np.flatnonzero(losses.mean(axis=0) <= ALPHA).max()
        plug_in += risks["marginal"][chosen] > ALPHA
    assert certified > 0.9 * trials
    exact("marginal flips, Clopper-Pearson", f"n = {n}", errors, trials, DELTA)
    with pytest.raises(AssertionError, match="promised at most"):
        exact("control: marginal flips, plug-in", f"n = {n}", plug_in, trials, DELTA)


@pytest.mark.parametrize("n", [500, 2000])
def test_selective_flips(n: int, risks, exact) -> None:
    """Risk among the routed, the start chosen by their number on other data."""
    rng = np.random.default_rng([n, 10])
    trials, errors, certified = 600, 0, 0
    for _ in range(trials):
        fit, _, _ = routed(rng, n)
        start = selective_start(fit.sum(axis=0), alpha=0.05, delta=DELTA)
        taken, worse, _ = routed(rng, n)
        found = fixed_sequence(
            np.broadcast_to(worse[:, None], taken.shape),
            accepted=taken,
            alpha=0.05,
            delta=DELTA,
            starts=(start,),
        ).certified
        certified += found is not None
        errors += found is not None and risks["selective"][found] > 0.05
    assert certified > 0.5 * trials
    exact("selective flips, Clopper-Pearson", f"n = {n}", errors, trials, DELTA)


def test_net_drop(risks, exact) -> None:
    rng = np.random.default_rng(11)
    trials, errors, certified = 300, 0, 0
    for _ in range(trials):
        taken, worse, better = routed(rng, 400)
        drop = taken * (worse.astype(float) - better)[:, None]
        found = fixed_sequence_of_means(drop, alpha=ALPHA, delta=DELTA, rng=rng).certified
        certified += found is not None
        errors += found is not None and risks["net"][found] > ALPHA
    assert certified > 0.5 * trials
    exact("net drop, WSR betting", "n = 400", errors, trials, DELTA)


def test_drift_alarm_runs_long_without_drift_and_short_with_it() -> None:
    """Mean run to a false alarm at threshold 100 is at least 100; a 50 % shift is seen at once."""
    rng = np.random.default_rng(12)

    def run_length(rate: float, threshold: float) -> int:
        evidence, length = 1.0, 0
        while evidence < threshold:
            evidence = e_cusum(evidence, rng.random() < rate, null_rate=0.05, bet_rate=0.3)
            length += 1
        return length

    quiet = np.array([run_length(0.05, 100.0) for _ in range(300)])
    assert quiet.mean() - 3 * quiet.std() / np.sqrt(300) > 100
    shifted = np.array([run_length(0.5, 1e4) for _ in range(300)])
    assert np.median(shifted) < 25
