"""The probe interleaves the models, keeps what it measured, and measures nothing twice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from kdeval.latency import rounds
from kdeval.latency.probe import ProbePlan, probe, probe_is_current
from kdeval.latency.rounds import ROUNDS_FILE, KeptRounds
from kdeval.models.protocols import Request
from kdeval.records import Response

REQUESTS = [
    Request(sample_id=str(i), suite="x", kind="classification", input=f"t{i}", labels=("a",))
    for i in range(7)
]


class Logged:
    """Notes its turns; fails on every fifth call if told to."""

    def __init__(self, name: str, turns: list[str], fails: bool = False) -> None:
        self.name, self.turns, self.fails = name, turns, fails
        self.fingerprint = name

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        assert len(requests) == 1
        self.turns.append(self.name)
        if self.fails and self.turns.count(self.name) % 5 == 0:
            return [Response(error="busy")]
        return [Response(output="a")]


def test_turns_rotate_and_failures_leave_no_number(tmp_path: Path) -> None:
    """Each round asks every model once, another first each time; a failure has no row."""
    turns: list[str] = []
    models = {name: Logged(name, turns, fails=name == "c") for name in "abc"}
    seen: list[tuple[int, int]] = []
    file = tmp_path / "latency.parquet"
    plan = ProbePlan(rounds=20, warmup=3, seed=0, settings={"models": "abc"})
    probe(models, REQUESTS, plan, file=file,
          progress=lambda done, total: seen.append((done, total)))  # fmt: skip
    rounds = [turns[start : start + 3] for start in range(0, len(turns), 3)]
    assert len(rounds) == 23
    assert all(sorted(members) == ["a", "b", "c"] for members in rounds)
    assert {members[0] for members in rounds} == {"a", "b", "c"}
    table = pd.read_parquet(file)
    counts = table.groupby("model").size()
    assert counts["a"] == counts["b"] == 20
    assert counts["c"] == 16
    assert (table["seconds"] > 0).all()
    assert seen[-1] == (23, 23)
    assert probe_is_current(file, plan)
    assert not probe_is_current(file, replace(plan, settings={"models": "abd"}))
    assert not probe_is_current(tmp_path / "nothing", plan)


class Interrupted(Logged):
    """Is pressed Ctrl-C at its `at`-th call."""

    def __init__(self, name: str, turns: list[str], at: int) -> None:
        super().__init__(name, turns)
        self.at = at

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        if self.turns.count(self.name) == self.at:
            raise KeyboardInterrupt
        return super().classify(requests)


def measure(folder: Path, plan: ProbePlan, *, at: int = 1000) -> list[str]:
    """Names in the order in which they were asked, until model b was asked that often."""
    turns: list[str] = []
    models = {"a": Logged("a", turns), "b": Interrupted("b", turns, at)}
    kept = KeptRounds(folder / ROUNDS_FILE, plan.digest)
    try:
        probe(models, REQUESTS, plan, file=folder / "latency.parquet", kept=kept,
              progress=lambda done, total: None)  # fmt: skip
    except KeyboardInterrupt:
        assert at < 1000
    return turns


def test_an_interrupted_probe_goes_on_with_its_whole_rounds(tmp_path: Path) -> None:
    """The round that was cut in half is measured again, none before it; then nothing is kept."""
    plan = ProbePlan(rounds=12, warmup=1, seed=0, settings={"models": "ab"})
    measure(tmp_path, plan, at=6)
    assert not (tmp_path / "latency.parquet").exists()
    before = KeptRounds(tmp_path / ROUNDS_FILE, plan.digest).rounds
    assert [[row["round"] for row in rows] for rows in before] == [[i, i] for i in range(5)]
    turns = measure(tmp_path, plan)
    assert turns.count("a") == turns.count("b") == 1 + 12 - 5
    table = pd.read_parquet(tmp_path / "latency.parquet")
    assert sorted(table["round"]) == sorted([*range(12), *range(12)])
    first = table[table["round"] < 5]["seconds"].tolist()
    assert first == [row["seconds"] for rows in before for row in rows]
    assert not (tmp_path / ROUNDS_FILE).exists()


def test_rounds_of_another_probe_machine_or_week_are_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a file that holds no rounds."""
    plan = ProbePlan(rounds=12, warmup=0, seed=0, settings={"models": "ab"})
    measure(tmp_path, plan, at=6)
    file = tmp_path / ROUNDS_FILE
    assert len(KeptRounds(file, plan.digest).rounds) == 6
    other = replace(plan, settings={"models": "ab of another fingerprint"})
    assert not KeptRounds(file, other.digest).rounds
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(rounds.platform, "node", lambda: "another")
        assert not KeptRounds(file, plan.digest).rounds
    with monkeypatch.context() as later:
        now = time.time()
        later.setattr(rounds.time, "time", lambda: now + 7 * 86_400)
        assert not KeptRounds(file, plan.digest).rounds
    file.write_text("[]")
    assert not KeptRounds(file, plan.digest).rounds
