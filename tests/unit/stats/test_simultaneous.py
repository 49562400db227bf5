"""Claims that hold together: Holm's procedure by intervals, against statsmodels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from kdeval.stats.interval import Interval
from kdeval.stats.means.simultaneous import bonferroni, signs_shown


def normal(estimate: float):
    """A quantity with standard error 1."""

    def at(confidence: float) -> Interval:
        half = stats.norm.isf((1 - confidence) / 2)
        return Interval(
            estimate=estimate, low=estimate - half, high=estimate + half, confidence=confidence,
            method="z", n=1, clusters=None,
        )  # fmt: skip

    return at


@given(st.lists(st.floats(-6, 6), min_size=1, max_size=12), st.sampled_from([0.8, 0.9, 0.95]))
@settings(deadline=None, max_examples=40)
def test_decides_what_holm_rejects(estimates: list[float], confidence: float) -> None:
    """The same hypotheses as statsmodels' Holm on two-sided p-values, each with its sign."""
    p_values = 2 * stats.norm.sf(np.abs(estimates))
    rejected = multipletests(p_values, alpha=1 - confidence, method="holm")[0]
    # A p-value within rounding of its threshold may go either way.
    sorted_p = np.sort(p_values) * np.arange(len(p_values), 0, -1)
    if np.min(np.abs(sorted_p - (1 - confidence))) < 1e-9:
        return
    signs = signs_shown([normal(value) for value in estimates], confidence=confidence)
    assert [sign != 0 for sign in signs] == list(rejected)
    assert all(sign in (0, np.sign(value)) for sign, value in zip(signs, estimates, strict=True))


def test_an_unbounded_interval_decides_nothing() -> None:
    def unknown(confidence: float) -> Interval:
        return Interval(
            estimate=None, low=None, high=None, confidence=confidence, method="x", n=0,
            clusters=None, reason="none",
        )  # fmt: skip

    assert signs_shown([unknown, normal(5.0)], confidence=0.95) == (0, 1)


def test_no_quantities_no_claims() -> None:
    assert signs_shown([], confidence=0.95) == ()


def test_bonferroni_shares_the_error() -> None:
    assert bonferroni(0.95, 10) == pytest.approx(0.995)
    with pytest.raises(ValueError, match="at least one claim"):
        bonferroni(0.95, 0)
