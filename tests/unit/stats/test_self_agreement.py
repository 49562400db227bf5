"""Agreement of two draws, of one model or of two."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.stats.fidelity.self_agreement import cross_agreement, pair_shares, self_agreement

_draws = st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=6), min_size=2, max_size=12)


def test_of_two_draws_each_it_is_the_share_of_samples_that_got_the_same_twice():
    found = self_agreement(np.array([[1, 1], [2, 3], [5, 5], [0, 0]]))
    assert found.estimate == pytest.approx(0.75)
    assert found.n == 4
    assert "Wilson" in found.method


def test_pairs_of_draws_are_counted_without_a_draw_against_itself():
    assert pair_shares([[1, 1, 2]])[0] == pytest.approx(1 / 3)


def test_samples_answered_once_do_not_count():
    found = self_agreement([[1], [2, 2], [3, 4], []])
    assert (found.estimate, found.n) == (0.5, 2)


def test_without_a_repeat_there_is_a_reason_and_no_number():
    found = self_agreement([[1], [2]])
    assert found.estimate is None
    assert found.reason == "no sample was answered more than once"
    assert self_agreement([]).estimate is None


def test_clusters_follow_their_samples():
    rng = np.random.default_rng(3)
    same = np.repeat(rng.integers(0, 2, 30), 8)
    draws = np.stack([np.zeros(240, dtype=int), 1 - same], axis=1)
    alone = self_agreement(draws)
    grouped = self_agreement(draws, clusters=np.repeat(np.arange(30), 8))
    assert grouped.clusters == 30
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_an_exact_copy_agrees_with_the_teacher_as_often_as_the_teacher_with_itself():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), size=4000)
    draw = lambda: np.array([rng.choice(4, size=3, p=row) for row in p])  # noqa: E731
    ceiling = self_agreement(draw())
    copy = cross_agreement(draw(), draw())
    truth = float((p**2).sum(axis=1).mean())
    for found in (ceiling, copy):
        assert found.low < truth < found.high


def test_cross_agreement_of_single_draws_is_plain_agreement():
    found = cross_agreement([[1], [2], [3]], [[1], [9], [3]])
    assert found.estimate == pytest.approx(2 / 3)


@settings(max_examples=60)
@given(_draws, st.permutations(range(4)))
def test_it_does_not_depend_on_order_or_names(draws, names):
    renamed = [[names[code] for code in reversed(row)] for row in reversed(draws)]
    first, second = self_agreement(draws), self_agreement(renamed)
    assert first.estimate == pytest.approx(second.estimate)
    assert first.low == pytest.approx(second.low)
    assert 0 <= first.low <= first.estimate <= first.high <= 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: self_agreement([[0.5, 0.5]]), "integer codes"),
        (lambda: pair_shares([[1]]), "a pair takes two"),
        (lambda: cross_agreement([[1]], []), "must be paired"),
        (lambda: self_agreement([[[1, 2]]]), "shape"),
    ],
)
def test_what_is_no_draw_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
