"""A cache spares calls: it never gives a wrong answer, and nothing about it stops a run."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kdeval.errors import StoreError
from kdeval.models.echo import EchoModel
from kdeval.records import Response, Timing
from kdeval.run.origin import origin_of
from kdeval.store.cache import database, shared
from kdeval.store.cache.origin import Origin
from kdeval.store.cache.shared import SharedCache
from kdeval.store.predictions import PredictionStore

TEACHER = Origin(name="teacher", type="Api", fingerprint="f" * 64, suites={"k": "words"})
FULL = Response(
    output="ja\u0000\ud7ff",
    log_probs={"a": -0.5, "b": float("-inf")},
    input_tokens=3,
    output_tokens=0,
    timing=Timing(origin="wall", total_s=0.25),
    cost_usd=0.125,
)


def _filled(directory: Path, count: int = 1, origin: Origin = TEACHER) -> list[str]:
    keys = ["k", *(f"{index:064d}" for index in range(count - 1))]
    with SharedCache(directory) as cache:
        cache.put(dict.fromkeys(keys, FULL), origin)
    return keys


def _damage(directory: Path, statement: str) -> None:
    with sqlite3.connect(directory / database.CACHE_FILE) as connection:
        connection.execute(statement)
    connection.close()


def test_an_answer_comes_back_as_it_was(tmp_path: Path) -> None:
    """With its latency and its cost; an error is no answer, and another key none of its."""
    with SharedCache(tmp_path) as cache:
        cache.put({"k": FULL, "e": Response(error="boom")}, TEACHER)
    with SharedCache(tmp_path) as cache:
        assert cache.get(["k", "e", "other"], TEACHER) == {"k": FULL}
        assert cache.read == {"teacher": 1}
        assert cache.problems == ()


def test_a_run_s_store_takes_from_the_cache_and_adds_to_it(tmp_path: Path) -> None:
    """What the cache has is copied, so that the run's store has it without the cache."""
    with SharedCache(tmp_path / "c") as cache, PredictionStore(tmp_path / "a", shared=cache) as one:
        assert one.answered(["k"], TEACHER) == set()
        one.put({"k": FULL}, TEACHER)
    with SharedCache(tmp_path / "c") as cache, PredictionStore(tmp_path / "b", shared=cache) as two:
        assert two.answered(["k", "x"], TEACHER) == {"k"}
    with PredictionStore(tmp_path / "b") as alone:
        assert alone.get(["k"]) == {"k": FULL}


def test_a_store_with_answers_fills_a_cache_that_came_later(tmp_path: Path) -> None:
    """So answers that a kill kept out of the cache get there with the next run, too."""
    with PredictionStore(tmp_path / "a") as alone:
        alone.put({"k": FULL, "e": Response(error="boom")})
    with SharedCache(tmp_path / "c") as cache, PredictionStore(tmp_path / "a", shared=cache) as one:
        assert one.answered(["k", "e"], TEACHER) == {"k"}
    with SharedCache(tmp_path / "c") as cache:
        assert cache.get(["k", "e"], TEACHER) == {"k": FULL}


def test_what_was_just_added_is_not_added_again(tmp_path: Path) -> None:
    """A run that looks several times asks its store again for what the cache has yet to write."""
    with SharedCache(tmp_path / "c") as cache, PredictionStore(tmp_path / "a", shared=cache) as one:
        one.put({"k": FULL}, TEACHER)
        for _ in range(3):
            assert one.answered(["k"], TEACHER) == {"k"}
    assert cache.written == {"teacher": 1}


def test_answers_without_an_origin_are_not_shared(tmp_path: Path) -> None:
    """Recorded answers, ensembles and models that say so have none."""
    with SharedCache(tmp_path / "c") as cache, PredictionStore(tmp_path / "a", shared=cache) as one:
        one.put({"k": FULL})
        one.answered(["k"])
        model = EchoModel()
        assert origin_of(one, "m", model, "f") is not None
        model.shareable = False  # type: ignore[attr-defined]
        assert origin_of(one, "m", model, "f") is None
        recorded = EchoModel()
        recorded.answers_by_id = True  # type: ignore[attr-defined]
        assert origin_of(one, "m", recorded, "f") is None
    with PredictionStore(tmp_path / "b") as two:
        assert origin_of(two, "m", EchoModel(), "f") is None
    with SharedCache(tmp_path / "c") as cache:
        assert cache.get(["k"], TEACHER) == {}


def test_classes_of_different_source_share_nothing(tmp_path: Path) -> None:
    """Two projects may give two classes of theirs one name and one fingerprint."""
    _filled(tmp_path, origin=replace(TEACHER, scope="one source"))
    with SharedCache(tmp_path) as cache:
        assert cache.get(["k"], replace(TEACHER, scope="another")) == {}
        assert cache.get(["k"], replace(TEACHER, scope="one source")) == {"k": FULL}


