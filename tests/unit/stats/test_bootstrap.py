"""The paired bootstrap: scores as oracles give them, intervals that say nothing they cannot."""

import math

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, matthews_corrcoef

from kdeval.stats.sets.aggregates import LENGTHS, value_of
from kdeval.stats.sets.bootstrap import LEAST_UNITS, paired_bootstrap

CLASSES = st.integers(0, 3)


def answers(n: int, seed: int = 0, lost: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    reference = rng.integers(0, 4, n)
    teacher = np.where(rng.random(n) < 0.9, reference, rng.integers(0, 4, n))
    student = np.where(rng.random(n) < lost, rng.integers(-1, 4, n), teacher)
    return np.stack([reference, teacher], axis=1), np.stack([reference, student], axis=1)


def bootstrap(aggregate, teacher, student, **more):
    rng = np.random.default_rng(0)
    return paired_bootstrap(aggregate, teacher, student, rng=rng, resamples=200, **more)


def intervals(found):
    return found.teacher(), found.student(), found.difference(), found.ratio()


@pytest.mark.filterwarnings("ignore:A single label")
@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(CLASSES, CLASSES, CLASSES), min_size=1, max_size=40))
def test_scores_are_scikit_learns(rows: list[tuple[int, int, int]]) -> None:
    """Macro-F1 over the classes that references have; MCC 0 where it is 0 / 0."""
    table = np.array(rows)
    found = [
        bootstrap(name, table[:, [0, 1]], table[:, [0, 2]]).estimates
        for name in ("macro_f1", "mcc")
    ]
    for side in (0, 1):
        said = table[:, side + 1]
        present = np.unique(table[:, 0])
        expected = f1_score(table[:, 0], said, labels=present, average="macro", zero_division=0)
        assert found[0][side] == pytest.approx(expected)
        assert found[1][side] == pytest.approx(matthews_corrcoef(table[:, 0], said), abs=1e-12)


@settings(deadline=None, max_examples=25)
@given(
    rows=st.lists(st.tuples(CLASSES, CLASSES, CLASSES), min_size=1, max_size=60),
    names=st.permutations(range(4)),
    order=st.randoms(use_true_random=False),
)
def test_neither_order_nor_the_names_of_labels_matter(rows, names, order) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)
    renamed = np.array(names)[np.array(shuffled)]
    for name in ("macro_f1", "mcc"):
        one, other = (
            bootstrap(name, table[:, [0, 1]], table[:, [0, 2]])
            for table in (np.array(rows), renamed)
        )
        assert one.estimates == pytest.approx(other.estimates)
        for interval in intervals(one) + intervals(other):
            numbers = (interval.estimate, interval.low, interval.high)
            assert not any(math.isnan(number) for number in numbers if number is not None)
            assert interval.low is not None or interval.reason


def test_exchanged_models_have_the_mirrored_difference_and_the_inverse_ratio() -> None:
    teacher, student = answers(300)
    found = bootstrap("macro_f1", teacher, student)
    other = found.swapped
    assert other.difference().low == pytest.approx(-found.difference().high)
    assert other.ratio().estimate == pytest.approx(1 / found.ratio().estimate)
    assert other.ratio().low == pytest.approx(1 / found.ratio().high, rel=1e-6)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_a_ratio_ends_where_the_difference_to_it_is_undecided(confidence: float) -> None:
    found = bootstrap("mcc", *answers(400))
    ratio = found.ratio(confidence)
    assert ratio.low < ratio.estimate < ratio.high
    for theta, end in ((ratio.low, 0), (ratio.high, 1)):
        assert found._limits((-theta, 1.0), confidence)[end] == pytest.approx(0, abs=1e-8)
    assert (ratio.high < 1) == (found.difference(confidence).high < 0)


def test_more_confidence_is_wider() -> None:
    found = bootstrap("macro_f1", *answers(200))
    widths = [found.ratio(c).high - found.ratio(c).low for c in (0.8, 0.9, 0.95, 0.99)]
    assert widths == sorted(widths)


