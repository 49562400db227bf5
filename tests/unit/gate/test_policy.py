from __future__ import annotations

from pathlib import Path

import pytest

from kdeval.errors import ConfigError
from kdeval.gate.policy import GatePolicy, load_policy


def problems(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "gate.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_policy(file)
    return [problem.removeprefix(f"{file}:") for problem in caught.value.problems]


def rule_problem(tmp_path: Path, rule: str) -> str:
    (problem,) = problems(tmp_path, f"rules:\n  - {{{rule}}}\n")
    return problem


def test_a_whole_policy_is_read(tmp_path: Path) -> None:
    """Every key of the format is accepted, defaults are the documented ones."""
    file = tmp_path / "gate.yaml"
    file.write_text(
        """
schema_version: 1
confidence: 0.9
min_n: 20
student: two_layer
rules:
  - {metric: retention, suite: sentiment, slice: "domain=tweets", score: exact, min: 0.95}
  - {metric: baseline_difference, min: -0.02, confidence: 0.99, min_n: 100}
  - {metric: latency_ratio, quantile: p90, max: 0.5}
""",
        encoding="utf-8",
    )
    policy = load_policy(file)
    first, second, third = policy.rules
    assert (first.limit, first.direction, first.slice) == (0.95, "min", "domain=tweets")
    assert (policy.level(first), policy.least_n(first)) == (0.9, 20)
    assert (policy.level(second), policy.least_n(second)) == (0.99, 100)
    assert (third.limit, third.direction, third.whole_run) == (0.5, "max", True)


def test_defaults() -> None:
    """95 % one-sided, 50 samples, the whole suite."""
    policy = GatePolicy.model_validate({"rules": [{"metric": "retention", "min": 0.9}]})
    assert (policy.confidence, policy.min_n, policy.student) == (0.95, 50, None)
    assert policy.rules[0].slice == "all"
    assert policy.most_missing(policy.rules[0]) == 0.05


def test_the_largest_share_missing_is_set_for_all_rules_or_one() -> None:
    """A rule's own wins; what has no samples left out has none."""
    policy = GatePolicy.model_validate(
        {
            "max_missing": 0.1,
            "rules": [
                {"metric": "retention", "min": 0.9},
                {"metric": "score", "min": 0.9, "max_missing": 0},
                {"metric": "error_share", "max": 0.1},
            ],
        }
    )
    assert [policy.most_missing(rule) for rule in policy.rules] == [0.1, 0, None]


def test_all_problems_come_at_once_with_their_lines(tmp_path: Path) -> None:
    """Unknown keys and bad rules are listed together, nearest names included."""
    found = problems(
        tmp_path,
        """confidense: 0.9
rules:
  - {metric: retentoin, min: 0.9}
  - {metric: retention}
  - {metric: retention, mni: 0.9, min: 0.9}
""",
    )
    assert found == [
        "1: unknown key 'confidense' in the file; did you mean 'confidence'?",
        "3: rules.0.metric: there is no metric of this name; did you mean 'retention'? "
        "(got 'retentoin')",
        "4: rules.1: a rule takes exactly one of min and max; retention takes min",
        "5: unknown key 'mni' in rules.2; did you mean 'min'?",
    ]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            "metric: ece, max: 0.1",
            "2: rules.0.metric: a calibration error cannot be gated on: it is biased upwards, so a "
            "perfectly calibrated model does not score 0; use brier_difference or "
            "log_loss_difference, which are paired means (got 'ece')",
        ),
        (
            "metric: cka, min: 0.9",
            "2: rules.0.metric: a diagnostic explains and never decides; use retention or "
            "difference, or for probabilities brier_difference or log_loss_difference (got 'cka')",
        ),
        *(
            (
                f"metric: {name}, max: 0.1",
                "2: rules.0.metric: a diagnostic explains and never decides; use retention or "
                "difference, or for probabilities brier_difference or log_loss_difference (got "
                f"{name!r})",
            )
            for name in ("attention_divergence", "relation_similarity", "hidden_states")
        ),
        (
            "metric: brier, max: 0.2",
            "2: rules.0.metric: use brier_difference: student minus teacher on the same samples "
            "(got 'brier')",
        ),
        (
            "metric: retention, min: 0.9, max: 1.1",
            "2: rules.0: a rule takes exactly one of min and max; retention takes min",
        ),
        (
            "metric: brier_difference, min: 0.02",
            "2: rules.0: brier_difference takes max, not min: lower is better",
        ),
        (
            "metric: retention, min: 95",
            "2: rules.0: retention is a ratio: write 0.95 for 95 %, not 95",
        ),
        (
            "metric: brier_difference, max: 1",
            "2: rules.0: a Brier difference lies between -1 and 1: write 0.01 for one hundredth, "
            "not 1",
        ),
        (
            "metric: latency_ratio, max: 0.5, max_missing: 0.1",
            "2: rules.0: latency_ratio is measured over all requests: leave out max_missing",
        ),
        (
            "metric: error_share, max: 0",
            "2: rules.0: error_share needs a max between 0 and 1, both excluded: no number of "
            "requests shows a share of exactly 0 (got 0)",
        ),
        (
            "metric: latency_ratio, max: 0.5, suite: sentiment",
            "2: rules.0: latency_ratio is measured over the whole run: leave out suite",
        ),
        (
            "metric: retention, min: 0.9, quantile: p50",
            "2: rules.0: quantile goes with latency_ratio, not with retention",
        ),
        (
            "metric: log_loss_difference, max: 0.1, score: exact",
            "2: rules.0: log_loss_difference is made from probabilities: leave out score",
        ),
    ],
)
def test_a_bad_rule_says_how_to_mend_it(tmp_path: Path, rule: str, message: str) -> None:
    """One line: where, what, and what to write instead."""
    assert rule_problem(tmp_path, rule) == message


@pytest.mark.parametrize(
    "rule",
    [
        "metric: retention, min: .nan",
        "metric: retention, min: .inf",
        "metric: retention, min: 0.9, confidence: 0.5",
        "metric: retention, min: 0.9, confidence: 1",
        "metric: retention, min: 0.9, min_n: 0",
        "metric: cost_ratio, max: 0",
        "metric: latency_ratio, quantile: p42, max: 1",
    ],
)
def test_impossible_values_are_refused(tmp_path: Path, rule: str) -> None:
    """A level below one half, no samples, an infinite limit: none of them is a rule."""
    assert rule_problem(tmp_path, rule).startswith("2: rules.0")


def test_two_rules_on_one_limit_are_refused(tmp_path: Path) -> None:
    """The same metric on the same slice twice is a slip of the pen."""
    (found,) = problems(
        tmp_path,
        "rules:\n  - {metric: retention, min: 0.9}\n  - {metric: retention, min: 0.95}\n",
    )
    assert "two rules set the same limit: retention, all" in found


def test_a_policy_without_rules_is_refused(tmp_path: Path) -> None:
    """A gate that checks nothing would always pass."""
    (found,) = problems(tmp_path, "rules: []\n")
    assert "rules" in found
