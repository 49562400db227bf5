"""What `kdeval run` says of answers that are odd, and of those that are missing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

Kdeval = Callable[..., subprocess.CompletedProcess[str]]


def test_asking_again_is_offered_only_where_it_can_help(
    recorded_project: Path, kdeval: Kdeval
) -> None:
    """A log without an answer stays without one; a live model may answer the next time."""
    file = recorded_project / "predictions.csv"
    config = recorded_project / "kdeval.yaml"
    config.write_text(
        config.read_text()
        + "  - {name: noise, type: echo, fail_share: 0.5}\nlatency_probe: false\n"
    )
    file.write_text(_without_answer(file.read_text(), {7, 8}))
    said = kdeval("run", "kdeval.yaml", "--out", "run").stdout
    assert "small: 298 answered now, 2 failed (the log has no answer to those)" in said
    (noise,) = [line for line in said.splitlines() if line.startswith("noise: ")]
    assert noise.endswith("failed (the same command asks those again)")


def _without_answer(text: str, rows: set[int]) -> str:
    """The same CSV where the last cell of those rows is empty."""
    head, *lines = text.splitlines()
    kept = [
        line.rpartition(",")[0] + "," if index in rows else line for index, line in enumerate(lines)
    ]
    return "\n".join((head, *kept)) + "\n"
