"""A killed run goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from tests.cli.conftest import write_config

KILLS = 10
BATCH = 8


def _start(project: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "kdeval", "run", "kdeval.yaml", *arguments],
        cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def _stored(run: Path) -> int:
    file = run / "predictions.sqlite"
    if not file.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM responses").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def _asked(log: Path) -> list[str]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.partition(" ")[2] for line in lines]


def test_kill_minus_nine_ten_times(project: Path) -> None:
    """Labels and counts equal an uninterrupted run's, probabilities within 1e-5.

    Nothing that was stored is asked again: what is asked twice is at most the one batch that was
    in flight at each kill.
    """
    whole = _start(project, "--out", "whole")
    assert whole.wait(timeout=120) == 0, whole.stderr
    write_config(project, delay_s=0.05, log="asked.log")
    chance = random.Random(20261121)
    run, log = project / "killed", project / "asked.log"
    killed_midway = 0
    for _ in range(KILLS):
        before, asked_before = _stored(run), len(_asked(log))
        process = _start(project, "--out", "killed")
        deadline = time.monotonic() + 60
        while len(_asked(log)) == asked_before and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.25))
        killed_midway += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        newly = len(set(_asked(log)[asked_before:]))
        assert _stored(run) >= before + newly - BATCH
    assert killed_midway == KILLS
    last = _start(project, "--out", "killed")
    _, error = last.communicate(timeout=120)
    assert last.returncode == 0, error.decode()
    asked = _asked(log)
    assert set(asked) == {f"{name} w{index}" for name in "bs" for index in range(240)}
    assert len(asked) - len(set(asked)) <= KILLS * BATCH
    _assert_same(project / "whole", run)


def test_what_is_stored_is_never_asked_again(project: Path) -> None:
    """A second run of the same configuration asks nothing; a new student only its own."""
    write_config(project, log="asked.log")
    for _ in range(2):
        process = _start(project, "--out", "run")
        assert process.wait(timeout=120) == 0
    asked = _asked(project / "asked.log")
    assert len(asked) == len(set(asked)) == 480


def test_ctrl_c_keeps_what_was_answered(project: Path) -> None:
    """Interrupted: exit code 130, words that say how to go on, and no run.json."""
    write_config(project, delay_s=0.05, log="asked.log")
    process = _start(project, "--out", "run")
    while len(_asked(project / "asked.log")) < 5 * BATCH:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"goes on where it was" in error
    assert b"Traceback" not in error
    assert _stored(project / "run") >= 4 * BATCH
    assert not (project / "run" / "run.json").exists()


def _assert_same(left: Path, right: Path) -> None:
    one, other = (pd.read_parquet(path / "pairs.parquet") for path in (left, right))
    for column in one.columns:
        if column.endswith(("_cached", "_key")):  # a delay and a log make another fingerprint
            continue
        if one[column].isna().all():
            assert other[column].isna().all()
        elif column.endswith("_log_probs"):
            assert np.allclose(np.stack(one[column]), np.stack(other[column]), atol=1e-5)
        else:
            pd.testing.assert_series_equal(one[column], other[column], check_dtype=False)
