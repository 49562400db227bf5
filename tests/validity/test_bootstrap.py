"""Error rates of the paired cluster bootstrap of scores that are no mean."""

import numpy as np
import pytest

from kdeval.stats.sets.aggregates import class_sums, value_of
from kdeval.stats.sets.bootstrap import paired_bootstrap

pytestmark = pytest.mark.validity

RESAMPLES = 300
TRIALS = 110
UNBALANCED = np.array([0.6, 0.25, 0.1, 0.04, 0.01])
MANY = 1 / np.arange(1, 21) / (1 / np.arange(1, 21)).sum()


def joint(shares: np.ndarray, right: tuple[float, float], copies: float) -> np.ndarray:
    """P(reference, teacher's output, student's output): errors fall on other classes by their
    shares, and a part of the answers are copies of the teacher's.
    """
    classes = len(shares)
    table = np.zeros((classes, classes, classes))
    for reference in range(classes):
        others = np.where(np.arange(classes) == reference, 0.0, shares)
        others /= others.sum()
        sides = []
        for rate in right:
            p = others * (1 - rate)
            p[reference] = rate
            sides.append(p)
        copied = np.diag(sides[0])
        table[reference] = copies * copied + (1 - copies) * np.outer(*sides)
        table[reference] *= shares[reference]
    return table


