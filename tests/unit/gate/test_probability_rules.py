"""Rules on Brier score and log-loss."""

from __future__ import annotations

import pytest

from kdeval.errors import ConfigError
from tests.unit.gate.judging import MakeRun, decide, only


@pytest.mark.parametrize("metric", ["brier_difference", "log_loss_difference"])
@pytest.mark.parametrize(("limit", "verdict"), [(0.5, "pass"), (0.0001, "fail")])
def test_probabilities_gate_by_their_paired_difference(
    run_of: MakeRun, metric: str, limit: float, verdict: str
) -> None:
    """Ceilings: passing takes the upper bound, failing the lower."""
    run = run_of(400, both=380, lost=10, probabilities=(0.9, [0.65, 0.75] * 200))
    rule = only(decide(run, {"metric": metric, "max": limit}))
    assert rule.verdict == verdict
    assert (rule.bound or 0) >= (rule.estimate or 0) >= (rule.opposite_bound or 0)


def test_no_probabilities_is_an_input_error(run_of: MakeRun) -> None:
    """A rule on what the run does not have is never a pass."""
    with pytest.raises(ConfigError, match=r"rules.0 \(brier_difference\): no sample of"):
        decide(run_of(100, both=100), {"metric": "brier_difference", "max": 0.1})


def test_an_infinite_log_loss_decides_nothing(run_of: MakeRun) -> None:
    """A reference at probability 0 has no finite mean: the Brier difference is pointed to."""
    run = run_of(100, both=100, probabilities=(0.9, 0.0))
    decision = decide(
        run,
        {"metric": "log_loss_difference", "max": 0.1},
        {"metric": "brier_difference", "max": 0.1},
    )
    assert [rule.verdict for rule in decision.rules] == ["inconclusive", "fail"]
    assert "100 references at probability 0" in decision.rules[0].evidence
    assert "use brier_difference" in decision.rules[0].evidence