def test_models_that_never_differ_still_have_an_interval() -> None:
    """Index resampling would say [1, 1]; what was never seen may still happen."""
    teacher, _ = answers(200)
    for name in ("macro_f1", "mcc"):
        ratio = bootstrap(name, teacher, teacher).ratio()
        assert ratio.estimate == 1
        assert ratio.low < 0.99
        assert ratio.high > 1.01


def test_equal_sums_everywhere_bound_nothing() -> None:
    counts = np.tile([1.0, 10.0], (100, 1))
    found = bootstrap("ratio_of_sums", counts, counts)
    assert found.difference().estimate == 0
    assert found.difference().low is None
    assert "does not vary" in found.difference().reason


def test_one_sample_that_decides_all_decides_nothing() -> None:
    teacher = np.tile([1.0, 10.0], (100, 1))
    student = teacher.copy()
    student[7, 0] = 10
    difference = bootstrap("ratio_of_sums", teacher, student).difference()
    assert difference.estimate == pytest.approx(0.009)
    assert difference.low is None
    assert "decide it alone" in difference.reason


@pytest.mark.parametrize("n", [0, 1, 2, LEAST_UNITS - 1])
@pytest.mark.parametrize("aggregate", list(LENGTHS))
def test_too_few_samples_are_refused(n: int, aggregate) -> None:
    counts = np.ones((n, LENGTHS[aggregate]))
    for interval in intervals(bootstrap(aggregate, counts, counts)):
        assert interval.low is None
        assert interval.high is None
        assert interval.reason


def test_too_few_clusters_are_refused() -> None:
    teacher, student = answers(300)
    found = bootstrap("macro_f1", teacher, student, clusters=np.arange(300) % 10)
    assert found.student().estimate is not None
    assert found.student().low is None
    assert "10 clusters: a bootstrap needs at least 20" in found.student().reason


def test_nothing_to_divide_by_is_said() -> None:
    silent = np.zeros((50, 2))
    assert "divide by" in bootstrap("ratio_of_sums", silent, silent).difference().reason


def test_clusters_widen_and_copies_count_once() -> None:
    """Every sample five times, in clusters of its copies, has the interval of one copy."""
    teacher, student = answers(300)
    once = bootstrap("macro_f1", teacher, student).difference()
    copies = [np.repeat(side, 5, axis=0) for side in (teacher, student)]
    clustered = bootstrap("macro_f1", *copies, clusters=np.repeat(np.arange(300), 5)).difference()
    naive = bootstrap("macro_f1", *copies).difference()
    assert clustered.clusters == 300
    width = once.high - once.low
    assert clustered.high - clustered.low == pytest.approx(width, rel=0.15)
    assert naive.high - naive.low < 0.6 * width


def test_random_groups_stand_for_many_units() -> None:
    """More units than are drawn one by one: the spread is that of the samples themselves."""
    rng = np.random.default_rng(1)
    words = rng.integers(5, 30, 6000).astype(float)
    teacher = np.stack([rng.poisson(words * 0.1), words], axis=1)
    student = np.stack([rng.poisson(words * 0.12), words], axis=1)
    found = bootstrap("ratio_of_sums", teacher, student)
    error = np.std((student - teacher)[:, 0] - found.difference().estimate * words)
    error *= math.sqrt(6000) / words.sum()
    assert found.units == 1000
    assert found.difference().high - found.difference().low == pytest.approx(3.92 * error, rel=0.15)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a b", "a b c a b c d", "b a d c"]), st.text("abcd ")),
        min_size=1,
        max_size=6,
    )
)
def test_bleu_is_sacrebleus(texts: list[tuple[str, str]]) -> None:
    from kdeval.scorers.bleu import bleu_statistics

    counts = np.array(
        [bleu_statistics(output.split(), [reference.split()]) for reference, output in texts], float
    )
    expected = sacrebleu.corpus_bleu(
        [output for _, output in texts], [[reference for reference, _ in texts]], tokenize="none"
    )
    totals = counts.sum(axis=0)
    assert float(value_of("bleu", totals)(totals)) == pytest.approx(expected.score)


@pytest.mark.parametrize("wrong", [np.zeros((3, 5)), np.zeros(3), np.full((3, 2), np.nan)])
def test_statistics_of_another_shape_or_not_finite_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"shape|NaN"):
        bootstrap("macro_f1", wrong, wrong)
