"""AUROC of confidence against scikit-learn, and its interval by resampling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from kdeval.stats import confidence_auroc, confidence_figures


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=40))
def test_area_equals_scikit_learn_with_ties(samples: list[tuple[int, bool]]) -> None:
    score, right = np.array([s for s, _ in samples]) / 4, np.array([r for _, r in samples])
    found = confidence_auroc(score, right)
    both = confidence_figures(score, right, np.random.default_rng(0), simulations=5).auroc
    if right.all() or not right.any():
        assert found.estimate is both.estimate is None
        assert found.reason == both.reason is not None
        return
    assert found.estimate == pytest.approx(roc_auc_score(right, score))
    assert both.estimate == pytest.approx(found.estimate)
    if found.low is not None and found.high is not None:
        assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_the_interval_has_the_width_of_the_bootstrap(rng: np.random.Generator) -> None:
    right = rng.random(600) < 0.7
    score = rng.normal(size=600) + right
    found = confidence_auroc(score, right)
    resampled = []
    for _ in range(400):
        rows = rng.integers(0, 600, 600)
        resampled.append(roc_auc_score(right[rows], score[rows]))
    low, high = np.quantile(resampled, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.01)
    assert found.high == pytest.approx(high, abs=0.01)


def test_copies_of_samples_add_no_evidence(rng: np.random.Generator) -> None:
    right = rng.random(100) < 0.6
    score = rng.normal(size=100) + right
    alone = confidence_auroc(score, right)
    codes = np.repeat(np.arange(100), 5)
    copied = confidence_auroc(np.repeat(score, 5), np.repeat(right, 5), clusters=codes)
    assert copied.estimate == pytest.approx(alone.estimate)
    assert copied.clusters == 100
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.03)


def test_perfect_order_has_no_interval_but_a_reason() -> None:
    found = confidence_auroc([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    assert (found.estimate, found.low) == (1.0, None)
    assert "without exception" in found.reason
    single = confidence_auroc([0.1, 0.5, 0.3], [0, 0, 1], clusters=[4, 4, 4])
    assert (single.estimate, single.low) == (0.5, None)
    assert "too few" in single.reason
    assert confidence_auroc([], []).reason == "no samples"
    assert confidence_auroc([0.5] * 6, [0, 1, 0, 1, 0, 1]).estimate == 0.5
    with pytest.raises(ValueError, match="0 or 1"):
        confidence_auroc([0.5], [0.5])
