"""A limited suite keeps the proportions of its slices, and grows without changing."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.records import Sample
from kdeval.suites import stratified_sample


def samples(**sizes):
    found = [
        Sample(
            id=f"{tag}{index}",
            suite="s",
            task="s",
            kind="generation",
            input="",
            slices={"tag": tag},
            content_hash="0",
        )
        for tag, size in sizes.items()
        for index in range(size)
    ]
    return found[::2] + found[1::2]


def counts(chosen):
    return Counter(sample.slices["tag"] for sample in chosen)


def test_proportions_are_kept():
    assert counts(stratified_sample(samples(a=700, b=200, c=100), 100, 0)) == {
        "a": 70,
        "b": 20,
        "c": 10,
    }


def test_a_small_stratum_has_one_as_long_as_n_allows():
    assert counts(stratified_sample(samples(a=9_990, b=9, c=1), 10, 0)) == {"a": 8, "b": 1, "c": 1}
    assert counts(stratified_sample(samples(a=50, b=30, c=1), 2, 0)) == {"a": 1, "b": 1}


def test_the_order_of_the_data_is_kept():
    population = samples(a=30, b=20)
    chosen = stratified_sample(population, 20, 3)
    assert list(chosen) == [sample for sample in population if sample in chosen]


def test_another_seed_chooses_others():
    population = samples(a=200)
    assert stratified_sample(population, 20, 0) != stratified_sample(population, 20, 1)


def test_the_choice_is_the_same_on_every_machine():
    """Pinned: it depends on a hash of seed, suite and id, not on Python's randomness."""
    chosen = stratified_sample(samples(a=8, b=4), 4, 0)
    assert sorted(sample.id for sample in chosen) == ["a2", "a5", "a7", "b1"]


def test_as_many_as_there_are_is_everything():
    population = samples(a=3)
    assert stratified_sample(population, 3, 0) == tuple(population)
    assert stratified_sample(population, 99, 0) == tuple(population)


def test_nothing_is_no_sample():
    with pytest.raises(ValueError, match="at least 1"):
        stratified_sample(samples(a=3), 0, 0)


SIZES = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 40), min_size=1)


@settings(deadline=None, max_examples=60)
@given(SIZES, st.integers(0, 5))
def test_a_larger_sample_contains_a_smaller_one(sizes, seed):
    population = samples(**sizes)
    before = set()
    for n in range(1, len(population) + 1):
        chosen = {sample.id for sample in stratified_sample(population, n, seed)}
        assert len(chosen) == n
        assert before < chosen or not before
        before = chosen


@settings(deadline=None, max_examples=60)
@given(SIZES, st.integers(0, 5), st.integers(1, 240))
def test_no_stratum_is_far_from_its_share(sizes, seed, n):
    """At least one of each as far as n goes; else within the strata's guarantee of the share."""
    population = samples(**sizes)
    n = min(n, len(population))
    chosen = counts(stratified_sample(population, n, seed))
    if n >= len(sizes):
        assert set(chosen) == set(sizes)
    for tag, size in sizes.items():
        share = n * size / len(population)
        assert abs(chosen[tag] - share) <= len(sizes)
