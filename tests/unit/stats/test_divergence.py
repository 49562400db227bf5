"""Divergences of full distributions, and what top-k lists prove about them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr, softmax
from scipy.stats import entropy as scipy_entropy

from kdeval.stats.fidelity.divergence import (
    divergences,
    entropy,
    js_divergence,
    kl_divergence,
    total_variation,
)
from kdeval.stats.fidelity.top_k import top_k_bounds


def distributions(seed, n, k, spread=1.0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(k, spread), size=n) + 1e-300


@st.composite
def pairs(draw):
    k = draw(st.integers(2, 40))
    spread = draw(st.sampled_from([0.05, 0.3, 1.0, 20.0]))
    both = distributions(draw(st.integers(0, 10_000)), 2, k, spread)
    return both / both.sum(axis=1, keepdims=True)


def test_they_agree_with_scipy():
    p, q = distributions(1, 200, 12), distributions(2, 200, 12)
    lp, lq = np.log(p), np.log(q)
    np.testing.assert_allclose(kl_divergence(lp, lq), rel_entr(p, q).sum(axis=1), rtol=1e-9)
    oracle = [jensenshannon(a, b, base=2) ** 2 for a, b in zip(p, q, strict=True)]
    np.testing.assert_allclose(js_divergence(lp, lq), oracle, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(entropy(lp), scipy_entropy(p, axis=1), rtol=1e-12)
    np.testing.assert_allclose(total_variation(lp, lq), np.abs(p - q).sum(axis=1) / 2)


def test_a_temperature_raises_to_its_inverse_and_renormalises():
    p, q = distributions(3, 20, 5), distributions(4, 20, 5)
    found = divergences(np.log(p), np.log(q), temperature=4)
    p4, q4 = p**0.25, q**0.25
    p4, q4 = p4 / p4.sum(axis=1, keepdims=True), q4 / q4.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.kl, rel_entr(p4, q4).sum(axis=1), rtol=1e-9)
    assert (found.teacher_entropy > divergences(np.log(p), np.log(q)).teacher_entropy).all()


def test_probabilities_too_small_for_a_float_still_count():
    p = np.array([[math.log(0.5), math.log(0.5), -2000.0]])
    q = np.array([[math.log(0.5), -1000.0, math.log(0.5)]])
    assert kl_divergence(p, q)[0] == pytest.approx(0.5 * (math.log(0.5) + 1000))


def test_an_impossible_answer_is_infinite_for_kl_and_finite_for_the_others():
    p, q = np.log([[0.5, 0.5]]), np.array([[0.0, -np.inf]])
    found = divergences(p, q)
    assert found.kl[0] == np.inf
    assert found.tv[0] == 0.5
    assert 0 < found.js[0] < 1
    assert divergences(q, p).kl[0] == pytest.approx(math.log(2))
    assert found.student_entropy[0] == 0


@settings(max_examples=80)
@given(pairs())
def test_pinsker_symmetry_and_range(both):
    lp, lq = np.log(both[:1]), np.log(both[1:])
    there, back = divergences(lp, lq), divergences(lq, lp)
    assert there.js[0] == pytest.approx(back.js[0], abs=1e-12)
    assert there.tv[0] == pytest.approx(back.tv[0], abs=1e-12)
    assert there.kl[0] >= 2 * there.tv[0] ** 2 - 1e-12
    assert there.tv[0] ** 2 / (2 * math.log(2)) - 1e-12 <= there.js[0] <= there.tv[0] + 1e-12
    assert divergences(lp, lp).kl[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("p", "q", "said"),
    [
        ([[0.0]], [[0.0, -np.inf]], "must be the same"),
        ([0.0], [0.0], "shape"),
        ([[np.nan, 0.0]], [[0.0, -np.inf]], "NaN"),
        ([[0.5, -1.0]], [[0.0, -np.inf]], "above 0"),
        ([[-1.0, -1.0]], [[0.0, -np.inf]], "sum to 1"),
    ],
)
def test_what_is_no_distribution_is_refused(p, q, said):
    with pytest.raises(ValueError, match=said):
        divergences(p, q)


def top(row, k):
    """The k likeliest tokens of a distribution with their log-probabilities."""
    return {int(i): float(np.log(row[i])) for i in np.argsort(-row)[:k]}


@settings(max_examples=300)
@given(pairs(), st.integers(1, 10), st.integers(1, 10))
def test_top_k_bounds_always_hold(both, first, second):
    found = top_k_bounds(top(both[0], first), top(both[1], second))
    lp, lq = np.log(both[:1]), np.log(both[1:])
    truth = divergences(lp, lq)
    assert found.kl_low <= truth.kl[0] + 1e-9
    assert found.js_low - 1e-9 <= truth.js[0] <= found.js_high + 1e-9
    assert found.tv_low - 1e-9 <= truth.tv[0] <= found.tv_high + 1e-9


@settings(max_examples=80)
@given(pairs())
def test_the_whole_list_leaves_nothing_open(both):
    k = both.shape[1]
    found = top_k_bounds(top(both[0], k), top(both[1], k))
    truth = divergences(np.log(both[:1]), np.log(both[1:]))
    assert found.known == k
    assert found.js_low == pytest.approx(truth.js[0], abs=1e-9)
    assert found.js_high == pytest.approx(truth.js[0], abs=1e-9)
    assert found.tv_high == pytest.approx(truth.tv[0], abs=1e-9)
    assert found.kl_low == pytest.approx(truth.kl[0], abs=1e-6)


def test_lists_without_a_common_token_prove_nothing():
    found = top_k_bounds({"a": math.log(0.9)}, {"b": math.log(0.9)})
    assert (found.known, found.kl_low, found.js_low, found.tv_low) == (0, 0.0, 0.0, 0.0)
    assert (found.js_high, found.tv_high) == (1.0, 1.0)


def test_renormalising_the_lists_is_no_bound():
    """It exceeds the true divergence in a good part of cases, which a bound may never do."""
    rng, exceeded = np.random.default_rng(0), 0
    for _ in range(500):
        logits = 2 * rng.normal(size=50)
        p, q = softmax(logits), softmax(logits + 0.5 * rng.normal(size=50))
        first, second = top(p, 20), top(q, 20)
        shared = [i for i in first if i in second]
        truth = float(rel_entr(p, q).sum())
        a, b = p[shared] / p[shared].sum(), q[shared] / q[shared].sum()
        exceeded += float(rel_entr(a, b).sum()) > truth
        assert top_k_bounds(first, second).kl_low <= truth + 1e-12
    assert 0.07 < exceeded / 500 < 0.27


def test_rounding_in_an_api_never_makes_a_bound_infinite():
    """The student's list sums to one by rounding; the teacher's leaves a rest."""
    found = top_k_bounds({"a": math.log(0.99)}, {"a": 0.0})
    assert 0 < found.kl_low < 0.2


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        ({"a": float("nan")}, "NaN"),
        ({"a": 0.3}, "above 0"),
        ({"a": math.log(0.9), "b": math.log(0.4)}, "sum to 1.3"),
    ],
)
def test_lists_that_are_no_part_of_a_distribution_are_refused(teacher, said):
    with pytest.raises(ValueError, match=said):
        top_k_bounds(teacher, {"a": -1.0})
