"""Levels of several looks against published constants, scipy's normal integrals, and simulation."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kdeval.stats.sequential.group_sequential import (
    crossing_probabilities,
    each_look_alone,
    lan_demets,
    obrien_fleming,
)


@pytest.mark.parametrize(
    ("looks", "two_sided", "constant"),
    [(2, 0.05, 1.977), (3, 0.05, 2.004), (4, 0.05, 2.024), (5, 0.05, 2.040), (10, 0.05, 2.087),
     (2, 0.10, 1.678), (3, 0.10, 1.710), (5, 0.10, 1.751), (5, 0.01, 2.621)],
)  # fmt: skip
def test_obrien_fleming_constants(looks, two_sided, constant):
    """C_B of Jennison & Turnbull (2000), table 2.3; crossing both sides is negligible there."""
    design = obrien_fleming(tuple(range(1, looks + 1)), two_sided / 2)
    z = stats.norm.ppf(design.levels)
    assert z[-1] == pytest.approx(constant, abs=1.2e-3)
    assert z == pytest.approx(z[-1] * np.sqrt(looks / np.arange(1, looks + 1)), rel=1e-6)


def test_spending_boundaries():
    """The O'Brien-Fleming type of Lan & DeMets at one-sided 0.025, as in DeMets & Lan (1994)."""
    design = lan_demets((1, 2, 3, 4, 5), 0.025)
    expected = [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]
    assert stats.norm.ppf(design.levels) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.1])
@pytest.mark.parametrize("information", [(20, 40, 60, 80, 100), (3, 9, 50, 51, 97), (40, 100)])
def test_crossing_any_look_has_the_probability_of_one_test(information, alpha):
    """Against scipy's multivariate normal integral, at equal and unequal distances."""
    units = np.asarray(information)
    covariance = np.sqrt(np.minimum.outer(units, units) / np.maximum.outer(units, units))
    for design in (lan_demets(information, alpha), obrien_fleming(information, alpha)):
        z = [stats.norm.ppf(level) if level is not None else 12.0 for level in design.levels]
        law = stats.multivariate_normal(cov=covariance, abseps=1e-7, releps=1e-7, maxpts=2_000_000)
        assert 1 - law.cdf(z) == pytest.approx(alpha, abs=2e-5)
        assert design.spent[-1] == pytest.approx(alpha, abs=1e-8)


def test_first_crossings_simulated():
    """A random walk's first crossings of equal boundaries, look by look."""
    rng = np.random.default_rng(20261121)
    times = np.array([0.1, 0.35, 0.4, 1.0])
    steps = rng.normal(size=(400_000, 4)) * np.sqrt(np.diff(times, prepend=0))
    above = np.cumsum(steps, axis=1) / np.sqrt(times) > 1.7
    first = np.where(above.any(axis=1), above.argmax(axis=1), -1)
    seen = [(first == look).mean() for look in range(4)]
    assert crossing_probabilities(times, [1.7] * 4) == pytest.approx(seen, abs=1.2e-3)


def test_data_that_does_not_grow_is_tested_once():
    """All of the error goes to the only look with new data; an empty look decides nothing."""
    design = lan_demets((0, 80, 80), 0.05)
    assert design.kind == "once"
    assert design.levels == (None, pytest.approx(0.95), None)
    assert design.spent == (0.0, 0.05, 0.05)
    assert each_look_alone((30, 30, 30), 0.05).levels == (pytest.approx(0.95), None, None)


def test_a_last_look_that_adds_almost_nothing_still_counts():
    """It takes the place of the one before it."""
    assert lan_demets((500, 9_995, 10_000), 0.05).levels[1:] == (
        None,
        pytest.approx(0.95, abs=1e-4),
    )


def test_equal_shares_and_an_open_end():
    """Bonferroni over the looks with data; with an open end the shares never exceed alpha."""
    design = each_look_alone((0, 10, 20, 30, 40), 0.04)
    assert design.levels == (None, *[pytest.approx(0.99)] * 4)
    endless = each_look_alone(tuple(range(1, 2001)), 0.05, open_ended=True)
    assert endless.levels[0] == pytest.approx(0.975)
    assert 0.0499 < endless.spent[-1] < 0.05


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 5_000), min_size=1, max_size=7).map(sorted).filter(lambda x: x[-1] > 0),
    st.floats(0.001, 0.2),
)
def test_no_look_has_more_than_the_whole_error(information, alpha):
    """Any looks: spent rises to alpha, and no level is below the level of a single test."""
    design = lan_demets(tuple(information), alpha)
    assert len(design.levels) == design.looks == len(information)
    assert design.spent[-1] == pytest.approx(alpha)
    assert all(b >= a for a, b in pairwise(design.spent))
    assert all(level is None or 1 - alpha - 1e-9 <= level < 1 for level in design.levels)


@pytest.mark.parametrize("information", [(), (0, 0), (5, 4), (-1, 3)])
def test_what_is_no_design_is_refused(information):
    for function in (lan_demets, obrien_fleming):
        with pytest.raises(ValueError, match=r"look|information"):
            function(information, 0.05)
    with pytest.raises(ValueError, match="alpha"):
        lan_demets((1, 2), 0.5)
