from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdeval.latency import distribution
from kdeval.latency.figures import PairedLatencies


@pytest.mark.parametrize("n", [1, 7, 5_000])
def test_the_curve_is_of_order_statistics(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    """Rising, at most 101 points, the last one the slowest request."""
    values = np.random.default_rng(0).permutation(n) + 1.0
    found = PairedLatencies(source="probe", teacher=values, student=values / 2)
    monkeypatch.setattr(distribution, "paired_latencies", lambda run, student: found)
    run: Any = Path()
    curve = distribution.latency_distribution(run, "small")
    assert curve is not None
    assert curve.n == n
    assert len(curve.levels) == min(n, 101)
    assert curve.levels[-1] == 1
    assert curve.teacher[-1] == n
    assert curve.student[-1] == n / 2
    for level, seconds in zip(curve.levels, curve.teacher, strict=True):
        assert seconds == pytest.approx(level * n)
