"""Recording checkpoints into a run, with fake models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdeval.config.schema import RunConfig, load_config
from kdeval.errors import ConfigError
from kdeval.models.echo import EchoModel
from kdeval.training.recorder import CheckpointRecorder

_SUITE = """\
name: x
kind: classification
data: data.jsonl
id: id
input: "{{ text }}"
reference: "{{ label }}"
labels: [bad, good]
"""
_CONFIG = """\
suites: [suite.yaml]
teacher: {name: t, type: echo, seed: 1}
students:
  - {name: old, type: echo, seed: 9}
  - {name: new, type: sequence_classifier, path: nowhere}
costs: {new: {usd_per_request: 0.1}, old: {usd_per_request: 0.2}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    rows = [
        {"id": f"r{i}", "text": f"text {i}", "label": "good" if i % 3 else "bad"} for i in range(40)
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "suite.yaml").write_text(_SUITE)
    file = tmp_path / "kdeval.yaml"
    file.write_text(_CONFIG)
    return file


def _load(file: Path) -> RunConfig:
    return load_config(file, live=("new",))


def test_other_students_stand_beside_the_checkpoints(config: Path, tmp_path: Path) -> None:
    """After each step the run is whole; prices and the series follow."""
    recorder = CheckpointRecorder(_load(config), tmp_path / "run", student="new")
    first = recorder.record(EchoModel(seed=10), step=100, path="out/checkpoint-100").manifest
    assert [entry.name for entry in first.students] == ["old", "new-100"]
    assert first.series == ()
    done = recorder.record(EchoModel(seed=20), step=200, path="out/checkpoint-200").manifest
    assert [entry.name for entry in done.students] == ["old", "new-100", "new-200"]
    assert [entry.price for entry in done.students] == [
        {"usd_per_request": 0.2}, {"usd_per_request": 0.1}, {"usd_per_request": 0.1},
    ]  # fmt: skip
    (series,) = done.series
    assert (series.name, series.members, series.steps) == (
        "new", ("new-100", "new-200"), (100.0, 200.0),
    )  # fmt: skip
    assert recorder.steps == (100, 200)


def test_a_step_measured_again_replaces_the_first(config: Path, tmp_path: Path) -> None:
    recorder = CheckpointRecorder(_load(config), tmp_path / "run", student="new")
    for seed in (1, 2):
        run = recorder.record(EchoModel(seed=seed), step=5, path="p")
    assert run.manifest.students[1].fingerprint == EchoModel(seed=2).fingerprint
    assert len(run.manifest.students) == 2


def test_a_series_of_that_name_is_refused(config: Path, tmp_path: Path) -> None:
    with config.open("a") as file:
        file.write("series:\n  - {name: s, kind: ladder, members: [old, new]}\n")
    with pytest.raises(ConfigError, match="recorded in a series of their own, called 'new'"):
        CheckpointRecorder(_load(config), tmp_path / "run", student="new")


def test_the_student_must_be_there(config: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no student 'newer'"):
        CheckpointRecorder(_load(config), tmp_path / "run", student="newer")
    with pytest.raises(ConfigError, match="there is no model 'newer' to be trained"):
        load_config(config, live=("new", "newer"))
