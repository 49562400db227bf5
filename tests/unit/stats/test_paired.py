"""Retention, paired difference and mean: oracles, edge cases, properties."""

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import _confint_riskratio_paired_nam

from kdeval.stats import Interval, mean, paired_difference, retention

PAIRED = [retention, paired_difference]


def pairs(a: int, b: int, c: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Teacher and student scores with these counts: both, student only, teacher only, neither."""
    teacher = np.repeat([1.0, 0.0, 1.0, 0.0], [a, b, c, d])
    student = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])
    return teacher, student


def assert_sound(interval: Interval) -> None:
    """No NaN, ends around the estimate, a reason for whatever is missing."""
    for field in fields(interval):
        value = getattr(interval, field.name)
        assert not (isinstance(value, float) and not math.isfinite(value))
    if interval.low is not None and interval.estimate is not None:
        assert interval.low <= interval.estimate + 1e-9
    if interval.high is not None and interval.estimate is not None:
        assert interval.high >= interval.estimate - 1e-9
    if None in (interval.estimate, interval.low, interval.high):
        assert interval.reason


@pytest.mark.parametrize("table", [(43, 1, 9, 1), (20, 0, 0, 5), (10, 3, 0, 2), (880, 30, 60, 30)])
def test_binary_retention_equals_statsmodels(table: tuple[int, int, int, int]) -> None:
    interval = retention(*pairs(*table), confidence=0.9)
    a, b, c, d = table
    oracle = _confint_riskratio_paired_nam([[a, b], [c, d]], alpha=0.1).confint
    assert (interval.low, interval.high) == pytest.approx([np.real(x) for x in oracle], rel=1e-5)
    assert interval.method == "paired score (Nam-Blackwelder)"


def test_tango_example() -> None:
    """Tango (1998), crossover trial of soft lenses: 43, 0, 1, 0 of 44, 95 % (-0.118, 0.059)."""
    interval = paired_difference(*pairs(43, 0, 1, 0))
    assert (interval.low, interval.high) == pytest.approx((-0.118, 0.061), abs=0.002)


def test_real_difference_equals_the_t_interval(rng: np.random.Generator) -> None:
    teacher, student = rng.random(40), rng.random(40)
    oracle = stats.ttest_rel(student, teacher).confidence_interval(0.9)
    interval = paired_difference(teacher, student, confidence=0.9)
    assert (interval.low, interval.high) == pytest.approx((oracle.low, oracle.high))


def test_fieller_ends_are_where_the_t_test_just_rejects(rng: np.random.Generator) -> None:
    teacher = rng.random(60)
    student = 0.8 * teacher + 0.1 * rng.standard_normal(60)
    interval = retention(teacher, student)
    assert interval.method == "Fieller t"
    for theta in (interval.low, interval.high):
        assert stats.ttest_1samp(student - theta * teacher, 0).pvalue == pytest.approx(0.05)


def test_clustered_real_scores_equal_cluster_robust_regression(rng: np.random.Generator) -> None:
    import statsmodels.api as sm

    codes = rng.integers(0, 12, 300)
    x = rng.random(300) + 0.5 * rng.random(12)[codes]
    fit = sm.OLS(x, np.ones(300)).fit(
        cov_type="cluster", cov_kwds={"groups": codes, "use_correction": False}, use_t=True
    )
    half = stats.t.isf(0.025, 11) * fit.bse[0] * math.sqrt(12 / 11)
    interval = mean(x, clusters=codes)
    assert (interval.low, interval.high) == pytest.approx((x.mean() - half, x.mean() + half))
    assert interval.clusters == 12


def test_zero_flips_do_not_collapse() -> None:
    """The zero-flip floors at T = .9 and one-sided 95 %: 28, 58 and 148 samples."""
    for threshold, floor in [(0.90, 28), (0.95, 58), (0.98, 148)]:
        for n, passes in [(floor - 1, False), (floor + 1, True)]:
            right = 0.9 * n
            low = retention(*pairs(math.floor(right), 0, 0, n - math.floor(right)), confidence=0.9)
            assert low.estimate == 1.0
            assert (low.low > threshold) is passes or abs(low.low - threshold) < 0.002


def test_zero_flips_in_clusters_count_clusters_not_samples() -> None:
    teacher, student = pairs(200, 0, 0, 0)
    codes = np.arange(200) // 20
    clustered = retention(teacher, student, clusters=codes)
    independent = retention(*pairs(10, 0, 0, 0))
    assert clustered.low < independent.low < 1
    assert clustered.clusters == 10


def test_copies_of_a_sample_carry_no_information() -> None:
    """Each pair repeated 7 times as one cluster: at least as wide as the pairs once, with t."""
    teacher, student = pairs(60, 5, 9, 20)
    codes = np.repeat(np.arange(94), 7)
    for function in PAIRED:
        once = function(teacher, student)
        repeated = function(np.repeat(teacher, 7), np.repeat(student, 7), clusters=codes)
        assert repeated.estimate == pytest.approx(once.estimate)
        assert repeated.high - repeated.low == pytest.approx(once.high - once.low, rel=0.04)
        assert repeated.high - repeated.low > once.high - once.low


def test_chance_correction_is_retention_of_the_excess(rng: np.random.Generator) -> None:
    teacher, student = rng.random((2, 80))
    shifted = retention(teacher - 0.2, student - 0.2)
    corrected = retention(teacher, student, chance=0.2)
    assert (corrected.low, corrected.high) == pytest.approx((shifted.low, shifted.high))
    binary = retention(*pairs(400, 20, 40, 140), chance=0.25)
    assert binary.estimate == pytest.approx((0.7 - 0.25) / (440 / 600 - 0.25))
    assert binary.low < binary.estimate < binary.high


def test_teacher_at_chance_is_refused() -> None:
    at_chance = retention(*pairs(10, 0, 0, 30), chance=0.25)
    assert at_chance.estimate is None
    assert at_chance.reason == "the teacher's mean score is not above chance"
    barely = retention(*pairs(12, 1, 1, 26), chance=0.25)
    assert barely.estimate is not None
    assert barely.low is None
    assert "not clearly above" in (barely.reason or "")


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("n", [1, 2, 30])
def test_constant_scores(value: float, n: int) -> None:
    scores = np.full(n, value)
    for interval in (retention(scores, scores), paired_difference(scores, scores), mean(scores)):
        assert_sound(interval)
    difference = paired_difference(scores, scores)
    assert difference.low < 0 < difference.high
    ratio = retention(scores, scores)
    if value == 0:
        assert ratio.estimate is None
    else:
        assert ratio.low < 1 < ratio.high


def test_identical_real_scores_use_betting_and_tighten_with_n(rng: np.random.Generator) -> None:
    widths = []
    for n in (20, 200, 2000):
        scores = rng.uniform(0.5, 1, n)
        interval = retention(scores, scores)
        assert interval.method.startswith("betting")
        widths.append(interval.high - interval.low)
    assert widths[0] > 3 * widths[1] > 9 * widths[2]


def test_constant_scores_outside_the_unit_interval_are_unknown() -> None:
    for interval in (retention([3.0, 3.0], [2.0, 2.0]), mean([5.0, 5.0, 5.0])):
        assert interval.low is None
        assert "do not vary" in (interval.reason or "")
        assert interval.estimate is not None


@pytest.mark.parametrize("function", PAIRED)
def test_no_samples_one_cluster_and_bad_input(function) -> None:
    assert function([], []).reason == "no samples"
    alone = function(*pairs(5, 1, 1, 1), clusters=np.zeros(8, dtype=int))
    assert (alone.low, alone.high) == (None, None)
    assert "one cluster" in (alone.reason or "")
    with pytest.raises(ValueError, match="must be paired"):
        function([1.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="NaN"):
        function([1.0, math.nan], [1.0, 0.0])
    with pytest.raises(ValueError, match="clusters must have shape"):
        function([1.0, 0.0], [1.0, 0.0], clusters=[1])
    with pytest.raises(ValueError, match="confidence"):
        function([1.0, 0.0], [1.0, 0.0], confidence=1.0)


binary_scores = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)
unit_scores = st.lists(
    st.tuples(st.floats(0, 1, width=16), st.floats(0, 1, width=16)), min_size=1, max_size=30
)


@settings(deadline=None, max_examples=60)
@given(
    scores=binary_scores | unit_scores,
    group=st.integers(1, 4),
    chance=st.sampled_from([0.0, 0.25]),
    seed=st.integers(0, 2**32 - 1),
)
def test_sound_and_independent_of_order(scores, group: int, chance: float, seed: int) -> None:
    """Whatever the scores: no NaN, estimate inside, and shuffling the samples changes nothing."""
    teacher, student = np.array(scores, dtype=float).T
    codes = np.arange(len(teacher)) // group
    order = np.random.default_rng(seed).permutation(len(teacher))
    for kwargs in ({"chance": chance}, None):
        function = retention if kwargs else paired_difference
        one = function(teacher, student, clusters=codes, **(kwargs or {}))
        other = function(teacher[order], student[order], clusters=codes[order], **(kwargs or {}))
        assert_sound(one)
        assert one.method == other.method
        for end in ("estimate", "low", "high"):
            mine, theirs = getattr(one, end), getattr(other, end)
            assert (mine is None) == (theirs is None)
            assert mine is None or mine == pytest.approx(theirs, rel=1e-4, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(scores=binary_scores | unit_scores, clustered=st.booleans())
def test_wider_at_higher_confidence(scores, clustered: bool) -> None:
    teacher, student = np.array(scores, dtype=float).T
    codes = np.arange(len(teacher)) // 2 if clustered else None
    for function in PAIRED:
        narrow = function(teacher, student, clusters=codes, confidence=0.8)
        wide = function(teacher, student, clusters=codes, confidence=0.95)
        if wide.low is not None and narrow.low is not None:
            assert wide.low <= narrow.low + 1e-9
        if wide.high is not None and narrow.high is not None:
            assert wide.high >= narrow.high - 1e-9


@settings(deadline=None, max_examples=60)
@given(scores=binary_scores)
def test_swapping_teacher_and_student_mirrors_the_interval(scores) -> None:
    teacher, student = np.array(scores, dtype=float).T
    one, other = paired_difference(teacher, student), paired_difference(student, teacher)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-8)
    ratio, inverse = retention(teacher, student), retention(student, teacher)
    if ratio.estimate and inverse.estimate:
        assert ratio.low * inverse.high == pytest.approx(1, rel=1e-6)


def test_marks_of_a_log_without_a_declared_range_are_right_or_wrong() -> None:
    """A log's own 0 and 1 get the intervals of rates, though its scores have no declared limits."""
    t, s = np.ones(60), np.ones(60)
    s[:3] = 0.0
    for method in (retention, paired_difference):
        assert method(t, s, limits=(None, None)) == method(t, s, limits=(0.0, 1.0))
    assert mean(s, limits=(None, None)) == mean(s, limits=(0.0, 1.0))
    losses = np.full(60, 0.2)
    assert mean(losses, limits=(None, None)).low is None
    assert mean(np.zeros(60), limits=(0.0, None)).high is None, "a loss that may be anything"
