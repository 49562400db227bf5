"""What must hold of every public statistic, whatever the scores."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.stats import (
    Interval,
    agreement,
    cohen_kappa,
    confidence_figures,
    flip_table,
    mean,
    paired_difference,
    paired_quantile_ratio,
    quantile,
    retention,
    retention_p_value,
    strict_difference,
    strict_mean,
    strict_retention,
    zero_flip_floor,
)

# Counts of both right, student only, teacher only, both wrong.
counts = st.tuples(*[st.integers(0, 40)] * 4).filter(lambda c: sum(c) > 0)
unit = st.floats(0, 1, allow_subnormal=False).map(lambda x: round(x, 4))
reals = st.lists(st.tuples(unit, unit), min_size=1, max_size=30)
FIGURES = {
    "retention": retention,
    "difference": paired_difference,
    "strict retention": strict_retention,
    "strict difference": strict_difference,
}


def scores(table) -> tuple[np.ndarray, np.ndarray]:
    cells = np.repeat(np.arange(4), table)
    return (cells % 2 == 0).astype(float), (cells < 2).astype(float)


def ends(found: Interval) -> tuple[float, float, float]:
    """Estimate and ends; what nothing bounds is infinite."""
    low = -math.inf if found.low is None else found.low
    high = math.inf if found.high is None else found.high
    return (math.nan if found.estimate is None else found.estimate), low, high


def no_nan(found: object) -> None:
    for field in fields(found):
        value = getattr(found, field.name)
        assert not (isinstance(value, float) and not math.isfinite(value)), (field.name, value)


@settings(deadline=None, max_examples=40)
@given(table=counts, name=st.sampled_from(sorted(FIGURES)))
def test_clusters_of_one_sample_are_no_clusters(table, name: str) -> None:
    """The same estimate; ends with t instead of normal, hence as wide or wider, and no narrower."""
    teacher, student = scores(table)
    free = FIGURES[name](teacher, student)
    alone = FIGURES[name](teacher, student, clusters=np.arange(len(teacher)))
    if free.estimate is None or len(teacher) < 3:
        return
    assert alone.estimate == pytest.approx(free.estimate)
    if name.startswith("strict"):
        return
    _, low, high = ends(free)
    _, low_alone, high_alone = ends(alone)
    assert low_alone <= low + 1e-7
    assert high_alone >= high - 1e-7


@settings(deadline=None, max_examples=60)
@given(table=counts, reason=st.sampled_from(["low", "high"]))
def test_a_concordant_sample_never_hurts_the_difference(table, reason: str) -> None:
    """One more sample that both get right shrinks the interval's distance from 0."""
    both, gained, lost, neither = table
    before = paired_difference(*scores(table))
    after = paired_difference(*scores((both + 1, gained, lost, neither)))
    if reason == "low" and lost >= gained:
        assert after.low >= before.low - 1e-7
    if reason == "high" and gained >= lost:
        assert after.high <= before.high + 1e-7


@settings(deadline=None, max_examples=60)
@given(table=counts)
def test_a_sample_that_both_get_right_never_lowers_a_losing_retention(table) -> None:
    """Where the student has lost at least as much as it gained, agreement is evidence for it."""
    both, gained, lost, neither = table
    if lost < gained or both + lost == 0:
        return
    _, before, _ = ends(retention(*scores(table)))
    _, after, _ = ends(retention(*scores((both + 1, gained, lost, neither))))
    assert after >= before - 1e-7


@settings(deadline=None, max_examples=60)
@given(table=counts, name=st.sampled_from(sorted(FIGURES)))
def test_a_better_student_has_higher_ends(table, name: str) -> None:
    """A loss turned into a sample that both get right."""
    both, gained, lost, neither = table
    if lost == 0 or name.startswith("strict"):
        return
    worse = ends(FIGURES[name](*scores(table)))
    better = ends(FIGURES[name](*scores((both + 1, gained, lost - 1, neither))))
    assert better[1] >= worse[1] - 1e-7
    assert better[2] >= worse[2] - 1e-7


@settings(deadline=None, max_examples=60)
@given(table=counts, thresholds=st.tuples(st.floats(0.3, 0.99), st.floats(0.3, 0.99)))
def test_a_wider_margin_is_easier_to_pass(table, thresholds) -> None:
    """The p-value falls with the threshold, and sits in [0, 1]."""
    low, high = sorted(thresholds)
    easy, hard = (retention_p_value(*scores(table), threshold=x) for x in (low, high))
    assert 0 <= easy <= hard + 1e-12
    assert hard <= 1


