"""Whole runs by metrics that are no mean: the comparison, the gate and the router."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn.metrics import f1_score

from kdeval.compare.compute import compare_run
from kdeval.config.schema import load_config
from kdeval.errors import ConfigError, RoutingError
from kdeval.gate.decide import judge
from kdeval.gate.decision import RuleResult
from kdeval.gate.policy import GatePolicy
from kdeval.report.document import report_document
from kdeval.report.html.page import report_html
from kdeval.report.markdown import report_markdown
from kdeval.routing.suites import choose_suites
from kdeval.store.run_directory import RunDirectory
from kdeval.workflows.evaluate import evaluate

LABELS = ["low", "middle", "high"]
COLUMNS = ("label", "big", "small")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """400 labels by accuracy, macro-F1 and MCC, and as many texts by word error rate and BLEU."""
    folder = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(3)
    rows = []
    for index in range(400):
        label = LABELS[rng.choice(3, p=[0.6, 0.3, 0.1])]
        big = label if rng.random() < 0.92 else LABELS[rng.integers(3)]
        small = big if rng.random() < 0.94 else LABELS[rng.integers(3)]
        words = [f"w{w}" for w in rng.integers(0, 9, 12)]
        heard = [w if rng.random() > 0.04 else "mm" for w in words]
        less = [w if rng.random() > 0.03 else "mm" for w in heard]
        rows.append(
            dict(zip(COLUMNS, (label, big, small), strict=True), id=f"s{index}",
                 part="ab"[index % 2], document=f"d{index // 4}", said=" ".join(words),
                 big_text=" ".join(heard), small_text=" ".join(less))
        )  # fmt: skip
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    common: dict[str, Any] = {"data": "data.jsonl", "id": "id", "input": "id", "slices": ["part"]}
    _write(folder / "labels.yaml", common, name="labels", kind="classification", labels=LABELS,
           reference="label", scorers=["label", "macro_f1", "mcc"])  # fmt: skip
    _write(folder / "texts.yaml", common, name="texts", kind="generation", reference="said",
           cluster="document", scorers=["wer", "bleu"])  # fmt: skip
    ensemble = [
        {"name": name, "type": "tests.unit.compare.both_columns:BothColumns",
         "options": {"path": str(folder / "data.jsonl"), "column": name}}
        for name in ("big", "small")
    ]  # fmt: skip
    config = {"suites": ["labels.yaml", "texts.yaml"], "teacher": ensemble[0],
              "students": [ensemble[1]], "latency_probe": False}  # fmt: skip
    (folder / "kdeval.yaml").write_text(yaml.safe_dump(config))
    return evaluate(load_config(folder / "kdeval.yaml"), folder / "run").run


def _write(path: Path, common: dict[str, Any], **settings: Any) -> None:
    path.write_text(yaml.safe_dump(common | settings))


def test_every_cell_is_the_score_of_its_set(run: RunDirectory) -> None:
    student = compare_run(run).students[0]
    rows = [json.loads(line) for line in (run.path.parent / "data.jsonl").read_text().splitlines()]
    for slice_name, kept in (("all", rows), ("part=a", rows[::2]), ("part=b", rows[1::2])):
        cell = student.cell(suite="labels", metric="macro_f1", slice=slice_name)
        assert cell is not None
        truth, big, small = ([row[column] for row in kept] for column in COLUMNS)
        expected = f1_score(truth, small, average="macro")
        assert cell.student_score.estimate == pytest.approx(expected)
        assert cell.retention.estimate == pytest.approx(
            expected / f1_score(truth, big, average="macro")
        )
        assert cell.majority == pytest.approx(
            f1_score(truth, ["low"] * len(kept), average="macro", zero_division=0)
        )
        assert cell.retention.low < cell.retention.estimate < cell.retention.high
        assert "bootstrap" in cell.retention.method
        assert cell.flips is None


def test_of_errors_retention_is_teacher_over_student(run: RunDirectory) -> None:
    """So that less than 1 is a loss, whatever the direction."""
    cell = compare_run(run).students[0].cell(suite="texts", metric="wer")
    assert cell is not None
    assert cell.clusters == 100
    assert cell.student_score.estimate > cell.teacher_score.estimate
    assert cell.difference.low > 0
    assert cell.retention.estimate == pytest.approx(
        cell.teacher_score.estimate / cell.student_score.estimate
    )
    assert cell.retention.high < 1
    assert "cluster bootstrap" in cell.difference.method


def rule(run: RunDirectory, **settings: Any) -> RuleResult:
    policy = GatePolicy.model_validate({"rules": [settings]})
    return judge(run, compare_run(run), policy).rules[0]


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        ({"metric": "retention", "score": "macro_f1", "min": 0.8}, "pass"),
        ({"metric": "retention", "score": "macro_f1", "min": 0.999}, "fail"),
        ({"metric": "difference", "score": "mcc", "min": -0.3}, "pass"),
        ({"metric": "score", "score": "mcc", "min": 0.95}, "fail"),
        ({"metric": "difference", "suite": "texts", "score": "wer", "max": 0.1}, "pass"),
        ({"metric": "retention", "suite": "texts", "score": "wer", "min": 0.9}, "fail"),
        ({"metric": "score", "suite": "texts", "score": "bleu", "min": 50}, "pass"),
    ],
)
def test_the_gate_judges_them(run: RunDirectory, settings: dict[str, Any], verdict: str) -> None:
    found = rule(run, **{"suite": "labels", **settings})
    assert found.verdict == verdict
    assert "bootstrap" in found.method


def test_an_undecided_rule_says_how_many_samples_are_missing(run: RunDirectory) -> None:
    cell = compare_run(run).students[0].cell(suite="labels", metric="macro_f1")
    assert cell is not None
    limit = round((cell.retention.estimate + cell.retention.low) / 2, 3)
    found = rule(run, metric="retention", suite="labels", score="macro_f1", min=limit)
    assert found.verdict == "inconclusive"
    assert 400 < found.samples_missing < 4000
    assert "more samples" in found.evidence


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"metric": "retention", "score": "wer", "max": 1.1}, "teacher / student"),
        ({"metric": "difference", "score": "wer", "min": -0.1}, "takes max, not min"),
        ({"metric": "score", "score": "bleu", "min": 101}, "between 0 and 100"),
        ({"metric": "baseline_difference", "score": "bleu", "min": -1}, "a baseline keeps"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    run: RunDirectory, settings: dict[str, Any], words: str
) -> None:
    from kdeval.gate.baseline import baseline_of

    policy = GatePolicy.model_validate({"rules": [{"suite": "texts", **settings}]})
    with pytest.raises(ConfigError, match=words):
        judge(run, compare_run(run), policy, baseline=baseline_of(run))


def test_a_router_is_not_certified_on_them(run: RunDirectory) -> None:
    with pytest.raises(RoutingError, match="scores a whole set"):
        choose_suites(run, metric="macro_f1")


def test_reports_write_them_in_their_own_unit(run: RunDirectory) -> None:
    document = report_document(run, compare_run(run))
    page, text = report_html(document), report_markdown(document)
    assert all(name in page for name in ("macro_f1", "mcc", "wer", "bleu"))
    assert all(name in text for name in ("macro", "mcc", "wer", "bleu"))
    assert "paired bootstrap" in page
