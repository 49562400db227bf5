"""Similarity of representations: no bias under independence, and the coverage of its intervals."""

import numpy as np
import pytest

from kdeval.stats.representation.cka import biased_cka, debiased_cka, gram
from kdeval.stats.representation.jackknife import sample_groups
from kdeval.stats.representation.layers import layer_similarity
from kdeval.stats.representation.relations import _Asked, _distances

pytestmark = pytest.mark.validity

TRIALS = 200


@pytest.mark.parametrize(("n", "d", "decay"), [(8, 200, 0.0), (20, 50, 1.0), (20, 500, 0.0)])
def test_debiased_cka_is_zero_in_the_mean_for_independent_representations(n, d, decay):
    """Within four standard errors of 0, where the biased one is far above."""
    rng = np.random.default_rng([3, n, d])
    scale = np.arange(1, d + 1.0) ** -decay
    found, biased = [], []
    for _ in range(TRIALS):
        one, other = (gram(rng.normal(size=(n, d)) * scale) for _ in range(2))
        found.append(debiased_cka(one, other))
        biased.append(biased_cka(one, other))
    error = np.std(found) / np.sqrt(TRIALS)
    assert abs(np.mean(found)) < 4 * error
    assert np.mean(biased) > 20 * error


def _world(rng, n, d, decay, noise):
    """A student that keeps the teacher's directions, each with noise of its own."""
    scale = np.arange(1, d + 1.0) ** -decay
    x = rng.normal(size=(n, d)) * scale
    return x, x * scale**0.5 + noise * rng.normal(size=(n, d)) * scale


def _true_cka(d, decay, noise):
    """In closed form: the directions are independent."""
    scale = np.arange(1, d + 1.0) ** -decay
    xx, xy, yy = scale**2, scale**2.5, scale**3 + noise**2 * scale**2
    return float((xy**2).sum() / np.sqrt((xx**2).sum() * (yy**2).sum()))


@pytest.mark.parametrize(("n", "d", "decay", "noise"), [(40, 20, 0.5, 1.0), (60, 10, 0.5, 0.1)])
def test_interval_of_cka(asymptotic, monkeypatch, n, d, decay, noise):
    """The grouped jackknife on Fisher's scale covers the CKA of the population."""
    monkeypatch.setattr("kdeval.stats.representation.layers.SHUFFLES", 2)
    rng = np.random.default_rng([5, n, d])
    truth, missed = _true_cka(d, decay, noise), 0
    for _ in range(TRIALS):
        x, y = _world(rng, n, d, decay, noise)
        found = layer_similarity({0: gram(x)}, {0: gram(y)}, rng=rng).matches[0].cka
        missed += not found.low <= truth <= found.high
    asymptotic("debiased CKA, grouped jackknife", f"n={n} d={d} decay={decay} noise={noise}",
               missed, TRIALS, 0.05)  # fmt: skip


def test_intervals_of_relations_between_samples(asymptotic):
    """Of distances; the truth is what very many samples have."""
    rng = np.random.default_rng(6)

    def relation(n, groups):
        sides = map(gram, _world(rng, n, 12, 0.5, 0.5))
        return _Asked(**dict(zip(("teacher", "student"), sides, strict=True)),
                      potential=_distances, groups=groups, clusters=None,
                      confidence=0.95)  # fmt: skip

    whole = [relation(900, None)._figures(np.arange(900)) for _ in range(4)]
    truth, missed = np.mean(whole, axis=0), np.zeros(2, dtype=int)
    for _ in range(TRIALS):
        found = relation(60, sample_groups(60, None, rng)).relation()
        for index, part in enumerate((found.correlation, found.loss)):
            missed[index] += not part.low <= truth[index] <= part.high
    for name, count in zip(("correlation", "Huber loss"), missed, strict=True):
        asymptotic(f"{name} of distances, grouped jackknife", "n=60 d=12", int(count), TRIALS, 0.05)


def test_unrelated_layers_rarely_pass_the_level_of_shuffles(asymptotic, monkeypatch):
    """The highest of six pairs of independent layers passes it in one case of twenty."""
    monkeypatch.setattr("kdeval.stats.representation.layers.sample_groups", _two_groups)
    rng = np.random.default_rng(8)
    passed = 0
    for _ in range(TRIALS):
        sides = ({i: gram(rng.normal(size=(24, 4))) for i in range(count)} for count in (2, 3))
        found = layer_similarity(*sides, rng=rng)
        passed += max(value for row in found.table for value in row) > found.unrelated
    asymptotic("highest CKA of unrelated layers, shuffles", "n=24 d=4", passed, TRIALS, 0.05)


def _two_groups(n, clusters, rng):
    """Intervals are of no interest."""
    return np.arange(n) % 2
