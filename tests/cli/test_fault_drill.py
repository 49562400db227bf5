"""The fault drill: an API that fails in all ways at 30 % of the requests, and kill -9 on top.

Every sample ends answered or recorded as an error, none twice, none lost.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from kdeval.config.schema import load_config
from kdeval.workflows.evaluate import evaluate
from tests.api_server import TRANSIENT, ApiServer, Body, Fault, Reply, asked_text, seeded_faults

SAMPLES = 36
CURSED = 2
AT_ONCE = 12
KEY = "sk-drill-0123456789abcdef"
MODELS = ("whole", "streamed")
DRAWN = seeded_faults(0.3, seed=11)


def label_of(number: int) -> str:
    """What the model behind the API answers: wrong at every fourth number."""
    return "even" if number % 2 == 0 and number % 4 else "odd"


def answer(body: Body) -> Reply:
    number = int(asked_text(body).split()[1])
    return Reply(content=label_of(number), token_delay_s=0.002)


def fault(key: str, attempt: int) -> Fault | None:
    """30 % of the attempts fail, each in its own way; the cursed samples always."""
    if "cursed" in key:
        return ("500", "reset", "empty_choices", "truncated_json")[attempt % 4]  # type: ignore[return-value]
    return DRAWN(key, attempt)


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer(answer, fault=fault) as running:
        yield running


def write_project(folder: Path, server: ApiServer) -> None:
    """Two models behind the API, one of them streamed: each asks every sample."""
    rows = [
        {
            "id": f"n{i}",
            "text": f"number {i}" + (" cursed" if i < CURSED else ""),
            "label": "even" if i % 2 == 0 else "odd",
        }
        for i in range(SAMPLES)
    ]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "suite.yaml").write_text(
        'name: numbers\nkind: classification\ndata: data.jsonl\nid: id\ninput: "{{ text }}"\n'
        'reference: "{{ label }}"\nlabels: [even, odd]\n'
    )
    models = [
        {
            "name": name, "type": "api", "model": f"openai/{name}-2026-01-01",
            "api_base": server.url, "api_key_env": "DRILL_KEY", "stream": name == "streamed",
            "timeout_s": 4.0, "stall_s": 2.0, "max_concurrency": AT_ONCE,
            "retries": {"attempts": 6, "total_s": 60},
        }
        for name in MODELS
    ]  # fmt: skip
    config = {"suites": ["suite.yaml"], "teacher": models[0], "students": models[1:]}
    (folder / "kdeval.yaml").write_text(json.dumps(config))


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kdeval", "run", "kdeval.yaml", "--out", "run"], cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "DRILL_KEY": KEY},
    )  # fmt: skip


def stored(run: Path) -> int:
    """Answers in the store that are no errors, while it is being written."""
    try:
        with sqlite3.connect(f"file:{run / 'predictions.sqlite'}?mode=ro", uri=True) as store:
            return int(
                store.execute("SELECT count(*) FROM responses WHERE failed = 0").fetchone()[0]
            )
    except sqlite3.OperationalError:
        return 0


def assert_whole(run: Path) -> None:
    """Every sample once, with the label that the model behind the API gives, or as an error."""
    pairs = pd.read_parquet(run / "pairs.parquet").set_index("sample_id")
    assert sorted(pairs.index) == sorted(f"n{i}" for i in range(SAMPLES))
    for side in ("teacher", "student"):
        outputs = pairs[f"{side}_output"].dropna()
        assert dict(outputs) == {f"n{i}": label_of(i) for i in range(CURSED, SAMPLES)}
        errors = pairs[f"{side}_error"].dropna()
        assert sorted(errors.index) == [f"n{i}" for i in range(CURSED)]
        assert errors.str.startswith("given up after 6 attempts").all()
    assert stored(run) == 2 * (SAMPLES - CURSED)
    assert not any(KEY.encode() in path.read_bytes() for path in run.iterdir())


def answered(server: ApiServer) -> Counter[tuple[str, str]]:
    """(model, what was asked) to how often it was answered whole."""
    return Counter(
        (str(asked.body["model"]), asked_text(asked.body))
        for asked in server.asked
        if asked.fault is None
    )


def test_the_drill_in_one_go(
    tmp_path: Path, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sample ends right or as an error; none is answered twice, and every fault was met."""
    write_project(tmp_path, server)
    monkeypatch.setenv("DRILL_KEY", KEY)
    done = evaluate(load_config(tmp_path / "kdeval.yaml"), tmp_path / "run")
    assert_whole(tmp_path / "run")
    plain = [asked.fault for asked in server.asked if "cursed" not in asked.key]
    assert set(TRANSIENT) <= set(plain)
    assert 0.2 < sum(fault is not None for fault in plain) / len(plain) < 0.4
    assert set(answered(server).values()) == {1}
    assert len(answered(server)) == 2 * (SAMPLES - CURSED)
    summary = "\n".join(done.summary)
    assert summary.count(f"{CURSED} failed") == 2
    assert KEY not in summary


def test_the_drill_with_a_kill(tmp_path: Path, server: ApiServer) -> None:
    """Killed by -9 in the middle, the same command ends as an undisturbed run does.

    What is answered twice was in the air at the kill, and nothing that was stored is asked again.
    It says nothing of what litellm leaves behind.
    """
    write_project(tmp_path, server)
    first = start(tmp_path)
    while stored(tmp_path / "run") < SAMPLES // 2:
        assert first.poll() is None, first.communicate()[0]
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    kept, before = stored(tmp_path / "run"), len(server.asked)
    assert not (tmp_path / "run" / "run.json").exists()
    last = start(tmp_path)
    said = last.communicate(timeout=240)[0]
    assert last.returncode == 0, said
    assert KEY not in said
    assert "Task was destroyed" not in said
    assert_whole(tmp_path / "run")
    assert sum(answered(server).values()) - len(answered(server)) <= AT_ONCE
    now = {(asked.body["model"], asked.key) for asked in server.asked[before:]}
    assert len(now) <= 2 * SAMPLES - kept
