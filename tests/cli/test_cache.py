"""A teacher is asked once, whatever number of students, directories and processes there are."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from kdeval.cli.main import main
from kdeval.store.cache.database import CACHE_FILE

Kdeval = Callable[..., subprocess.CompletedProcess[str]]
CacheCommand = Callable[..., tuple[int, str]]


def _configure(project: Path, student: str, *, delay_s: float = 0.0, **settings: object) -> str:
    """Writes a configuration with the project's teacher and that student; its file name."""
    options = {"delay_s": delay_s, "log": "asked.log"}
    model = "slow_model:Slow"
    config = {
        "suites": ["suite.yaml"],
        "cache": "answers",
        **settings,
        "teacher": {"name": "big", "type": model, "options": {"name": "b", **options}},
        "students": [{"name": student, "type": model, "options": {"name": student, **options}}],
    }
    (project / f"{student}.yaml").write_text(json.dumps(config))
    return f"{student}.yaml"


def _asked(project: Path) -> list[str]:
    """What was asked since this was last called: "model sample"."""
    log = project / "asked.log"
    if not log.exists():
        return []
    lines = [line.partition(" ")[2] for line in log.read_text().splitlines()]
    log.unlink()
    return lines


def test_a_second_student_costs_no_teacher_call(project: Path, kdeval: Kdeval) -> None:
    """In a run directory of its own, with the default latency probe; the comparison is whole."""
    first = kdeval("run", _configure(project, "s1"), "--out", "one")
    assert first.returncode == 0, first.stderr
    assert "cache " in first.stdout
    assert "added 240 of big, added 240 of s1" in first.stdout
    assert sum(line.startswith("b ") for line in _asked(project)) == 240 + 104
    second = kdeval("run", _configure(project, "s2"), "--out", "two")
    assert second.returncode == 0, second.stderr
    assert sorted(_asked(project)) == sorted(f"s2 w{index}" for index in range(240))
    assert "big: 0 answered now, 240 known from before" in second.stdout
    assert "read 240 of big, added 240 of s2" in second.stdout
    assert "latency was not probed" in second.stdout
    one, two = (pd.read_parquet(project / name / "pairs.parquet") for name in ("one", "two"))
    assert not one["teacher_cached"].any()
    assert two["teacher_cached"].all()
    assert not two["student_cached"].any()
    for column in ("output", "score", "confidence"):
        assert one[f"teacher_{column}"].equals(two[f"teacher_{column}"])
    elsewhere = {"KDEVAL_CACHE": str(project / "elsewhere")}
    for options in (("--limit", "40"), ("--limit", "40", "--fresh")):
        again = kdeval("run", "s2.yaml", "--out", "three", *options, **elsewhere)
        assert again.returncode == 0, again.stderr
        assert sum(line.startswith("b ") for line in _asked(project)) == 40 + 44


def test_two_runs_at_once_and_one_is_killed(project: Path, kdeval: Kdeval) -> None:
    """The other ends well and has asked the whole teacher, so the rerun asks it nothing."""
    files = [_configure(project, name, delay_s=0.05, latency_probe=False) for name in ("s1", "s2")]
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "kdeval", "run", file],
            cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for file in files
    ]  # fmt: skip
    store = project / "runs" / "s2" / "predictions.sqlite"
    deadline = time.monotonic() + 60
    while _stored(store) < 80 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(runs[1].pid, signal.SIGKILL)
    runs[1].wait()
    _, error = runs[0].communicate(timeout=60)
    assert runs[0].returncode == 0, error.decode()
    _asked(project)
    done = kdeval("run", "s2.yaml")
    assert done.returncode == 0, done.stderr
    assert "damaged" not in done.stdout
    asked = _asked(project)
    assert not any(line.startswith("b ") for line in asked)
    assert len(asked) == len(set(asked)) <= 240


def _stored(file: Path) -> int:
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM responses").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


@pytest.fixture
def cache_command(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs `kdeval cache ARGUMENTS` in this process; the exit code and what it said."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.chdir(project)
        monkeypatch.setattr(sys, "argv", ["kdeval", "cache", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return run


@pytest.fixture
def cached(project: Path, kdeval: Kdeval) -> Path:
    """The cache of a finished run over the project."""
    file = _configure(project, "s1", latency_probe=False)
    assert kdeval("run", file, "--out", "one").returncode == 0
    _asked(project)
    return project / "answers"


def test_a_damaged_cache_is_told_verified_and_mended(
    project: Path, kdeval: Kdeval, cache_command: CacheCommand, cached: Path
) -> None:
    """The run asks what is damaged; verify ends with 1 until it is repaired."""
    with sqlite3.connect(cached / CACHE_FILE) as connection:
        connection.execute('UPDATE answers SET body = \'{"output":"odd"}\' WHERE id <= 10')
    connection.close()
    code, said = cache_command("verify", "answers")
    assert code == 1
    assert "10 of 480 answers damaged (10 of big)" in said
    assert "next: kdeval cache verify answers --repair" in said
    done = kdeval("run", _configure(project, "s2", latency_probe=False), "--out", "two")
    assert done.returncode == 0, done.stderr
    assert "10 damaged answers left out" in done.stdout
    assert sum(line.startswith("b ") for line in _asked(project)) == 10
    assert cache_command("verify", "answers")[0] == 0
    (cached / CACHE_FILE).write_bytes(b"no database " * 500)
    done = kdeval("run", "s2.yaml", "--out", "three", "--limit", "20")
    assert done.returncode == 2
    assert "answers cannot be used (file is not a database)" in done.stderr
    assert "verify " in done.stderr
    assert not _asked(project)
    code, said = cache_command("verify", "answers", "--repair")
    assert (code, said.splitlines()[-1]) == (0, "rebuilt with 0 sound answers")


def test_listing_and_pruning(
    cache_command: CacheCommand, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: what there is, what would go, what went; and bad input is said to be."""
    head, one, two, line = cache_command("ls", "answers")[1].splitlines()
    assert head.split()[:3] == ["model", "type", "fingerprint"]
    assert sorted((one.split()[0], two.split()[0])) == ["big", "s1"]
    assert "unknown" in one
    assert line.startswith("480 answers in answers")
    said = cache_command("prune", "answers", "--model", "s1", "--dry-run")[1]
    assert "would go: 240 answers of s1" in said
    monkeypatch.setenv("KDEVAL_CACHE", "answers")
    assert "480 answers" in cache_command("ls")[1]
    assert "removed: 240 answers" in cache_command("prune", "--model", "s1")[1]
    assert "nothing to remove" in cache_command("prune", "--older-than", "1d")[1]
    assert "removed: 240" in cache_command("prune", "--keep", "0MB")[1]
    monkeypatch.delenv("KDEVAL_CACHE")
    for wrong, words in (
        (("prune", "answers"), "say what goes"),
        (("prune", "answers", "--model", "big"), "no model 'big'"),
        (("prune", "answers", "--keep", "many"), "such as 5GB"),
        (("prune", "answers", "--unused-for", "3"), "such as 12h"),
        (("ls", "nowhere"), "holds no cache"),
        (("verify", "nowhere"), "holds no cache"),
        (("ls",), "DIRECTORY"),
    ):
        code, said = cache_command(*wrong)
        assert code == 2, wrong
        assert words in said
