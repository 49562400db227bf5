"""The probe interleaves the models, keeps what it measured, and measures nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kdeval.latency.probe import probe, probe_is_current
from kdeval.models.protocols import Request
from kdeval.records import Response


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
    requests = [
        Request(sample_id=str(i), suite="x", kind="classification", input=f"t{i}", labels=("a",))
        for i in range(7)
    ]
    seen: list[tuple[int, int]] = []
    file = tmp_path / "latency.parquet"
    settings = {"models": "abc"}
    probe(models, requests, rounds=20, warmup=3, seed=0, file=file, settings=settings,
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
    assert probe_is_current(file, settings)
    assert not probe_is_current(file, {"models": "abd"})
    assert not probe_is_current(tmp_path / "nothing", settings)
