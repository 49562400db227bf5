"""A run with series and roles: from the configuration to the figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdeval.compare.comparison import RunComparison
from kdeval.compare.compute import compare_run
from kdeval.config.schema import load_config
from kdeval.stats import paired_difference
from kdeval.store.run_directory import RunDirectory, SeriesEntry
from kdeval.workflows.evaluate import evaluate

_SUITE = """\
name: {name}
role: {role}
kind: classification
data: {name}.jsonl
id: id
input: "{{{{ text }}}}"
reference: "{{{{ label }}}}"
labels: [bad, fair, good]
slices: [part]
cluster: page
"""
_CONFIG = """\
suites: [exam.yaml, traffic.yaml]
latency_probe: false
teacher: {name: t, type: echo, seed: 3}
students:
  - {name: hard, type: echo, seed: 1}
  - {name: soft, type: echo, seed: 2}
series:
  - {name: targets, kind: labels, members: [hard, soft]}
  - {name: line, kind: chain, members: [t, hard, soft]}
  - {name: epochs, kind: checkpoints, members: [hard, soft], steps: [10, 20]}
"""
LABELS = ("bad", "fair", "good")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    for name, role in (("exam", "benchmark"), ("traffic", "production")):
        rows = [
            {
                "id": f"r{i}",
                "text": f"{name} {i}",
                "label": LABELS[i % 3],
                "part": "even" if i % 2 else "odd",
                "page": f"p{i // 3}",
            }
            for i in range(150)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (tmp_path / f"{name}.yaml").write_text(_SUITE.format(name=name, role=role))
    (tmp_path / "kdeval.yaml").write_text(_CONFIG)
    return evaluate(load_config(tmp_path / "kdeval.yaml"), tmp_path / "run").run


@pytest.fixture
def compared(run: RunDirectory) -> RunComparison:
    return compare_run(run)


def test_the_manifest_keeps_series_and_roles(run: RunDirectory) -> None:
    assert run.manifest.series[2] == SeriesEntry(
        name="epochs", kind="checkpoints", members=("hard", "soft"), steps=(10.0, 20.0)
    )
    assert [suite.role for suite in run.manifest.suites] == ["benchmark", "production"]


def _frame(run: RunDirectory, student: str) -> pd.DataFrame:
    pairs = run.pairs()
    rows = pairs[(pairs["suite"] == "exam") & (pairs["student"] == student)]
    return rows.merge(run.samples(), on=["suite", "sample_id"], suffixes=("", "_sample"))


def _by_hand(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    own, teacher = (
        np.stack(frame[f"{side}_log_probs"].tolist()) for side in ("student", "teacher")
    )
    truth = np.eye(3)[frame["reference_index"].to_numpy(dtype=int)]
    return {
        "brier": ((np.exp(own) - truth) ** 2).sum(axis=1) / 2,
        "log_loss": -(own * truth).sum(axis=1),
        "kl": (np.exp(teacher) * (teacher - own)).sum(axis=1),
        "agreement": (frame["student_output"] == frame["teacher_output"]).to_numpy(dtype=float),
    }


@pytest.mark.parametrize("figure", ["brier", "log_loss", "kl", "agreement"])
def test_soft_minus_hard_is_paired(run: RunDirectory, compared: RunComparison, figure) -> None:
    """Each figure by hand from the pairs, with clusters."""
    hard, soft = (_frame(run, name) for name in ("hard", "soft"))
    codes = pd.factorize(hard["cluster"])[0]
    expected = paired_difference(_by_hand(hard)[figure], _by_hand(soft)[figure], clusters=codes)
    found = getattr(compared.series[0].labels[0], figure)
    assert found.estimate == pytest.approx(expected.estimate)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.clusters == 50


def test_the_score_is_that_of_the_pair(compared: RunComparison) -> None:
    """The same difference wherever two students meet, whichever comes first."""
    labels = compared.series[0].labels[0].difference
    curve = compared.series[2].checkpoints[0]
    assert compared.series[1].chain[0].stages[1].step.difference == labels
    assert labels.estimate == pytest.approx(
        curve.points[1].score.estimate - curve.points[0].score.estimate
    )
    assert compared.between == ()  # of two checkpoints one is left


def test_slices_of_what_was_forgotten_add_up(compared: RunComparison) -> None:
    whole, *parts = compared.series[2].checkpoints[0].forgetting
    assert {part.slice for part in parts} == {"part=even", "part=odd"}
    for field in ("n", "once_right", "forgotten", "learned", "events", "never_forgotten"):
        assert getattr(whole, field) == sum(getattr(part, field) for part in parts)
