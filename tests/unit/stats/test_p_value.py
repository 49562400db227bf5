"""The p-value of a retention: the mirror of its lower bound."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.stats import retention, retention_p_value


def pair(counts):
    return np.repeat([1.0, 0, 1, 0], counts), np.repeat([1.0, 1, 0, 0], counts)


@given(
    st.tuples(st.integers(1, 80), st.integers(0, 9), st.integers(0, 9), st.integers(0, 20)),
    st.floats(0.5, 1.1),
    st.floats(0.6, 0.99),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_it_rejects_where_the_bound_clears(counts, threshold, level, clustered) -> None:
    """Rejected at 1 - level exactly where the lower bound lies at or above the threshold."""
    t, s = pair(counts)
    codes = np.arange(len(t)) % 7 if clustered and len(t) > 14 else None
    p = retention_p_value(t, s, threshold=threshold, clusters=codes)
    low = retention(t, s, clusters=codes, confidence=2 * level - 1).low
    assert 0 <= p <= 1
    if low is None or abs(low - threshold) < 1e-6:
        return
    assert (p <= 1 - level) == (low >= threshold)


@pytest.mark.parametrize("clustered", [False, True])
def test_real_scores(clustered: bool) -> None:
    rng = np.random.default_rng(4)
    t = rng.uniform(0.4, 0.9, 60)
    s = 0.95 * t + rng.normal(0, 0.05, 60)
    codes = np.arange(60) // 5 if clustered else None
    for level in (0.8, 0.95, 0.999):
        low = retention(t, s, clusters=codes, confidence=2 * level - 1).low
        assert retention_p_value(t, s, threshold=low, clusters=codes) == pytest.approx(
            1 - level, rel=1e-6
        )


def test_a_copy_of_real_scores_bets() -> None:
    """Without variance the evidence is the gambler's, at the same threshold as the bound."""
    t = np.full(200, 0.6)
    low = retention(t, t, confidence=0.9).low
    assert retention_p_value(t, t, threshold=low) == pytest.approx(0.05, rel=1e-3)
    assert retention_p_value(t, t, threshold=1.0) == 1.0


@pytest.mark.parametrize(
    ("teacher", "student", "clusters"),
    [([], [], None), ([0.0, 0.0], [1.0, 1.0], None), ([1.0, 1.0], [1.0, 1.0], [0, 0]),
     ([5.0, 5.0], [5.0, 5.0], None)],
)  # fmt: skip
def test_nothing_to_go_by_is_no_evidence(teacher, student, clusters) -> None:
    assert retention_p_value(teacher, student, threshold=0.9, clusters=clusters) == 1.0


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="must be paired"):
        retention_p_value([1.0], [1.0, 0.0], threshold=0.9)
    with pytest.raises(ValueError, match="above 0"):
        retention_p_value([1.0], [1.0], threshold=0.0)
