"""Repeated prompts are no new evidence: gate, looks, report and router count distinct prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdeval.compare.compute import compare_run
from kdeval.config.schema import load_config
from kdeval.gate.decide import judge
from kdeval.gate.decision import GateDecision
from kdeval.gate.policy import load_policy
from kdeval.report.gate_markdown import gate_markdown
from kdeval.routing.samples import load_samples
from kdeval.store.run_directory import RunDirectory
from kdeval.workflows.evaluate import evaluate
from kdeval.workflows.until_decided import ask_until_decided

NOTE = "s: 400 samples ask 20 distinct prompts: samples of one prompt count as one cluster"


def write(path: Path, **suite: str) -> None:
    """400 samples that ask 20 prompts; the models answer alike, right on 19 of them."""
    rows = [{"id": i, "text": f"prompt {i % 20}", "label": "yes"} for i in range(400)]
    (path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {
        "name": "s", "kind": "classification", "data": "data.jsonl", "id": "id",
        "input": "{{ text }}", "reference": "{{ label }}", "labels": ["yes", "no"],
    }  # fmt: skip
    (path / "suite.yaml").write_text(json.dumps(settings | suite))
    answers = [{"id": i, "output": "no" if i % 20 == 7 else "yes"} for i in range(400)]
    (path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    models = [
        {
            "name": name, "type": "recorded", "path": str(path / "answers.jsonl"),
            "columns": {"id": "id", "output": "output"},
        }
        for name in ("big", "small")
    ]  # fmt: skip
    config = {"suites": ["suite.yaml"], "teacher": models[0], "students": models[1:]}
    (path / "kdeval.yaml").write_text(json.dumps(config | {"latency_probe": False}))


def run_of(path: Path, **suite: str) -> RunDirectory:
    write(path, **suite)
    evaluate(load_config(path / "kdeval.yaml"), path / "run", base=path)
    return RunDirectory.open(path / "run")


def policy(path: Path, promise: str) -> Path:
    file = path / "gate.yaml"
    file.write_text(f"promise: {promise}\nrules:\n  - {{metric: difference, min: -0.02}}\n")
    return file


def gate(run: RunDirectory, promise: str) -> GateDecision:
    return judge(run, compare_run(run), load_policy(policy(run.path.parent, promise)))


@pytest.mark.parametrize("promise", ["asymptotic", "strict"])
def test_repeats_do_not_carry_a_pass(tmp_path: Path, promise: str) -> None:
    """400 samples would pass; the 20 prompts that they ask do not, and it is said everywhere."""
    run = run_of(tmp_path)
    entry = run.manifest.suites[0]
    assert (entry.clustered, entry.distinct_prompts, entry.notes) == (True, 20, (NOTE,))
    assert f"{NOTE}." in compare_run(run).notes
    decision = gate(run, promise)
    (rule,) = decision.rules
    assert (decision.verdict, rule.n, rule.clusters) == ("inconclusive", 400, 20)
    assert decision.notes == (NOTE,)
    assert "400 samples ask 20 distinct prompts" in gate_markdown([decision])


def test_a_cluster_of_each_row_says_that_they_are_independent(tmp_path: Path) -> None:
    """Draws of traffic that repeats itself."""
    run = run_of(tmp_path, cluster="id")
    entry = run.manifest.suites[0]
    assert (entry.clustered, entry.distinct_prompts, entry.notes) == (True, None, ())
    decision = gate(run, "asymptotic")
    assert (decision.verdict, decision.rules[0].clusters, decision.notes) == ("pass", None, ())


def test_a_look_asks_whole_prompts(tmp_path: Path) -> None:
    write(tmp_path)
    done = ask_until_decided(
        load_config(tmp_path / "kdeval.yaml"), tmp_path / "run",
        policy=policy(tmp_path, "asymptotic"), base=tmp_path,
    )  # fmt: skip
    assert done.decision.verdict == "inconclusive"
    assert NOTE in done.evaluated.warnings
    looks = done.evaluated.run.looks()
    assert looks is not None
    assert looks.samples["s"] == (80, 160, 240, 320, 400)
    assert looks.units["s"]["all"] == (4, 8, 12, 16, 20)


def test_a_router_takes_the_prompt_itself_as_unit(tmp_path: Path) -> None:
    """Which is the same prompt in every suite and run."""
    samples = load_samples(run_of(tmp_path), students=("small",), metrics={"s": "label"})
    assert not samples.clustered
    assert set(samples.units) == {f"text\0{text}" for text in samples.texts}
    assert len(set(samples.units)) == 20
