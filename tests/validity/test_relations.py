"""Claims on several models: who is better, the gap to production, the best checkpoint."""

from __future__ import annotations

import numpy as np
import pytest

from kdeval.compare.comparison import Comparison
from kdeval.compare.related.between import standings
from kdeval.compare.related.checkpoints import checkpoint_figures
from kdeval.compare.related.sheet import ScoreSheet
from kdeval.compare.related.transfer import transfers
from kdeval.records import Metric
from kdeval.stats.means.independent import difference_of_independent
from kdeval.stats.means.paired import mean, paired_difference
from kdeval.store.run_directory import SuiteEntry

pytestmark = pytest.mark.validity

METRIC = Metric(name="m")


def sheet(scores: dict[str, np.ndarray], suite: str = "x", codes=None) -> ScoreSheet:
    n = len(next(iter(scores.values())))
    ids = np.array([f"{suite}{index}" for index in range(n)], dtype=object)
    units = ids if codes is None else np.array([f"c{code}" for code in codes], dtype=object)
    return ScoreSheet(
        suite=suite, metric="m", scores=scores, clusters=codes, ids=ids, units=units, hashes=ids,
        outputs={name: np.full(n, -1) for name in scores}, texts=np.array([], dtype=object),
        slices={"all": np.ones(n, dtype=bool)},
    )  # fmt: skip


def student(name: str) -> Comparison:
    return Comparison(
        teacher="t", student=name, cells=(), latency=None, cost=None, error_share=0.0,
        teacher_error_share=0.0, requests=1,
    )  # fmt: skip


