"""Models asked in Ray workers: the answers of a local run, whatever happens to the workers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from kdeval.config.schema import load_config
from kdeval.errors import MissingExtraError, ModelError
from kdeval.run.cluster import ray_cluster
from kdeval.run.ray_settings import RaySettings
from kdeval.workflows.aa import compare_with_itself
from kdeval.workflows.evaluate import Evaluated, evaluate
from tests.contract.causal_models import save_llama, save_tokenizer
from tests.contract.conftest import LABELS

pytestmark = pytest.mark.xdist_group("ray")

_MODELS = '''\
"""Models that other processes build: they lie beside the configuration."""
import hashlib, math, os, signal
from pathlib import Path
from kdeval.records import Response

class Hashing:
    """Answers what a digest of the text says; writes down whom it was asked by."""
    batch_size = 4
    def __init__(self, name, log, deadly="", path=None):
        self.name, self.log, self.deadly, self.path = name, log, deadly, path
    @property
    def fingerprint(self):
        return self.name + (Path(self.path).read_text() if self.path else "")
    def classify(self, requests):
        with open(self.log, "a") as handle:
            handle.write("".join(f"{os.getpid()} {self.name} {r.sample_id}\\n" for r in requests))
        if any(r.text == self.deadly for r in requests):
            os.kill(os.getpid(), signal.SIGKILL)
        return [self._one(r) for r in requests]
    def _one(self, request):
        p = 0.05 + 0.9 * hashlib.sha256(f"{self.name}{request.text}".encode()).digest()[0] / 255
        return Response(output=request.labels[p < 0.5],
                        log_probs=dict(zip(request.labels, (math.log(p), math.log(1 - p)))))

class Limited(Hashing):
    """As an API would be: its process counts what is asked of it."""
    max_concurrency = 1

class Letters:
    """Texts as counts of letters."""
    fingerprint = "letters"
    batch_size = 2
    def embed(self, texts, *, role):
        return [[text.count(letter) + 0.1 for letter in "abcdefgh"] for text in texts]
'''
_LABELS = list(LABELS)


@pytest.fixture(scope="module")
def _ray() -> Iterator[None]:
    """One start for all tests of this file: a process that is in a cluster stays there."""
    with ray_cluster(RaySettings()):  # sets the environment in which ray is first imported
        import ray
    ray.init(
        address="local", num_cpus=2, include_dashboard=False, log_to_driver=False,
        object_store_memory=100 * 2**20,
    )  # fmt: skip
    yield
    assert ray.is_initialized(), "a run has ended a cluster that it had not started"
    ray.shutdown()


def _project(folder: Path, models: list[dict[str, Any]], samples: int = 40) -> Path:
    """A configuration with a suite of short reviews; the first model teaches."""
    words = ("good film", "not ok", "very good plot", "a film of the plot", "good", "the very ok")
    rows = [{"t": f"{words[i % 6]} " * (1 + i % 5) + f"w{i}", "y": _LABELS[i % 2]}
            for i in range(samples)]  # fmt: skip
    (folder / "mine_on_ray.py").write_text(_MODELS)
    _write_suite(folder, "reviews", rows, kind="classification", input="t", reference="y",
                 labels=_LABELS)  # fmt: skip
    _write_config(folder, ["reviews.yaml"], models)
    return folder / "kdeval.yaml"


def _write_suite(folder: Path, name: str, rows: list[dict[str, Any]], **settings: Any) -> None:
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    suite = {"name": name, "data": f"{name}.jsonl", **settings}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(suite))


def _write_config(folder: Path, suites: list[str], models: list[dict[str, Any]]) -> None:
    config = {"suites": suites, "teacher": models[0], "students": models[1:],
              "latency_probe": False}  # fmt: skip
    (folder / "kdeval.yaml").write_text(yaml.safe_dump(config))


def _hashing(folder: Path, name: str, kind: str = "Hashing", **options: Any) -> dict[str, Any]:
    options = {"name": name, "log": str(folder / f"{name}.log"), **options}
    return {"name": name, "type": f"mine_on_ray:{kind}", "options": options}


def _evaluate(
    config: Path, out: str, progress: Callable[[str, int, int], None] = lambda *_: None
) -> Evaluated:
    with ray_cluster(RaySettings(workers=2)) as cluster:
        return evaluate(load_config(config), config.parent / out, base=config.parent,
                        progress=progress, cluster=cluster)  # fmt: skip


def _locally(config: Path) -> Evaluated:
    return evaluate(load_config(config), config.parent / "local", base=config.parent)


def _assert_equal(left: Evaluated, right: Evaluated) -> None:
    """Labels, counts and scores are equal, log-probabilities within 1e-5."""
    one, other = left.run.pairs(), right.run.pairs()
    for column in one.columns:
        if column.endswith("_log_probs") and one[column].notna().any():
            difference = np.abs(np.stack(one[column]) - np.stack(other[column]))
            assert difference.max() < 1e-5
        elif not column.endswith(("_cached", "_latency_s")):
            pd.testing.assert_series_equal(one[column], other[column], check_dtype=False)


def _asked_of(log: Path) -> Counter[str]:
    return Counter(line.split()[-1] for line in log.read_text().splitlines())


def worker_processes() -> list[int]:
    """Processes that hold a model for this one."""
    names = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            names[int(entry.name)] = (parent, (entry / "cmdline").read_bytes())
    mine = os.getpid()
    return [pid for pid, (parent, command) in names.items()
            if command.startswith(b"ray::ModelWorker") and names[parent][0] == mine]  # fmt: skip


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
@pytest.mark.usefixtures("_ray")
def test_a_killed_worker_changes_nothing(tmp_path: Path, tiny_bert: Path) -> None:
    """A causal teacher and a classifier, each in two workers, of which one is killed midway: the
    pairs are those of a local run, every answer is there once, and the run tells the death.
    """
    save_llama(tmp_path)
    save_tokenizer(tmp_path)
    common = {"device": "cpu", "batch_size": 3}
    config = _project(
        tmp_path,
        [{"name": "teacher", "type": "causal_lm", "path": ".", **common},
         {"name": "student", "type": "sequence_classifier", "path": str(tiny_bert), **common}],
    )  # fmt: skip
    killed: list[str] = []

    def kill_one(name: str, done: int, total: int) -> None:
        if 9 <= done < total and not killed:
            killed.append(name)
            os.kill(worker_processes()[-1], signal.SIGKILL)

    spread = _evaluate(config, "spread", kill_one)
    assert killed == ["teacher"]
    _assert_equal(_locally(config), spread)
    assert not any(spread.failures.values())
    assert any("teacher: 1 of its workers died" in line for line in spread.warnings)
    with sqlite3.connect(tmp_path / "spread" / "predictions.sqlite") as store:
        assert store.execute("SELECT count(*), sum(failed) FROM responses").fetchone() == (80, 0)
    for entry in spread.run.manifest.models:
        assert entry.workers in (1, 2)
        assert (entry.device, entry.dtype) == ("cpu", "float32")
    assert spread.run.pairs()["teacher_latency_s"].isna().all()
    assert (spread.run.manifest.teacher.peak_memory_bytes or 0) > 0
    end = time.monotonic() + 60
    while worker_processes() and time.monotonic() < end:  # ending takes its time on a busy machine
        time.sleep(0.2)
    assert worker_processes() == []
    assert _evaluate(config, "spread").asked == {"teacher": 0, "student": 0}


@pytest.mark.usefixtures("_ray")
def test_a_request_that_kills_its_worker_is_one_recorded_error(tmp_path: Path) -> None:
    """All others are answered, none of them more often than workers died over its batch."""
    deadly = "very good plot very good plot very good plot w2"
    config = _project(
        tmp_path, [_hashing(tmp_path, "teacher", deadly=deadly), _hashing(tmp_path, "student")]
    )
    rows = [json.loads(line)["t"] for line in (tmp_path / "reviews.jsonl").read_text().splitlines()]
    assert rows.count(deadly) == 1
    done = _evaluate(config, "out")
    assert done.failures["student"].total() == 0
    [(reason, count)] = done.failures["teacher"].items()
    assert count == 1
    assert reason.startswith("WorkerDied: ")
    pairs = done.run.pairs()
    failed = pairs[pairs["teacher_error"].notna()]
    assert failed["sample_id"].tolist() == [str(1 + rows.index(deadly))]
    asked = _asked_of(tmp_path / "teacher.log")
    assert set(asked) == {str(1 + i) for i in range(40)}
    assert sum(count > 1 for count in asked.values()) <= 8
    assert max(_asked_of(tmp_path / "student.log").values()) == 1


@pytest.mark.usefixtures("_ray")
def test_another_model_on_the_worker_is_refused(tmp_path: Path) -> None:
    """Weights that change between the driver's look and the worker's, or are not there."""
    (tmp_path / "weights").write_text("1")
    config = _project(
        tmp_path, [_hashing(tmp_path, "teacher", path="weights"), _hashing(tmp_path, "student")]
    )

    def change(name: str, done: int, total: int) -> None:
        (tmp_path / "weights").write_text("2")

    with pytest.raises(ModelError, match=r"teacher: a worker's model is not the driver's"):
        _evaluate(config, "changed", change)
    with pytest.raises(ModelError, match=r"teacher: there is no '.*weights': workers read files"):
        _evaluate(config, "gone", lambda *_: (tmp_path / "weights").rename(tmp_path / "moved"))
    assert not (tmp_path / "teacher.log").exists()
    assert not (tmp_path / "changed" / "run.json").exists()


@pytest.mark.usefixtures("_ray")
def test_ensembles_go_through_workers_and_what_counts_its_calls_stays(tmp_path: Path) -> None:
    """Members are asked once each, one after the other; an API and a log need no worker."""
    members = [_hashing(tmp_path, name) for name in ("a", "b")]
    config = _project(
        tmp_path,
        [{"name": "teacher", "type": "ensemble", "members": members},
         _hashing(tmp_path, "api", "Limited")],
        samples=12,
    )  # fmt: skip
    done = _evaluate(config, "out")
    for name in ("a", "b"):
        assert set(_asked_of(tmp_path / f"{name}.log").values()) == {1}
    asked_in = {line.split()[0] for line in (tmp_path / "api.log").read_text().splitlines()}
    assert asked_in == {str(os.getpid())}
    assert done.run.manifest.teacher.workers is not None
    assert done.run.manifest.students[0].workers is None
    _assert_equal(_locally(config), done)


@pytest.mark.usefixtures("_ray")
def test_rankings_and_repeats(tmp_path: Path) -> None:
    """A corpus is sent once a worker; `kdeval aa` asks the same model again over there."""
    documents = [{"id": f"d{i}", "text": "abcdefgh"[i % 8] * 3 + "abc"} for i in range(16)]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents))
    (tmp_path / "mine_on_ray.py").write_text(_MODELS)
    rows = [{"t": "abcdefgh"[i % 8] * (2 + i), "y": [f"d{i % 8}"]} for i in range(10)]
    _write_suite(tmp_path, "search", rows, kind="retrieval", input="t", reference={"column": "y"},
                 corpus={"data": "corpus.jsonl", "id": "id", "text": "text"})  # fmt: skip
    models = [{"name": name, "type": "mine_on_ray:Letters"} for name in ("teacher", "student")]
    _write_config(tmp_path, ["search.yaml"], models)
    config = tmp_path / "kdeval.yaml"
    done = _evaluate(config, "out")
    _assert_equal(_locally(config), done)
    with ray_cluster(RaySettings(workers=1)) as cluster:
        again = compare_with_itself(
            load_config(config), tmp_path / "out", base=tmp_path, vary=("repeat",),
            progress=lambda *_: None, cluster=cluster,
        )  # fmt: skip
    assert again.asked == 10


_AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""Ray's own, that hold no model: a minute or more after a kill -9 they end by themselves."""


