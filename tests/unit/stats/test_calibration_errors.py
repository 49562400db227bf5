"""Errors of confidence by hand, against scipy, and against slow readings of their definitions."""

import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import ks_2samp

from kdeval.stats import confidence_figures
from kdeval.stats.calibration.bins import bin_codes, without_single_samples
from kdeval.stats.calibration.debiased import debiased_errors, debiased_squares
from kdeval.stats.calibration.groups import groups_of, merged_groups
from kdeval.stats.calibration.kolmogorov import ks_errors
from kdeval.stats.calibration.smooth import smooth_errors

ERRORS = ("ece_equal_width", "ece_equal_mass", "debiased_l2", "smooth_ece", "ks")
RANKINGS = ("auroc", "aurc", "excess_aurc")


def one(statistic, confidence, right, **options) -> float:
    groups = groups_of(np.asarray(confidence, float), np.asarray(right, bool))
    return float(statistic(groups, groups.right[None, :], **options)[0])


def test_debiased_error_by_hand() -> None:
    """Four samples, no two alike, each a bin of its own: pairs are joined, so that a chance
    variance exists.
    """
    confidence, right = [0.2, 0.3, 0.6, 0.9], [True, False, True, True]
    low = (0.5 - 0.25) ** 2 - 0.25
    high = (1.0 - 0.75) ** 2
    assert one(debiased_squares, confidence, right) == pytest.approx((low + high) / 2)
    assert one(debiased_errors, confidence, right) == 0.0
    wrong = [False] * 4
    assert one(debiased_errors, confidence, wrong) == pytest.approx(
        math.sqrt((0.25**2 + 0.75**2) / 2)
    )


def test_the_debiased_square_of_a_calibrated_model_is_zero_on_average(
    rng: np.random.Generator,
) -> None:
    confidence = rng.beta(3, 1, 60)
    groups = groups_of(confidence, np.zeros(60, bool))
    right = (rng.random((20_000, 60)) < groups.confidence).astype(float)
    squares = debiased_squares(groups, right)
    assert squares.mean() == pytest.approx(0.0, abs=4 * squares.std() / math.sqrt(20_000))


@given(st.lists(st.integers(1, 3), min_size=1, max_size=12))
def test_joined_bins_have_two_samples_and_keep_their_order(sizes: list[int]) -> None:
    codes = np.arange(len(sizes))
    joined = without_single_samples(codes, np.array(sizes))
    assert joined[0] == 0
    assert set(np.diff(joined)) <= {0, 1}
    if sum(sizes) > 1:
        assert np.bincount(joined, weights=sizes).min() > 1


def test_ks_is_the_distance_of_two_running_sums(rng: np.random.Generator) -> None:
    confidence, right = rng.random(200), rng.random(200) < 0.6
    order = np.argsort(confidence)
    drift = np.abs(np.cumsum((right - confidence)[order])).max() / 200
    assert one(ks_errors, confidence, right) == pytest.approx(drift)


def test_ks_equals_scipys_where_confidence_is_a_coin(rng: np.random.Generator) -> None:
    """At confidence 1/2 (made distinct by a hair), the drift is half the distance of the two
    empirical distributions when as many are right as wrong.
    """
    confidence = 0.5 + np.linspace(-1e-9, 1e-9, 400)
    right = rng.permutation(np.arange(400) < 200)
    two = ks_2samp(confidence[right], confidence[~right]).statistic
    assert one(ks_errors, confidence, right) == pytest.approx(two / 4, abs=1e-6)


def test_smooth_error_equals_its_definition(rng: np.random.Generator) -> None:
    """The fixed point of the integral with explicit mirror images, on a fine grid."""
    confidence, right = rng.beta(4, 1, 80), rng.random(80) < 0.5
    grid = (np.arange(4000) + 0.5) / 4000

    def error(bandwidth: float) -> float:
        total = np.zeros(len(grid))
        for c, r in zip(confidence, right - confidence, strict=True):
            for turn in range(-3, 4):
                for image in (2 * turn + c, 2 * turn - c):
                    total += r * np.exp(-(((grid - image) / bandwidth) ** 2) / 2)
        return float(np.abs(total).mean() / (bandwidth * math.sqrt(2 * math.pi)) / 80)

    truth = brentq(lambda s: error(s) - s, 1e-3, 1.0)
    assert one(smooth_errors, confidence, right) == pytest.approx(truth, abs=1e-4)
    coarse = one(smooth_errors, confidence, right, cells=256, halvings=12)
    assert coarse == pytest.approx(truth, abs=1e-3)


