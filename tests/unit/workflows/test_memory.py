"""A run's memory stays flat as the suite grows."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from kdeval.config.schema import RunConfig
from kdeval.run import asking, writing
from kdeval.store import pairs
from kdeval.workflows.evaluate import evaluate

CONFIG = {
    "teacher": {"name": "t", "type": "echo"},
    "students": [{"name": "s", "type": "echo", "seed": 1}],
    "latency_probe": False,
}
SUITE = {
    "name": "echo", "kind": "classification", "data": "data.jsonl", "input": "text",
    "reference": "label", "labels": ["a", "b"],
}  # fmt: skip


def _peak(directory: Path, n: int) -> int:
    directory.mkdir()
    rows = ({"text": f"sample {i} " + "x" * 400, "label": "ab"[i % 2]} for i in range(n))
    (directory / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "suite.yaml").write_text(json.dumps(SUITE))
    config = RunConfig.model_validate({**CONFIG, "suites": [str(directory / "suite.yaml")]})
    tracemalloc.start()
    evaluate(config, directory / "run")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_further_sample_takes_less_memory_than_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From JSONL to scored pairs of two models: keys and places only, 200 bytes at most.

    What is worked on at a time is made small, so that it is the same in both runs.
    """
    monkeypatch.setattr(asking, "_LOOKED_UP", 250)
    monkeypatch.setattr(writing, "_READ_CHUNK", 250)
    monkeypatch.setattr(pairs, "_BATCH", 250)
    _peak(tmp_path / "first", 50)
    small, large = _peak(tmp_path / "small", 2_100), _peak(tmp_path / "large", 4_200)
    assert (large - small) / 2_100 < 200