def _running_with(mark: str) -> list[str]:
    """Processes, of whatever parent, that were started with the mark in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return [command for command in found if command and not command.startswith(_AGENTS)]


def _runs(pid: int) -> bool:
    """Whether a process still runs: one that ended stays listed where the first process of a
    container collects nobody's children.
    """
    try:
        state = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def _left(mark: str, workers: set[int]) -> list[str]:
    """What is left of the workers and of what was started with the mark, in a minute at most."""
    deadline = time.monotonic() + 60
    while True:
        left = [f"worker {pid}" for pid in sorted(workers) if _runs(pid)] + _running_with(mark)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_nothing_runs_on_when_the_driver_is_interrupted_or_killed(tmp_path: Path) -> None:
    """The command line with a cluster of its own: Ctrl-C ends it soon and says how to go on, a
    kill -9 leaves no worker either, and the same command without Ray asks only the rest.
    """
    config = _project(
        tmp_path, [_hashing(tmp_path, "teacher"), _hashing(tmp_path, "student")], samples=2_000
    )
    command = [sys.executable, "-m", "kdeval", "run", config.name, "--out", "out", "--executor",
               "ray", "--workers", "2"]  # fmt: skip
    log, mark = tmp_path / "teacher.log", f"KDEVAL_TEST_{uuid.uuid4().hex}"
    for sent in (signal.SIGINT, signal.SIGKILL):
        before = len(_asked_of(log)) if log.exists() else 0
        driver = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, mark: "1"}, stderr=subprocess.PIPE, text=True
        )
        while not log.exists() or len(_asked_of(log)) < before + 40:
            assert driver.poll() is None, driver.stderr and driver.stderr.read()
            time.sleep(0.01)
        driver.send_signal(sent)
        _, error = driver.communicate(timeout=60)
        if sent == signal.SIGINT:
            assert driver.returncode == 130, error
            assert "interrupted: the same command goes on where it was" in error
            assert "Traceback" not in error
        workers = {int(line.split()[0]) for line in log.read_text().splitlines()}
        assert workers
        assert not _left(mark, workers)
        assert not (tmp_path / "out" / "run.json").exists()
    shutil.copy(log, tmp_path / "before.log")
    done = evaluate(load_config(config), tmp_path / "out", base=tmp_path)
    assert done.cached["teacher"] >= 40
    assert done.asked["teacher"] == 2_000 - done.cached["teacher"]
    assert done.failures == {"teacher": Counter(), "student": Counter()}


def test_without_ray_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named before anything is asked."""
    for name in [*sys.modules]:
        if name.startswith(("ray.", "kdeval.run.ray_exec", "kdeval.run.worker_pool")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kdeval\[ray\]'"):
        ray_cluster(RaySettings())
