"""What `kdeval run` says of answers that are odd, and of those that are missing."""

from __future__ import annotations

import json
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
    said = kdeval("run", "kdeval.yaml", "--out", "my rün/1").stdout
    assert said.endswith("\nnext: kdeval report 'my rün/1'\n")
    assert "small: 298 answered now, 2 failed (the log has no answer to those)" in said
    (noise,) = [line for line in said.splitlines() if line.startswith("noise: ")]
    assert noise.endswith("failed (the same command asks those again)")


def test_outputs_that_are_no_labels_are_told(recorded_project: Path, kdeval: Kdeval) -> None:
    """They count as wrong, and a wrong mapping looks just so; case and spaces are forgiven."""
    file = recorded_project / "predictions.csv"
    head, *lines = file.read_text().splitlines()
    last = {3: "spam", 4: "spam", 5: "x" * 100_000, 6: " NO", 7: ""}
    cells = [
        line.rpartition(",")[0] + "," + last[i] if i in last else line
        for i, line in enumerate(lines)
    ]
    file.write_text("\n".join((head, *cells)) + "\n")
    done = kdeval("run", "kdeval.yaml", "--out", "run")
    told = (
        "small: 3 of 299 outputs are no label of questions, for example 'spam': they count as wrong"
    )
    assert f"warning: {told}" in done.stdout.splitlines()
    assert "big: " not in done.stdout.partition("warning: ")[2]
    assert kdeval("report", "run", "--format", "json").returncode == 0
    report = recorded_project / "run" / "report" / "report.json"
    assert told in json.loads(report.read_text())["notes"]
    assert kdeval("report", "run", "--format", "json", "--no-text").returncode == 0
    assert "spam" not in report.read_text()
    assert "3 of 299 outputs are no label of questions: they count" in report.read_text()


def test_a_live_model_s_outputs_are_told_alike(tmp_path: Path, kdeval: Kdeval) -> None:
    """A long one is cut short."""
    (tmp_path / "talkers.py").write_text(
        "from kdeval.records import Response\n\n"
        "class Talker:\n"
        "    def __init__(self, said):\n"
        "        self.said, self.fingerprint = said, said[:9]\n"
        "    def classify(self, requests):\n"
        "        return [Response(output=self.said) for _ in requests]\n"
    )
    (tmp_path / "data.jsonl").write_text(
        "".join(
            json.dumps({"id": str(i), "text": f"t{i}", "label": "yes"}) + "\n" for i in range(9)
        )
    )
    (tmp_path / "suite.yaml").write_text(
        'name: words\nkind: classification\ndata: data.jsonl\nid: id\ninput: "{{ text }}"\n'
        'reference: "{{ label }}"\nlabels: ["yes", "no"]\n'
    )
    models = [
        {"name": name, "type": "talkers:Talker", "options": {"said": said}}
        for name, said in (("big", "Yes "), ("small", "well, " * 50))
    ]
    config = {
        "suites": ["suite.yaml"],
        "teacher": models[0],
        "students": models[1:],
        "latency_probe": False,
    }
    (tmp_path / "kdeval.yaml").write_text(json.dumps(config))
    done = kdeval("run", "kdeval.yaml", "--out", "run")
    assert done.returncode == 0, done.stderr
    (told,) = [line for line in done.stdout.splitlines() if "no label" in line]
    assert told.startswith(
        "warning: small: 9 of 9 outputs are no label of words, for example 'well,"
    )
    assert told.endswith("'...: they count as wrong")
    assert len(told) < 160


def _without_answer(text: str, rows: set[int]) -> str:
    """The same CSV where the last cell of those rows is empty."""
    head, *lines = text.splitlines()
    kept = [
        line.rpartition(",")[0] + "," if index in rows else line for index, line in enumerate(lines)
    ]
    return "\n".join((head, *kept)) + "\n"
