"""Planned numbers against oracles, and what must hold of them anywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from kdeval.stats.planning.pairs import (
    Clustering,
    PairedRates,
    detectable_limit,
    difference_values,
    rate_values,
    retention_values,
    samples_for_mean,
    samples_for_rates,
    samples_without_a_flip,
)
from kdeval.stats.planning.power import samples_to_pass, zero_flip_floor
from kdeval.stats.planning.shares import samples_by_scaling, samples_for_share_below, with_looks

SHARES = st.floats(0.3, 0.99)


def test_a_mean_needs_what_statsmodels_says() -> None:
    """Student's t at 95 % one-sided and 80 % power, up to the 5 % on top."""
    for mean, sd in ((0.03, 0.25), (0.1, 0.2), (0.5, 1.0)):
        oracle = TTestPower().solve_power(
            effect_size=mean / sd, alpha=0.05, power=0.8, alternative="larger"
        )
        found = samples_for_mean(mean, sd, level=0.95, power=0.8)
        assert found is not None
        assert oracle <= found <= 1.06 * oracle + 2


def test_a_share_needs_what_enumeration_says() -> None:
    """The first n of which so few events that the bound clears the limit are likely enough."""

    def clears(n: int, limit: float, rate: float, power: float) -> bool:
        allowed = -1
        while stats.binom.cdf(allowed + 1, n, limit) <= 0.05:
            allowed += 1
        return allowed >= 0 and stats.binom.cdf(allowed, n, rate) >= power

    for limit, rate in ((0.05, 0.01), (0.1, 0.05), (0.02, 0.0)):
        oracle = next(n for n in range(1, 2000) if clears(n, limit, rate, 0.8))
        assert samples_for_share_below(limit, rate, level=0.95, power=0.8) == oracle
    assert samples_for_share_below(0.05, 0.05, level=0.95) is None


def test_rates_need_what_the_pilot_formula_says() -> None:
    """The same as `samples_to_pass` on scores in those shares."""
    rates = PairedRates.from_scores(0.9, 0.88, 0.06)
    counts = np.round(np.array(rates.cells) * 10_000).astype(int)
    teacher, student = np.repeat([1, 0, 1, 0], counts), np.repeat([1, 1, 0, 0], counts)
    found = samples_for_rates(retention_values(0.95), rates, level=0.95, power=0.8)
    assert found == pytest.approx(
        samples_to_pass(teacher, student, threshold=0.95, level=0.95, power=0.8), abs=2
    )


def test_floors_are_those_of_the_score_test() -> None:
    """28, 58 and 148 samples for a teacher right on 90 %."""
    for limit, floor in ((0.90, 28), (0.95, 58), (0.98, 148)):
        assert samples_without_a_flip(retention_values(limit), 0.9, level=0.95) == floor
        assert zero_flip_floor(limit, 0.9, level=0.95) == floor
    assert samples_without_a_flip(retention_values(1.0), 0.9, level=0.95) is None


@given(SHARES, SHARES, st.floats(0, 1))
def test_more_disagreement_needs_more_samples(a: float, b: float, part: float) -> None:
    """The worst case is the most that the scores allow, and the best the least."""
    teacher, student = max(a, b), min(a, b)
    limit = 0.9 * student / teacher
    least = PairedRates.from_scores(teacher, student, "least")
    most = PairedRates.from_scores(teacher, student, "most")
    between = PairedRates.from_scores(
        teacher, student, least.disagreement + part * (most.disagreement - least.disagreement)
    )
    needs = [
        samples_for_rates(retention_values(limit), rates, level=0.95)
        for rates in (least, between, most)
    ]
    assert None not in needs
    assert needs == sorted(needs, key=lambda n: n or 0)
    for rates in (least, between, most):
        assert sum(rates.cells) == pytest.approx(1)
        assert rates.teacher == pytest.approx(teacher)
        assert rates.both + rates.gained == pytest.approx(student)