def truth(aggregate: str, table: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Scores of teacher and student in the world; classes without a sample do not count."""
    codes = np.stack(np.unravel_index(np.arange(table.size), table.shape), axis=1)
    cells = np.arange(table.size)
    found = []
    for side in (1, 2):
        sums = class_sums(
            codes[:, 0], codes[:, side], cells, n_units=table.size, classes=len(table)
        )
        seen = np.zeros(sums.shape[1])
        seen[2 * (len(table) + 1) + present] = 1
        found.append(value_of(aggregate, seen)(table.ravel() @ sums))
    return np.array(found)


# Close: a student that differs on half a percent. One class of a hundredth has a handful of
# samples, and often not one flip.
@pytest.mark.parametrize("aggregate", ["macro_f1", "mcc"])
@pytest.mark.parametrize("n", [100, 500, 2000])
@pytest.mark.parametrize(
    ("world", "table"),
    [
        ("2 classes, 5 %", joint(np.array([0.95, 0.05]), (0.95, 0.93), 0.7)),
        ("5 classes to 1 %", joint(UNBALANCED, (0.9, 0.85), 0.7)),
        ("5 classes, close", joint(UNBALANCED, (0.97, 0.965), 0.9)),
        ("20 classes", joint(MANY, (0.85, 0.8), 0.7)),
    ],
)
def test_classes(world: str, table: np.ndarray, n: int, aggregate: str, asymptotic) -> None:
    rng = np.random.default_rng([n, table.size, len(aggregate), int(1e6 * table[0, 0, 0])])
    trials, errors = TRIALS, np.zeros(4, dtype=int)
    for _ in range(trials):
        cells = rng.choice(table.size, n, p=table.ravel())
        reference, teacher, student = np.unravel_index(cells, table.shape)
        t, s = truth(aggregate, table, np.unique(reference))
        found = paired_bootstrap(
            aggregate,
            np.stack([reference, teacher], axis=1),
            np.stack([reference, student], axis=1),
            rng=rng,
            resamples=RESAMPLES,
        )
        errors += misses(found, t, s)
    record(asymptotic, aggregate, f"{world}, n = {n}", errors, trials)


def test_percentiles_of_plain_resamples_fail(asymptotic) -> None:
    """Control: where the student seldom differs, resampled samples show no loss at all."""
    rng = np.random.default_rng(12)
    table = joint(UNBALANCED, (0.97, 0.965), 0.9)
    n, errors = 100, 0
    for _ in range(TRIALS):
        cells = rng.choice(table.size, n, p=table.ravel())
        codes = np.stack(np.unravel_index(cells, table.shape), axis=1)
        t, s = truth("macro_f1", table, np.unique(codes[:, 0]))
        sums = [
            class_sums(codes[:, 0], codes[:, side], np.arange(n), n_units=n, classes=5)
            for side in (1, 2)
        ]
        drawn = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
        value = value_of("macro_f1", sums[0].sum(axis=0))
        ratios = value(drawn @ sums[1]) / value(drawn @ sums[0])
        errors += np.quantile(ratios, 0.025) > s / t
    with pytest.raises(AssertionError, match="promised at most"):
        asymptotic(
            "control: macro_f1, plain percentiles, too high",
            f"5 classes, close, n = {n}", errors, TRIALS, 0.025,
        )  # fmt: skip


@pytest.mark.parametrize("aggregate", ["macro_f1", "mcc"])
@pytest.mark.parametrize("groups", [20, 50, 200])
def test_classes_in_clusters(groups: int, aggregate: str, asymptotic) -> None:
    """Samples of a cluster share whether the models are at their best."""
    rng = np.random.default_rng([groups, len(aggregate), 8])
    shares = np.array([0.6, 0.3, 0.1])
    good, bad = joint(shares, (0.98, 0.97), 0.9), joint(shares, (0.7, 0.6), 0.5)
    whole = (good + bad) / 2
    t, s = truth(aggregate, whole, np.arange(3))
    trials, errors = TRIALS, np.zeros(4, dtype=int)
    for _ in range(trials):
        sizes = rng.integers(2, 12, groups)
        clusters = np.repeat(np.arange(groups), sizes)
        in_bad = (rng.random(groups) < 0.5)[clusters]
        cells = np.where(
            in_bad,
            rng.choice(bad.size, len(clusters), p=bad.ravel()),
            rng.choice(good.size, len(clusters), p=good.ravel()),
        )
        reference, teacher, student = np.unravel_index(cells, good.shape)
        found = paired_bootstrap(
            aggregate,
            np.stack([reference, teacher], axis=1),
            np.stack([reference, student], axis=1),
            clusters=clusters,
            rng=rng,
            resamples=RESAMPLES,
        )
        errors += misses(found, t, s)
    record(asymptotic, aggregate, f"{groups} clusters", errors, trials)


@pytest.mark.parametrize("n", [50, 100, 500, 2000])
@pytest.mark.parametrize(("world", "rates"), [("", (0.08, 0.1)), ("few errors", (0.004, 0.006))])
def test_word_error_rate(world: str, rates: tuple[float, float], n: int, asymptotic) -> None:
    """Edits of texts of very different lengths, errors in bursts, half of them shared."""
    rng = np.random.default_rng([n, len(world), 9])
    trials, errors, decided = TRIALS, np.zeros(4, dtype=int), 0
    for _ in range(trials):
        words = 1 + rng.geometric(1 / 12, n)
        hard = rng.gamma(0.5, 2, n)
        shared = rng.poisson(words * hard * rates[0] / 2)
        teacher = shared + rng.poisson(words * hard * rates[0] / 2)
        student = shared + rng.poisson(words * hard * (rates[1] - rates[0] / 2))
        found = paired_bootstrap(
            "ratio_of_sums",
            np.stack([teacher, words], axis=1),
            np.stack([student, words], axis=1),
            rng=rng,
            resamples=RESAMPLES,
        )
        errors += misses(found, *rates)
        decided += found.difference(0.95).reason is None
    name = f"n = {n}" + (f", {world}" if world else "")
    record(asymptotic, "WER", name, errors, trials)
    assert decided > trials / 2 or (world and n <= 100)


@pytest.mark.parametrize("groups", [None, 30, 100])
def test_perplexity(groups: int | None, asymptotic) -> None:
    """Log-losses a token that vary by text and, with clusters, by document."""
    rng = np.random.default_rng([groups or 0, 10])
    n, trials, errors = 300, TRIALS, np.zeros(4, dtype=int)
    clusters = None if groups is None else np.arange(n) % groups
    expected = np.exp([2.5, 2.6])
    for _ in range(trials):
        tokens = 20 + rng.poisson(60, n)
        own = rng.gamma(25, 0.1, n) - 2.5
        if clusters is not None:
            own = 0.5 * own + (rng.gamma(25, 0.08, groups) - 2.0)[clusters]
        extra = 0.1 + rng.normal(0, 0.1, n) + 0.1 * own
        found = paired_bootstrap(
            "exp_ratio_of_sums",
            np.stack([tokens * (2.5 + own), tokens], axis=1),
            np.stack([tokens * (2.5 + own + extra), tokens], axis=1),
            clusters=clusters,
            rng=rng,
            resamples=RESAMPLES,
        )
        errors += misses(found, *expected)
    world = f"{n} texts" + (f" of {groups} documents" if groups else "")
    record(asymptotic, "perplexity", world, errors, trials)


@pytest.mark.parametrize("n", [50, 200])
def test_bleu(n: int, asymptotic) -> None:
    """Texts drawn from a large stock of them, whose own BLEU is the truth."""
    rng = np.random.default_rng([n, 11])
    stock = [bleu_counts(rng, 100_000, share) for share in (0.75, 0.7)]
    value = value_of("bleu", stock[0][0])
    expected = [float(value(side.sum(axis=0))) for side in stock]
    trials, errors = TRIALS, np.zeros(4, dtype=int)
    for _ in range(trials):
        rows = rng.integers(0, 100_000, n)
        found = paired_bootstrap(
            "bleu", stock[0][rows], stock[1][rows], rng=rng, resamples=RESAMPLES
        )
        errors += misses(found, *expected)
    record(asymptotic, "BLEU", f"{n} texts", errors, trials)


def bleu_counts(rng: np.random.Generator, n: int, share: float) -> np.ndarray:
    """Matches that thin out with the order, in texts of different lengths and quality."""
    quality = rng.beta(8 * share, 8 * (1 - share), n)
    reference = 5 + rng.poisson(15, n)
    output = np.maximum(4, reference + rng.integers(-2, 3, n))
    totals = np.stack([output - order for order in range(4)], axis=1)
    matches = np.stack(
        [rng.binomial(totals[:, order], quality ** (1 + 0.6 * order)) for order in range(4)], axis=1
    )
    return np.concatenate([matches, totals, output[:, None], reference[:, None]], axis=1)


def misses(found, teacher: float, student: float) -> np.ndarray:
    """False passes and false fails of ratio, difference and score; False where unbounded."""
    ratio, difference, score = found.ratio(), found.difference(), found.student()
    return np.array(
        [
            ratio.low is not None and ratio.low > student / teacher,
            ratio.high is not None and ratio.high < student / teacher,
            difference.low is not None
            and not difference.low <= student - teacher <= difference.high,
            score.low is not None and not score.low <= student <= score.high,
        ]
    )


def record(asymptotic, name: str, world: str, errors: np.ndarray, trials: int) -> None:
    for what, count, nominal in zip(
        ("ratio, too high", "ratio, too low", "difference", "score"),
        errors,
        (0.025, 0.025, 0.05, 0.05),
        strict=True,
    ):
        asymptotic(f"{name}, bootstrap, {what}", world, count, trials, nominal)
