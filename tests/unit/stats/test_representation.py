"""Similarity of representations: oracles, limits, and what cannot be told."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon, pdist

from kdeval.stats.representation.attention import attention_rows, js_bits, match_heads
from kdeval.stats.representation.cka import biased_cka, debiased_cka, gram, u_centred
from kdeval.stats.representation.jackknife import jackknife, sample_groups
from kdeval.stats.representation.layers import LayerSimilarity, layer_similarity
from kdeval.stats.representation.mapping import ordered_mapping
from kdeval.stats.representation.relations import MOST_FOR_ANGLES, relation_similarity

Array = NDArray[np.float64]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def hsic_over_quadruples(k: Array, other: Array) -> float:
    """The U-statistic over all ordered quadruples of different samples, term by term."""
    total, count = 0.0, 0
    for i, j, q, r in permutations(range(len(k)), 4):
        total += k[i, j] * (other[i, j] + other[q, r] - 2 * other[i, q])
        count += 1
    return total / count


def song(k: Array, other: Array) -> float:
    """Song et al. (2012), equation 5."""
    n, ones = len(k), np.ones(len(k))
    a, b = k - np.diag(np.diag(k)), other - np.diag(np.diag(other))
    middle = (ones @ a @ ones) * (ones @ b @ ones) / ((n - 1) * (n - 2))
    last = 2 / (n - 2) * (ones @ a @ b @ ones)
    return float((np.trace(a @ b) + middle - last) / (n * (n - 3)))


def test_cka_is_that_of_the_unbiased_estimator(rng: np.random.Generator) -> None:
    """Inner products of U-centred matrices are HSIC as Song et al. and the U-statistic have it."""
    one, other = gram(rng.normal(size=(7, 5))), gram(rng.normal(size=(7, 3)) ** 3)
    n = 7
    inner = float((u_centred(one) * u_centred(other)).sum()) / (n * (n - 3))
    assert inner == pytest.approx(song(one, other), rel=1e-10)
    assert inner == pytest.approx(hsic_over_quadruples(one, other), rel=1e-10)
    expected = song(one, other) / np.sqrt(song(one, one) * song(other, other))
    assert debiased_cka(one, other) == pytest.approx(expected, rel=1e-10)


def test_rotation_scale_and_shift_change_nothing(rng: np.random.Generator) -> None:
    """CKA is 1 for the same representation turned, stretched and moved; not for another shape."""
    x = rng.normal(size=(30, 12))
    turned = 3 * x @ np.linalg.qr(rng.normal(size=(12, 12)))[0] + rng.normal(size=12)
    assert debiased_cka(gram(x), gram(x)) == pytest.approx(1, abs=1e-12)
    assert debiased_cka(gram(x), gram(turned)) == pytest.approx(1, abs=1e-12)
    bent = debiased_cka(gram(x), gram(x * np.linspace(0, 3, 12)))
    assert bent is not None
    assert bent < 0.95


def test_unrelated_representations_are_at_zero_where_the_biased_cka_is_far_above(
    rng: np.random.Generator,
) -> None:
    """In the mean over all ways to pair the samples it is 0 to rounding, at any n."""
    one, other = gram(rng.normal(size=(6, 400))), gram(rng.normal(size=(6, 300)))
    found = []
    for order in permutations(range(6)):
        value = debiased_cka(one, other[np.ix_(order, order)])
        assert value is not None
        found.append(value)
    assert np.mean(found) == pytest.approx(0, abs=1e-12)
    assert np.var(found) == pytest.approx(2 / (6 * 3), rel=1e-9)
    assert biased_cka(one, other) > 0.8


def test_what_is_represented_alike_has_no_cka() -> None:
    """A layer that tells no samples apart has no similarity, rather than one of 0."""
    flat = gram(np.ones((9, 4)) * 3.3)
    assert debiased_cka(flat, gram(np.eye(9))) is None
    with pytest.raises(ValueError, match="4 samples"):
        u_centred(np.eye(3))


def test_the_mapping_has_the_largest_sum_of_all_that_keep_the_order(
    rng: np.random.Generator,
) -> None:
    """Against every non-decreasing choice of columns."""
    for _ in range(20):
        table = rng.normal(size=(4, 5))
        ways = [
            (a, b, c, d)
            for a in range(5) for b in range(a, 5) for c in range(b, 5) for d in range(c, 5)
        ]  # fmt: skip
        best = max(ways, key=lambda way: sum(table[row, col] for row, col in enumerate(way)))
        assert tuple(ordered_mapping(table)) == best
    assert ordered_mapping(np.array([[0.1, 0.9], [0.8, 0.2]])) in ([0, 0], [1, 1])


def layers(rng: np.random.Generator, n: int, depth: int, width: int = 24) -> list[Array]:
    """Each layer adds something to the one before."""
    states = [rng.normal(size=(n, width))]
    for _ in range(depth):
        mixed = np.tanh(states[-1] @ rng.normal(size=(width, width)) / 3)
        states.append(states[-1] + 0.7 * mixed)
    return [gram(state) for state in states]


def similarity(teacher: list[Array], student: list[Array], **more: Any) -> LayerSimilarity:
    """Layers are numbered from 0."""
    return layer_similarity(dict(enumerate(teacher)), dict(enumerate(student)), **more)


def test_layers_that_were_left_out_are_found(rng: np.random.Generator) -> None:
    """A student of the teacher's layers but two: the mapping is the identity around them."""
    teacher = layers(rng, 60, 8)
    kept = [0, 1, 2, 4, 5, 7, 8]
    found = similarity(teacher, [teacher[i] for i in kept], rng=rng)
    assert [match.teacher for match in found.matches] == kept
    assert [match.nearest for match in found.matches] == kept
    assert all(match.as_near == (match.teacher,) for match in found.matches)
    assert found.mean is not None
    assert found.mean.estimate == pytest.approx(1)
    assert found.mean.reason is not None
    assert found.unrelated is not None
    assert 0 < found.unrelated < 0.25