@given(SHARES, st.floats(0.8, 1.0), st.floats(0.02, 0.2), st.floats(0.55, 0.95))
def test_power_level_and_margin(teacher: float, kept: float, margin: float, power: float) -> None:
    """More power, more confidence or a tighter limit never needs fewer samples."""
    rates = PairedRates.from_scores(teacher, teacher * kept, "most")

    def needs(margin: float, power: float, level: float) -> int:
        found = samples_for_rates(retention_values(kept - margin), rates, level=level, power=power)
        assert found is not None
        return found

    base = needs(margin, power, 0.9)
    assert needs(margin, power + 0.04, 0.9) >= base
    assert needs(margin, power, 0.95) >= base
    assert needs(margin * 0.9, power, 0.9) >= base


def test_what_no_number_would_show() -> None:
    """On the wrong side of the limit there is none."""
    rates = PairedRates.from_scores(0.9, 0.8)
    assert samples_for_rates(retention_values(0.9), rates, level=0.95) is None
    assert samples_for_rates(difference_values(-0.1), rates, level=0.95) is None
    assert samples_for_mean(0.0, 1.0, level=0.95) is None
    assert samples_by_scaling(100, reach=0.1, distance=-0.1, level=0.95) is None


@pytest.mark.parametrize(
    ("teacher", "student", "share"), [(1.2, 0.9, "most"), (0.9, 0.8, 0.05), (0.9, 0.9, 0.5)]
)
def test_impossible_worlds_are_refused(teacher: float, student: float, share: object) -> None:
    """Scores beyond 1, and disagreements that the scores rule out."""
    with pytest.raises(ValueError, match=r"must lie in|disagree on"):
        PairedRates.from_scores(teacher, student, share)  # type: ignore[arg-type]


def test_clusters_need_more() -> None:
    """About the design effect where many clusters flip; never fewer than without clusters."""
    rates = PairedRates.from_scores(0.9, 0.88, 0.06)
    values = rate_values(0.85)
    alone = samples_for_rates(values, rates, level=0.95)
    clustered = samples_for_rates(
        values, rates, level=0.95, clustering=Clustering.equal(5, 0.5, rates.disagreement)
    )
    assert alone is not None
    assert clustered is not None
    assert 3 * alone <= clustered <= 3.3 * alone
    same = Clustering.equal(5, 0.0, rates.disagreement)
    assert same.effect == 1
    assert same.witnesses == pytest.approx(1 - 0.94**5)
    assert Clustering.equal(5, 1.0, 0.06).witnesses == pytest.approx(0.06)


def test_the_detectable_limit_is_where_the_need_meets_the_samples() -> None:
    """A limit a little closer to the figure needs more samples than there are."""
    rates = PairedRates.from_scores(0.9, 0.882, 0.05)

    def needed(limit: float) -> int | None:
        return samples_for_rates(retention_values(limit), rates, level=0.95)

    limit = detectable_limit(needed, 300, figure=0.98, furthest=0.0)
    assert limit is not None
    assert 0.9 < limit < 0.98
    assert (needed(limit) or math.inf) <= 300
    assert (needed(limit + 0.001) or math.inf) > 300
    assert detectable_limit(needed, 1, figure=0.98, furthest=0.97) is None


def test_looks_ask_fewer_on_average_and_few_more_at_most() -> None:
    """Five O'Brien-Fleming looks cost a few percent at most."""
    expected, most = with_looks(1000, level=0.95, power=0.8)
    assert 1000 < most < 1060
    assert 700 < expected < 900
    assert with_looks(1000, level=0.95, power=0.8, looks=1) == pytest.approx((1000, 1000), rel=0.01)


def test_scaling_meets_the_interval_it_was_given() -> None:
    """An interval whose bound lies just as far away as the limit needs (z + z')² / z² of its n."""
    found = samples_by_scaling(100, reach=0.2, distance=0.2, level=0.95, power=0.8)
    assert found == math.ceil(105 * ((1.6449 + 0.8416) / 1.6449) ** 2)
