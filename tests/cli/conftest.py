"""A small project to run commands in: a suite, a module:Class model, a configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_MODEL = '''\
"""Answers slowly and writes down what it was asked."""
import hashlib, math, os, time
from kdeval.records import Response

class Slow:
    batch_size = 8
    def __init__(self, name, delay_s=0.0, log=None):
        self.name, self.delay_s, self.log = name, delay_s, log
    @property
    def fingerprint(self):
        return f"slow-{self.name}"
    def classify(self, requests):
        if self.log:
            lines = [f"{os.getpid()} {self.name} {r.sample_id}\\n" for r in requests]
            with open(self.log, "a") as handle:
                handle.write("".join(lines))
        time.sleep(self.delay_s)
        return [self._one(r) for r in requests]
    def _one(self, request):
        digest = hashlib.sha256(f"{self.name}{request.text}".encode()).digest()
        p = 0.05 + 0.9 * digest[0] / 255
        best = 0 if p >= 0.5 else 1
        log_probs = dict(zip(request.labels, (math.log(p), math.log(1 - p))))
        return Response(output=request.labels[best], log_probs=log_probs, confidence=max(p, 1 - p))
'''

_SUITE = """\
name: words
kind: classification
data: data.jsonl
id: id
input: "{{ text }}"
reference: "{{ label }}"
labels: [odd, even]
slices: [length]
"""


@pytest.fixture
def kdeval(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `kdeval ARGUMENTS` in the test's directory; returns the finished process."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kdeval", *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=300,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "100", **environment},
        )  # fmt: skip

    return run


@pytest.fixture
def kdeval_long(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The same for what takes minutes."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kdeval", *arguments], cwd=tmp_path, capture_output=True,
            text=True, timeout=1200, env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip

    return run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with `kdeval.yaml` over 240 samples and two models that answer at once."""
    rows = [
        {
            "id": f"w{index}",
            "text": f"word number {index} " + "x" * (index % 7),
            "label": "even" if index % 2 == 0 else "odd",
            "length": "long" if index % 7 > 3 else "short",
        }
        for index in range(240)
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "suite.yaml").write_text(_SUITE)
    (tmp_path / "slow_model.py").write_text(_MODEL)
    write_config(tmp_path)
    return tmp_path


def write_config(directory: Path, *, delay_s: float = 0.0, log: str | None = None) -> None:
    """Writes `kdeval.yaml` with two models of the test's own."""
    options = {"delay_s": delay_s, "log": log}
    config = {
        "suites": ["suite.yaml"],
        "latency_probe": False,
        "teacher": {"name": "big", "type": "slow_model:Slow", "options": {"name": "b", **options}},
        "students": [
            {"name": "small", "type": "slow_model:Slow", "options": {"name": "s", **options}}
        ],
    }
    (directory / "kdeval.yaml").write_text(json.dumps(config))


@pytest.fixture
def recorded_project(tmp_path: Path) -> Path:
    """A directory with recorded predictions of two models over 300 samples, and a policy."""
    rows = ["id,text,label,part,big,small"]
    for index in range(300):
        label = "yes" if index % 3 else "no"
        wrong = "no" if label == "yes" else "yes"
        big = wrong if index % 20 == 0 else label
        small = wrong if index % 20 == 0 or index % 50 == 7 else label
        part = "first" if index < 150 else "second"
        rows.append(f"q{index},question {index},{label},{part},{big},{small}")
    (tmp_path / "predictions.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "suite.yaml").write_text(
        "name: questions\nkind: classification\ndata: predictions.csv\nid: id\n"
        'input: "{{ text }}"\nreference: "{{ label }}"\nlabels: ["yes", "no"]\nslices: [part]\n'
    )
    (tmp_path / "kdeval.yaml").write_text(
        "suites: [suite.yaml]\n"
        "teacher:\n  name: big\n  type: recorded\n  path: predictions.csv\n"
        "  columns: {id: id, output: big}\n"
        "students:\n  - name: small\n    type: recorded\n    path: predictions.csv\n"
        "    columns: {id: id, output: small}\n"
    )
    (tmp_path / "gate.yaml").write_text(
        "rules:\n  - {metric: retention, min: 0.9}\n  - {metric: error_share, max: 0.05}\n"
    )
    return tmp_path
