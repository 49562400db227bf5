"""A rule's needs read off a pilot's measurement."""

from __future__ import annotations

import numpy as np
import pytest

from kdeval.gate.measurement import Measurement
from kdeval.gate.planning.needs import Needs
from kdeval.gate.planning.pilot import needs_in_pilot
from kdeval.stats.interval import Interval
from kdeval.stats.means.paired import mean, paired_difference, retention
from kdeval.stats.planning.pairs import (
    PairedRates,
    difference_values,
    retention_values,
    samples_for_rates,
)

N = 2000


def _scores(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    cells = rng.choice(4, p=(0.86, 0.02, 0.03, 0.09), size=N)
    return np.isin(cells, (0, 2)) * 1.0, np.isin(cells, (0, 1)) * 1.0


def _rates(teacher: np.ndarray, student: np.ndarray) -> PairedRates:
    both = float((teacher * student).mean())
    return PairedRates(
        both=both, gained=float(student.mean()) - both, lost=float(teacher.mean()) - both,
        neither=float(((1 - teacher) * (1 - student)).mean()),
    )  # fmt: skip


def _needs(metric, direction, limit, measured) -> Needs:
    found = needs_in_pilot(metric, direction, limit, 0.95, measured)
    assert isinstance(found, Needs), found
    return found


def test_retention_and_difference_of_right_or_wrong_scores() -> None:
    """The score test's numbers for the pilot's shares, also where less is better."""
    teacher, student = _scores()
    rates = _rates(teacher, student)
    found = _needs(
        "retention", "min", 0.96,
        Measurement(interval=retention(teacher, student), margins=student - 0.96 * teacher,
                    clusters=None, scores=(teacher, student)),
    )  # fmt: skip
    assert found.needed(0.96, 0.8) == samples_for_rates(retention_values(0.96), rates, level=0.95)
    difference = paired_difference(teacher, student)
    found = _needs(
        "difference", "min", -0.02,
        Measurement(interval=difference, margins=student - teacher + 0.02, clusters=None),
    )  # fmt: skip
    oracle = samples_for_rates(difference_values(-0.02), rates, level=0.95)
    assert found.needed(-0.02, 0.8) == oracle
    mirrored = _needs(
        "difference", "max", 0.02,
        Measurement(interval=paired_difference(student, teacher),
                    margins=-(teacher - student - 0.02), clusters=None),
    )  # fmt: skip
    assert mirrored.needed(0.02, 0.8) == oracle


def test_clusters_of_copies_need_as_many_clusters() -> None:
    """Each sample five times over tells no more than once."""
    _, student = _scores()
    alone = _needs("score", "min", 0.85, Measurement(
        interval=mean(student), margins=student - 0.85, clusters=None))  # fmt: skip
    copies, codes = np.repeat(student, 5), np.repeat(np.arange(N), 5)
    clustered = _needs("score", "min", 0.85, Measurement(
        interval=mean(copies, clusters=codes), margins=copies - 0.85, clusters=codes))  # fmt: skip
    single, five = alone.needed(0.85, 0.8), clustered.needed(0.85, 0.8)
    assert single is not None
    assert five is not None
    assert five == pytest.approx(5 * single, rel=0.05)


def test_real_scores_without_variance_need_the_betting_bound() -> None:
    """A student that copies its teacher still needs log(1 / alpha) / margin samples."""
    zeros = np.zeros(200)
    found = _needs("difference", "min", -0.01, Measurement(
        interval=paired_difference(zeros + 0.5, zeros + 0.5), margins=zeros + 0.01,
        clusters=None))  # fmt: skip
    assert found.needed(-0.01, 0.8) is not None
    rare = zeros.copy()
    rare[:2] = -0.1
    found = _needs("brier_difference", "max", 0.02, Measurement(
        interval=mean(-rare), margins=rare + 0.02, clusters=None))  # fmt: skip
    needed = found.needed(0.02, 0.8)
    assert needed is not None
    assert needed >= 150  # log(20) / log(1.019): with fewer, most show no variance at all


def test_ratios_scale_with_their_interval() -> None:
    """A cost ratio whose bound lies just at the limit needs more than it has, for the power."""
    interval = Interval(estimate=0.1, low=0.08, high=0.2, confidence=0.9, method="x", n=100,
                        clusters=None)  # fmt: skip
    found = _needs("cost_ratio", "max", 0.2, Measurement(
        interval=interval, margins=None, clusters=None))  # fmt: skip
    assert found.needed(0.2, 0.8) == 240
    assert found.needed(0.1, 0.8) is None
    exact = _needs("cost_ratio", "max", 0.2, Measurement(
        interval=interval, margins=None, clusters=None, exact=True))  # fmt: skip
    assert exact.needed(0.2, 0.8) == 1
    assert exact.needed(0.05, 0.8) is None


def test_an_unknown_figure_says_why() -> None:
    """The interval's own reason."""
    interval = Interval(estimate=None, low=None, high=None, confidence=0.9, method="x", n=0,
                        clusters=None, reason="no samples")  # fmt: skip
    measured = Measurement(interval=interval, margins=None, clusters=None)
    assert needs_in_pilot("retention", "min", 0.9, 0.95, measured) == "no samples"