def correlated(rng, rates, n: int, groups: int | None = None) -> dict[str, np.ndarray]:
    """Right-or-wrong scores with these true rates, hard samples being hard for all."""
    from scipy.special import ndtri

    shared = rng.normal(size=n if groups is None else groups)
    if groups is not None:
        shared = np.repeat(shared, n // groups)
    return {
        f"m{index}": (0.7 * shared + 0.714 * rng.normal(size=n) < ndtri(rate)).astype(float)
        for index, rate in enumerate(rates)
    }


@pytest.mark.parametrize(
    ("rates", "n", "groups"),
    [
        ((0.8, 0.8, 0.8, 0.8), 60, None),
        ((0.8, 0.8, 0.8, 0.8), 400, None),
        ((0.97, 0.97, 0.97, 0.97, 0.97, 0.97), 100, None),
        ((0.85, 0.85, 0.7, 0.7), 200, None),
        ((0.8, 0.8, 0.8), 300, 30),
    ],
)
def test_no_student_is_called_better_that_is_not(rates, n, groups, asymptotic) -> None:
    """All claims of a table together: pairs called better the wrong way round or among equals."""
    rng = np.random.default_rng([n, len(rates), 11])
    trials, wrong, best = 1000 // len(rates), 0, 0
    names = [f"m{index}" for index in range(len(rates))]
    truth = dict(zip(names, rates, strict=True))
    codes = None if groups is None else np.repeat(np.arange(groups), n // groups)
    for _ in range(trials):
        scores = correlated(rng, rates, n, groups)
        found = standings(
            sheet(scores, codes=codes), [student(name) for name in names], metric=METRIC,
            confidence=0.9,
        )  # fmt: skip
        wrong += any(
            pair.better is not None
            and truth[pair.better] <= min(truth[pair.first], truth[pair.second])
            for pair in found.pairs
        )
        best += found.best is not None and truth[found.best] <= sorted(rates)[-2]
    world = f"{len(rates)} students, n = {n}" + ("" if groups is None else f", {groups} clusters")
    asymptotic("Holm, any student called better wrongly", world, wrong, trials, 0.1)
    asymptotic("Holm, a best student called wrongly", world, best, trials, 0.1)


@pytest.mark.parametrize(
    ("benchmark", "production", "sizes", "groups"),
    [
        ((0.9, 0.88), (0.9, 0.88), (100, 60), None),
        ((0.9, 0.88), (0.9, 0.75), (400, 80), None),
        ((0.98, 0.97), (0.98, 0.97), (100, 100), None),
        ((0.9, 0.85), (0.8, 0.7), (2000, 60), None),
        ((0.9, 0.85), (0.85, 0.75), (400, 300), 25),
    ],
)
def test_the_gap_to_production(benchmark, production, sizes, groups, asymptotic) -> None:
    """The interval of a difference of differences; in production also with clusters."""
    rng = np.random.default_rng([*sizes, int(1000 * production[1]), 12])
    trials, low, high = 1500, 0, 0
    truth = (production[1] - production[0]) - (benchmark[1] - benchmark[0])
    codes = None if groups is None else np.repeat(np.arange(groups), sizes[1] // groups)
    for _ in range(trials):
        here = correlated(rng, benchmark, sizes[0])
        there = correlated(rng, production, sizes[1], groups)
        gap = difference_of_independent(
            paired_difference(there["m0"], there["m1"], clusters=codes, confidence=0.9),
            paired_difference(here["m0"], here["m1"], confidence=0.9),
        )
        low += gap.low > truth
        high += gap.high < truth
    world = f"{benchmark} to {production}, n = {sizes}" + ("" if groups is None else ", clusters")
    asymptotic("transfer gap, lower end", world, low, trials, 0.05)
    asymptotic("transfer gap, upper end", world, high, trials, 0.05)


def test_the_gap_of_real_scores(asymptotic) -> None:
    rng = np.random.default_rng(13)
    trials, missed = 1500, 0
    for _ in range(trials):
        sides = []
        for n, drop in ((40, 0.05), (25, 0.2)):
            teacher = rng.beta(6, 2, n)
            student = teacher - drop + rng.normal(0, 0.1, n)
            sides.append(paired_difference(teacher, student))
        gap = difference_of_independent(sides[1], sides[0])
        missed += not gap.low <= -0.15 <= gap.high
    asymptotic("transfer gap of real scores", "n = (40, 25)", missed, trials, 0.05)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ((0.8, 0.8, 0.8, 0.8), (0.8, 0.8, 0.8, 0.8)),
        ((0.9, 0.8, 0.7, 0.6), (0.7, 0.7, 0.7, 0.7)),
        ((0.9, 0.8, 0.7, 0.6), (0.8, 0.9, 0.6, 0.7)),
        ((0.84, 0.82, 0.8, 0.78), (0.84, 0.82, 0.8, 0.78)),
    ],
)
def test_the_ranking_survives_only_where_it_is_shown(here, there, asymptotic) -> None:
    """No pair is called kept or reversed that is not; Kendall's tau lies in its interval."""
    rng = np.random.default_rng([int(100 * x) for x in (*here, *there)])
    trials, wrong, tau_missed, boot_missed = 250, 0, 0, 0
    names = [f"m{index}" for index in range(4)]
    suites = tuple(
        SuiteEntry(name=name, kind="generation", fingerprint=name, samples=1, metrics=("m",),
                   role=role)  # type: ignore[arg-type]
        for name, role in (("b", "benchmark"), ("p", "production"))
    )  # fmt: skip
    truth = {
        (a, b): np.sign(here[a] - here[b]) * np.sign(there[a] - there[b])
        for a in range(4)
        for b in range(a + 1, 4)
    }
    tau = sum(truth.values()) / len(truth)
    for _ in range(trials):
        scores = (correlated(rng, here, 200), correlated(rng, there, 150))
        (found,) = transfers(
            suites, sheets=[sheet(scores[0], "b"), sheet(scores[1], "p")],
            students=[student(name) for name in names], rivals=names, metrics={"m": METRIC},
            confidence=0.9,
        )  # fmt: skip
        signs = {"kept": 1, "reversed": -1}
        wrong += any(
            item.verdict in signs
            and truth[int(item.first[1]), int(item.second[1])] != signs[item.verdict]
            for item in found.ranking
        )
        tau_missed += not found.kendall.low <= tau <= found.kendall.high
        if here == there:
            low, high = np.quantile(bootstrap_tau(rng, scores, names), (0.05, 0.95))
            boot_missed += not low <= tau <= high
    world = f"{here} to {there}"
    asymptotic("ranking, any pair called wrongly", world, wrong, trials, 0.1)
    asymptotic("Kendall's tau, outside its interval", world, tau_missed, trials, 0.1)
    if here == there and tau == 1:
        # Why it is no percentile bootstrap: noise swaps ranks, so resampled tau is too small.
        with pytest.raises(AssertionError, match="promised at most"):
            asymptotic("control: tau, percentile bootstrap", world, boot_missed, trials, 0.1)


def bootstrap_tau(rng, scores, names) -> np.ndarray:
    """Kendall's tau of 100 resamples of both suites."""
    means = []
    for side in scores:
        data = np.stack([side[name] for name in names])
        n = data.shape[1]
        means.append(rng.multinomial(n, np.full(n, 1 / n), size=100) @ data.T / n)
    pairs = [(a, b) for a in range(len(names)) for b in range(a + 1, len(names))]
    orders = [np.sign(m[:, a] - m[:, b]) for a, b in pairs for m in means]
    return np.mean([x * y for x, y in zip(orders[::2], orders[1::2], strict=True)], axis=0)


@pytest.mark.parametrize(("k", "n", "groups"), [(8, 120, None), (20, 200, None), (8, 300, 60)])
def test_the_best_checkpoint_is_judged_by_samples_without_a_say(k, n, groups, asymptotic) -> None:
    """All checkpoints are equally good; the naive estimate of the best one is too high."""
    rng = np.random.default_rng([k, n, 14])
    trials, missed, naive = 400, 0, 0
    codes = None if groups is None else np.repeat(np.arange(groups), n // groups)
    names = [f"m{index}" for index in range(k)]
    for trial in range(trials):
        scores = correlated(rng, [0.8] * k, n, groups)
        table = sheet({"t": np.ones(n), **scores}, codes=codes)
        best = checkpoint_figures(
            table, names, None, teacher="t", metric=METRIC, confidence=0.9, seed=trial
        ).best
        assert best.score is not None
        missed += best.score.low > 0.8
        winner = mean(scores[best.on_all], clusters=codes, confidence=0.9)
        naive += winner.low > 0.8
    world = f"{k} equal checkpoints, n = {n}" + ("" if groups is None else f", {groups} clusters")
    asymptotic("best checkpoint, held-out half, too high", world, missed, trials, 0.05)
    with pytest.raises(AssertionError, match="promised at most"):
        asymptotic("control: best of all on the same samples", world, naive, trials, 0.05)