def test_expired_answers_are_not_served_and_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alias whose model may change is asked again after a while; others are good for good."""
    alias = replace(TEACHER, expires_after_s=3600.0)
    _filled(tmp_path)
    now = time.time()
    monkeypatch.setattr(shared.time, "time", lambda: now + 7200)
    with SharedCache(tmp_path) as cache:
        assert cache.get(["k"], alias) == {}
        assert cache.get(["k"], TEACHER) == {"k": FULL}
        cache.put({"k": Response(output="new")}, alias)
    with SharedCache(tmp_path) as cache:
        assert cache.get(["k"], alias)["k"].output == "new"


def test_fresh_serves_nothing_and_replaces(tmp_path: Path) -> None:
    """Asked again on purpose, the new answer counts from then on."""
    _filled(tmp_path)
    with SharedCache(tmp_path, fresh=True) as cache:
        assert cache.get(["k"], TEACHER) == {}
        cache.put({"k": Response(output="new")}, TEACHER)
    with SharedCache(tmp_path) as cache:
        assert cache.get(["k"], TEACHER)["k"].output == "new"


@pytest.mark.parametrize(
    "damage",
    [
        "body = replace(body, '0.25', '0.26')",
        "body = substr(body, 1, 20)",
        "body = CAST(x'ff00fe' AS TEXT)",
        "created = created + 1",
        "checksum = ''",
        "key = 'x'",
    ],
)
def test_a_damaged_row_is_no_answer(tmp_path: Path, damage: str) -> None:
    """It is left out, counted and told, and the next answer takes its place."""
    _filled(tmp_path)
    _damage(tmp_path, f"UPDATE answers SET {damage}")
    key = "x" if damage.startswith("key") else "k"
    with SharedCache(tmp_path) as cache:
        assert cache.get([key], TEACHER) == {}
        assert cache.damaged == 1
        assert "1 damaged answer left out" in cache.problems[0]
        cache.put({key: FULL}, TEACHER)
    with SharedCache(tmp_path) as cache:
        assert cache.get([key], TEACHER) == {key: FULL}


def test_a_file_damaged_in_places_still_serves_the_rest(tmp_path: Path) -> None:
    """Pages overwritten with noise take their rows with them, and no others; no wrong answer."""
    keys = _filled(tmp_path, 2_000)
    file = tmp_path / database.CACHE_FILE
    data = bytearray(file.read_bytes())
    for page in (40, 41, 90):
        data[page * 4096 : (page + 1) * 4096] = bytes(range(256)) * 16
    file.write_bytes(bytes(data))
    with SharedCache(tmp_path) as cache:
        found = cache.get(keys, TEACHER)
        assert all(response == FULL for response in found.values())
        assert 1_000 < len(found) < 2_000
        assert cache.damaged >= 2_000 - len(found) - 500
        cache.put({"new": FULL}, TEACHER)


@pytest.mark.parametrize("damage", ["garbage", "cut off", "version", "directory"])
def test_a_cache_that_cannot_be_opened_is_refused_and_left_alone(
    tmp_path: Path, damage: str
) -> None:
    """Before anything is asked again that it was to spare; the message says what to do."""
    if damage == "garbage":
        (tmp_path / database.CACHE_FILE).write_bytes(b"not a database at all" * 100)
    elif damage == "cut off":
        _filled(tmp_path, 100)
        os.truncate(tmp_path / database.CACHE_FILE, 8192)
    elif damage == "version":
        _filled(tmp_path)
        _damage(tmp_path, "PRAGMA user_version=7")
    else:
        (tmp_path / database.CACHE_FILE).mkdir()
    said = {
        "garbage": "file is not a database.*verify .* --repair",
        "cut off": "malformed.*verify .* --repair",
        "version": "cache version 7.*--cache",
        "directory": "unable to open.*--cache",
    }
    with pytest.raises(StoreError, match=said[damage]):
        SharedCache(tmp_path)
    with pytest.raises(StoreError):  # it holds no lock, and mended nothing by itself
        SharedCache(tmp_path)


def test_a_lock_that_is_not_let_go_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds the file for too long costs the cache, not the run."""
    monkeypatch.setattr(database, "_WAIT_S", 0.01)
    _filled(tmp_path)
    holder = sqlite3.connect(tmp_path / database.CACHE_FILE, isolation_level=None)
    with SharedCache(tmp_path) as cache:
        holder.execute("BEGIN EXCLUSIVE")
        assert cache.get(["k"], TEACHER) == {}
        cache.put({"x": FULL}, TEACHER)
    holder.close()
    assert any("locked" in line for line in cache.problems)


_WRITER = """
import sys, time
from pathlib import Path
from kdeval.records import Response
from kdeval.store.cache import shared
from kdeval.store.cache.origin import Origin
shared._FLUSH_S = 0.0
name, first, count = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with shared.SharedCache(Path(sys.argv[1])) as cache:
    for index in range(first, first + count):
        cache.put({f"{index:064d}": Response(output=f"answer {index}")},
                  Origin(name=name, type="T", fingerprint=name))
        print(index, flush=True)
    print(cache.problems, flush=True)
"""


def _writer(directory: Path, name: str, first: int, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(directory), name, str(first), str(count)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_processes_write_and_one_is_killed(tmp_path: Path) -> None:
    """What either had flushed is there, as it was written, and the file is sound."""
    steady, killed = _writer(tmp_path, "a", 0, 150), _writer(tmp_path, "b", 100_000, 100_000)
    assert killed.stdout is not None
    told = [int(killed.stdout.readline()) for _ in range(40)]
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    out, _ = steady.communicate(timeout=60)
    assert steady.returncode == 0
    assert out.splitlines()[-1] == "()"
    origin = Origin(name="b", type="T", fingerprint="b")
    with SharedCache(tmp_path) as cache:
        written = [*range(150), *told]
        found = cache.get([f"{index:064d}" for index in written], origin)
        assert [found[f"{index:064d}"].output for index in written] == [
            f"answer {index}" for index in written
        ]
        assert cache.problems == ()