def test_blocks_of_layers_change_nothing(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is computed a layer at a time equals what is computed at once."""
    teacher = layers(rng, 30, 4)
    student = [gram(rng.normal(size=(30, 5))) + part for part in teacher[1:]]
    whole = similarity(teacher, student, rng=np.random.default_rng(1))
    monkeypatch.setattr("kdeval.stats.representation.layers._BLOCK_BYTES", 1)
    parted = similarity(teacher, student, rng=np.random.default_rng(1))
    assert np.array(parted.table) == pytest.approx(np.array(whole.table), abs=1e-12)
    assert parted.unrelated == pytest.approx(whole.unrelated)
    for one, other in zip(parted.matches, whole.matches, strict=True):
        assert (one.teacher, one.nearest, one.as_near) == (
            other.teacher, other.nearest, other.as_near,
        )  # fmt: skip
        assert (one.cka.low, one.cka.high) == pytest.approx((other.cka.low, other.cka.high))


def test_a_layer_that_tells_nothing_apart_is_left_out_of_the_mapping(
    rng: np.random.Generator,
) -> None:
    """It has no entry in the table; the others are compared."""
    teacher = [np.zeros((20, 20)), *layers(rng, 20, 2)]
    found = similarity(teacher, teacher, rng=rng)
    assert found.table[0] == (None,) * 4
    assert [match.student for match in found.matches] == [1, 2, 3]
    nothing = similarity([np.zeros((20, 20))], teacher, rng=rng)
    assert (nothing.matches, nothing.mean, nothing.unrelated) == ((), None, None)
    with pytest.raises(ValueError, match="8 samples"):
        similarity(layers(rng, 6, 1), layers(rng, 6, 1), rng=rng)


def test_clusters_widen_the_interval(rng: np.random.Generator) -> None:
    """Samples that come five at a time say less than as many that are independent."""
    groups = np.repeat(np.arange(12), 5)
    x = rng.normal(size=(12, 6))[groups] + 0.05 * rng.normal(size=(60, 6))
    y = x * np.array([1, 1, 1, 0.3, 0.3, 0]) + 0.2 * rng.normal(size=(12, 6))[groups]
    sides = [gram(x)], [gram(y)]
    alone, clustered = (
        similarity(*sides, rng=np.random.default_rng(0), clusters=codes).mean
        for codes in (None, groups)
    )
    assert alone is not None
    assert clustered is not None
    assert (alone.clusters, clustered.clusters) == (None, 12)
    assert clustered.low < alone.low < alone.estimate < alone.high < clustered.high  # type: ignore[operator]


def test_groups_part_no_cluster_and_are_of_nearly_equal_size(rng: np.random.Generator) -> None:
    """Twenty-five of them, or as many as there are clusters."""
    sizes = np.bincount(sample_groups(103, None, rng))
    assert (len(sizes), sizes.min(), sizes.max()) == (25, 4, 5)
    clusters = np.repeat(np.arange(9), 3)
    found = sample_groups(27, clusters, rng)
    assert len(set(zip(clusters, found, strict=True))) == 9
    assert np.bincount(found).tolist() == [3] * 9


def test_a_jackknife_of_a_mean_is_its_t_interval(rng: np.random.Generator) -> None:
    """Leaving out one by one gives the textbook standard error."""
    x = rng.normal(size=25)
    without = [(x.sum() - value) / 24 for value in x]
    found = jackknife(float(x.mean()), without, n=25, confidence=0.95)
    half = 2.0638985616280205 * x.std(ddof=1) / 5
    assert (found.low, found.high) == pytest.approx((x.mean() - half, x.mean() + half))
    few = jackknife(0.5, [0.4, 0.6], n=2, confidence=0.95)
    assert (few.low, few.estimate) == (None, 0.5)


def test_relations_are_those_of_pairs_and_triples(rng: np.random.Generator) -> None:
    """Distances over their mean and cosines at each sample, against scipy and by hand."""
    x, y = rng.normal(size=(9, 5)), rng.normal(size=(9, 3))
    found = relation_similarity(gram(x), gram(y), rng=rng)
    one, other = (pdist(side) / pdist(side).mean() for side in (x, y))
    gap = np.abs(one - other)
    huber = np.where(gap <= 1, gap**2 / 2, gap - 0.5).mean()
    assert found.distances.loss.estimate == pytest.approx(huber)
    assert found.distances.correlation.estimate == pytest.approx(np.corrcoef(one, other)[0, 1])
    cosines = []
    for side in (x, y):
        edges = [(side[i] - side[j], side[k] - side[j]) for j in range(9)
                 for i in range(9) for k in range(i + 1, 9) if j not in (i, k)]  # fmt: skip
        cosines.append([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in edges])
    assert found.angles.correlation.estimate == pytest.approx(np.corrcoef(*cosines)[0, 1])


def test_relations_of_a_turned_copy_are_kept(rng: np.random.Generator) -> None:
    """Rotation and scale cost nothing; samples at one place have no angle between them."""
    x = rng.normal(size=(MOST_FOR_ANGLES + 20, 4))
    x[1] = x[0]
    turned = 5 * x @ np.linalg.qr(rng.normal(size=(4, 4)))[0]
    found = relation_similarity(gram(x), gram(turned), rng=rng)
    for relation in (found.distances, found.angles):
        assert relation.loss.estimate == pytest.approx(0, abs=1e-12)
        assert relation.correlation.estimate == pytest.approx(1)
    assert (found.distances.n, found.angles.n) == (MOST_FOR_ANGLES + 20, MOST_FOR_ANGLES)
    flat = relation_similarity(np.zeros((9, 9)), gram(x[:9]), rng=rng)
    assert flat.distances.loss.estimate is None
    assert flat.distances.loss.reason is not None


def causal(rng: np.random.Generator, heads: int, tokens: int) -> Array:
    """Maps of the tokens from the third on under a causal mask."""
    maps = np.tril(rng.random((heads, tokens, tokens)) ** 3)[:, 2:]
    return np.asarray(maps / maps.sum(-1, keepdims=True))


def test_attention_rows_are_compared_in_bits(rng: np.random.Generator) -> None:
    """As scipy has Jensen-Shannon; tokens behind the mask add nothing."""
    one, other = causal(rng, 3, 7), causal(rng, 3, 7)
    expected = jensenshannon(one, other, base=2, axis=-1) ** 2
    np.testing.assert_allclose(js_bits(one, other), expected, atol=1e-12)
    found = attention_rows(one, other, None)
    both = one.mean(0), other.mean(0)
    assert found.divergence == pytest.approx((jensenshannon(*both, base=2, axis=-1) ** 2).mean())
    rest = [part[:, 1:] / part[:, 1:].sum(-1, keepdims=True) for part in both]
    assert found.beyond_first == pytest.approx((jensenshannon(*rest, base=2, axis=-1) ** 2).mean())
    assert found.teacher_first == pytest.approx(both[0][:, 0].mean())
    sink = np.zeros((1, 2, 4))
    sink[..., 0] = 1
    assert attention_rows(sink, sink, (0,)).beyond_first is None
    assert js_bits(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1


def test_shuffled_heads_are_found(rng: np.random.Generator) -> None:
    """A student whose heads are the teacher's in another order has them matched, exactly."""
    order = (2, 0, 3)
    maps = []
    for tokens in (5, 8):
        teacher = causal(rng, 4, tokens)
        maps.append((teacher, teacher[list(order)]))
    heads = match_heads(maps)
    assert heads == order
    found = attention_rows(*maps[0], heads)
    assert found.matched == pytest.approx(0, abs=1e-12)
    assert found.divergence > 0
    assert match_heads([(student, teacher) for teacher, student in maps]) is None