def test_smooth_error_of_one_confidence_is_its_gap() -> None:
    """All samples at 0.5, of which 0.8 are right: far from both ends the kernel keeps the gap."""
    gap = one(smooth_errors, [0.5] * 10, [True] * 8 + [False] * 2)
    assert gap == pytest.approx(0.3, abs=1e-3)
    assert one(smooth_errors, [1.0, 0.0], [True, False]) == 0.0


def test_merged_groups_keep_every_sample_and_bin(rng: np.random.Generator) -> None:
    confidence = rng.beta(6, 1, 20_000)
    right = rng.random(20_000) < confidence
    fine, coarse = groups_of(confidence, right), merged_groups(confidence, right)
    assert len(coarse.count) < 600
    assert coarse.n == fine.n == 20_000
    assert coarse.right.sum() == right.sum()
    assert (np.diff(coarse.confidence) > 0).all()
    for name in ("mass", "width"):
        a, b = (
            np.bincount(getattr(groups, name), weights=groups.count) for groups in (fine, coarse)
        )
        assert a.tolist() == b.tolist()
    exact = confidence_figures(confidence, right, rng, simulations=9)
    assert exact.ece_equal_mass.estimate == pytest.approx(
        float(
            np.abs(
                np.bincount(bin_codes(confidence, binning="equal-mass"), weights=right - confidence)
            ).sum()
            / 20_000
        )
    )


def test_every_error_sees_overconfidence(rng: np.random.Generator) -> None:
    claimed = rng.uniform(0.6, 1.0, 1500)
    right = rng.random(1500) < claimed - 0.12
    found = confidence_figures(claimed, right, rng, simulations=199)
    for name in ERRORS:
        figure = getattr(found, name)
        assert figure.p_value == pytest.approx(1 / 200)
        assert figure.estimate > figure.high > figure.expected > figure.low >= 0


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.99, 1.0]), st.booleans()),
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_ties_order_and_tiny_samples(samples: list[tuple[float, bool]], shuffle) -> None:
    """Any order gives the same figures; nothing is NaN; what is missing has a reason."""
    mixed = samples.copy()
    shuffle.shuffle(mixed)
    first, second = (
        confidence_figures(
            [c for c, _ in rows],
            [r for _, r in rows],
            np.random.default_rng(3),
            simulations=19,
        )
        for rows in (samples, mixed)
    )
    assert first.n == len(samples)
    for name in ERRORS + RANKINGS:
        one, other = asdict(getattr(first, name)), asdict(getattr(second, name))
        assert one == pytest.approx(other)
        numbers = [value for value in one.values() if isinstance(value, float)]
        assert all(math.isfinite(value) for value in numbers)
        assert (one["estimate"] is None) <= (one["reason"] is not None)
        if one["p_value"] is not None:
            assert 0 < one["p_value"] <= 1


def test_what_cannot_be_measured_says_why(rng: np.random.Generator) -> None:
    none = confidence_figures([], [], rng)
    assert (none.ks.estimate, none.ks.reason, none.accuracy) == (None, "no samples", None)
    single = confidence_figures([0.9], [True], rng)
    assert single.debiased_l2.reason == "needs 2 samples"
    assert single.ece_equal_mass.estimate == pytest.approx(0.1)
    assert single.auroc.reason == ("every answer is right, so confidence has nothing to tell apart")
    for bad in ([1.1], [-0.1], [np.nan]):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            confidence_figures(bad, [True], rng)
    with pytest.raises(ValueError, match="right or wrong"):
        confidence_figures([0.5], [0.5], rng)
    with pytest.raises(ValueError, match="one length"):
        confidence_figures([0.5], [True, False], rng)