@settings(deadline=None, max_examples=60)
@given(pairs=reals, factor=st.sampled_from([0.25, 0.5]))
def test_a_score_in_other_units_has_the_same_retention(pairs, factor: float) -> None:
    """Retention is free of scale, the difference has that of the scores."""
    teacher, student = np.array(pairs).T
    if teacher.mean() < 0.05 or np.ptp(teacher) < 0.01 or np.ptp(student) < 0.01:
        return
    one, scaled = retention(teacher, student), retention(factor * teacher, factor * student)
    if one.method != scaled.method or "betting" in one.method:
        return
    assert ends(scaled) == pytest.approx(ends(one), rel=1e-6, nan_ok=True)
    one, scaled = (paired_difference(f * teacher, f * student) for f in (1.0, factor))
    if one.method == scaled.method and "betting" not in one.method:
        assert ends(scaled) == pytest.approx([factor * x for x in ends(one)], rel=1e-6, abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(table=counts, size=st.integers(1, 5), label=st.integers(1, 1000))
def test_names_and_order_of_clusters_do_not_matter(table, size: int, label: int) -> None:
    teacher, student = scores(table)
    codes = np.arange(len(teacher)) // size
    names = label + 7 * (codes.max() - codes)
    order = np.random.default_rng(label).permutation(len(teacher))
    one = retention(teacher, student, clusters=codes)
    other = retention(teacher[order], student[order], clusters=names[order])
    assert ends(other) == pytest.approx(ends(one), rel=1e-5, abs=1e-7, nan_ok=True)
    assert other.clusters == one.clusters


@settings(deadline=None, max_examples=60)
@given(
    answers=st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=40),
    seed=st.integers(0, 1000),
)
def test_names_of_labels_do_not_matter(answers, seed: int) -> None:
    """Flips, agreement and kappa of permuted labels and samples."""
    rng = np.random.default_rng(seed)
    reference, teacher, student = np.array(answers).T
    renamed = rng.permutation(4)
    order = rng.permutation(len(reference))
    r, t, s = (renamed[x][order] for x in (reference, teacher, student))
    one, other = cohen_kappa(teacher, student), cohen_kappa(t, s)
    assert (one is None) == (other is None)
    assert one is None or other == pytest.approx(one)
    assert agreement(t == s) == agreement(teacher == student)
    mine = flip_table(teacher == reference, student == reference)
    assert flip_table(t == r, s == r) == mine


@settings(deadline=None, max_examples=50)
@given(pairs=reals, confidence=st.floats(0.5, 0.999), clustered=st.booleans())
def test_nothing_is_nan_and_more_confidence_is_wider(pairs, confidence, clustered) -> None:
    """Every interval of one or two score columns."""
    teacher, student = np.array(pairs).T
    codes = np.arange(len(teacher)) // 2 if clustered else None
    for function, arguments in (
        *((f, (teacher, student)) for f in FIGURES.values()),
        (mean, (student,)),
        (strict_mean, (student,)),
    ):
        found = function(*arguments, clusters=codes, confidence=confidence)
        no_nan(found)
        wider = function(*arguments, clusters=codes, confidence=1 - (1 - confidence) / 2)
        _, low, high = ends(found)
        _, lower, higher = ends(wider)
        if found.method == wider.method and "betting" not in found.method:
            assert lower <= low + 1e-7
            assert higher >= high - 1e-7
        if None in (found.estimate, found.low, found.high):
            assert found.reason


@settings(deadline=None, max_examples=40)
@given(
    times=st.lists(st.tuples(st.floats(0.01, 10), st.floats(0.01, 10)), min_size=1, max_size=40),
    q=st.sampled_from([0.5, 0.9]),
    seed=st.integers(0, 100),
)
def test_quantiles_of_times_are_finite_and_free_of_order(times, q: float, seed: int) -> None:
    teacher, student = np.array(times).T
    order = np.random.default_rng(seed).permutation(len(teacher))
    assert quantile(teacher[order], q) == quantile(teacher, q)
    found = paired_quantile_ratio(student, teacher, q, rng=np.random.default_rng(1), resamples=50)
    no_nan(found)


@settings(deadline=None, max_examples=25)
@given(
    claims=st.lists(st.tuples(unit, st.booleans()), min_size=1, max_size=40),
)
def test_calibration_figures_have_no_nan(claims) -> None:
    """Ties, zeros, ones, one class and a single sample."""
    claimed, right = (np.array(column) for column in zip(*claims, strict=True))
    found = confidence_figures(
        claimed, right.astype(bool), np.random.default_rng(0), simulations=19
    )
    for field in fields(found):
        item = getattr(found, field.name)
        if hasattr(item, "__dataclass_fields__"):
            no_nan(item)


@settings(deadline=None, max_examples=60)
@given(
    thresholds=st.tuples(st.floats(0.5, 0.99), st.floats(0.5, 0.99)),
    rate=st.floats(0.3, 1.0),
)
def test_a_tighter_threshold_needs_more_samples(thresholds, rate: float) -> None:
    low, high = sorted(thresholds)
    assert zero_flip_floor(low, rate, level=0.95) <= zero_flip_floor(high, rate, level=0.95)
