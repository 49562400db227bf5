from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kdeval_router.decision import Decision

from kdeval.routing.curve import routing_curve


def decision(reason: Any, risk: float | None) -> Decision:
    return Decision(target="big", role="teacher", reason=reason, flip_risk=risk, config_hash="0")


def test_the_curve_by_hand() -> None:
    """From always-teacher, least risk first; ties move together; what is never routed stays."""
    decisions = [
        decision("above_threshold", 0.5),
        decision("certified", 0.1),
        decision("unfamiliar", 0.0),
        decision("certified", 0.1),
    ]
    teacher = np.array([True, True, True, False])
    student = np.array([False, True, False, True])
    curve = routing_curve(decisions, "flip_risk", teacher, student)
    assert [point.share for point in curve] == [0, 0.5, 0.75]
    assert [point.quality for point in curve] == pytest.approx([0.75, 1.0, 0.75])
    assert [point.lost_rate for point in curve] == pytest.approx([0, 0, 0.25])


def test_a_router_that_routes_nothing_has_one_point() -> None:
    """Always the teacher."""
    right = np.array([True, False])
    (only,) = routing_curve([decision("unfamiliar", None)] * 2, "flip_risk", right, right)
    assert (only.share, only.quality) == (0, 0.5)
