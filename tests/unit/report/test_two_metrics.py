"""A suite with two metrics: every form counts and names lost samples metric by metric."""

from __future__ import annotations

import io
import json
import re
from collections import Counter

import pytest
import yaml
from rich.console import Console

from kdeval.compare.compute import compare_run
from kdeval.config.schema import load_config
from kdeval.report.document import ReportDocument, report_document
from kdeval.report.html.page import report_html
from kdeval.report.markdown import report_markdown
from kdeval.report.strict_json import json_text
from kdeval.report.summary import summary_renderables
from kdeval.store.run_directory import RunDirectory
from kdeval.workflows.evaluate import evaluate


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> ReportDocument:
    """Of 30 sums the student writes 3 as "7.0", 2 as "8": by `numeric` only those 2 are lost."""
    base = tmp_path_factory.mktemp("sums")
    rows = [{"id": i, "q": f"sum {i}", "a": "7", "t": "7", "s": "7"} for i in range(30)]
    for row, said in zip(rows, ("7.0", "7.0", "7.0", "8", "8"), strict=False):
        row["s"] = said
    rows[9] |= {"t": "9", "s": "9"}
    (base / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    suite = {"name": "sums", "kind": "generation", "data": "rows.jsonl", "id": "id",
             "input": "{{ q }}", "reference": "{{ a }}",
             "scorers": ["exact", "numeric"]}  # fmt: skip
    (base / "sums.yaml").write_text(yaml.safe_dump(suite))
    big, small = (
        {"name": name, "type": "recorded", "path": "rows.jsonl",
         "columns": {"id": "id", "output": column}}
        for name, column in (("big", "t"), ("small", "s"))
    )  # fmt: skip
    config = {"suites": ["sums.yaml"], "teacher": big, "students": [small]}
    (base / "kdeval.yaml").write_text(yaml.safe_dump(config))
    evaluate(load_config(base / "kdeval.yaml"), base / "run", base=base)
    run = RunDirectory.open(base / "run")
    return report_document(run, compare_run(run))


def test_counts_are_those_of_the_cells(document: ReportDocument) -> None:
    """No sample is counted by both metrics; what is drawn and what is left out adds up."""
    (examples,) = document.examples
    assert [item.metric for item in examples.counts] == ["exact", "numeric"]
    for found in examples.counts:
        flips = document.students[0].cell(suite="sums", metric=found.metric).flips
        for kind in ("lost", "gained", "both_right", "both_wrong"):
            assert getattr(found, kind) == getattr(flips, kind)
            shown = sum((e.metric, e.kind) == (found.metric, kind) for e in examples.items)
            assert shown + found.left_out[kind] == getattr(found, kind)
    told = json.loads(json_text(document))["examples"][0]["counts"]
    assert [(item["lost"], item["both_wrong"]) for item in told] == [(5, 1), (2, 1)]


def test_every_form_names_the_metric(document: ReportDocument) -> None:
    markdown = report_markdown(document)
    assert "<summary>small: by exact 5 lost, 0 gained; by numeric 2 lost, 0 gained</summary>" in (
        markdown
    )
    rows = Counter(re.findall(r"\| (lost by \w+) \|", markdown))
    assert rows == {"lost by exact": 5, "lost by numeric": 2}
    page = report_html(document)
    assert "By exact: 5 of 5 lost, 20 of 24 both right, 1 of 1 both wrong." in page
    assert "By numeric: 2 of 2 lost, 20 of 27 both right, 1 of 1 both wrong." in page
    assert "11 of all these left out: those shown are drawn" in page
    entries = re.findall(r"<summary><span class=\"outcome lost\">.*?</summary>", page, re.DOTALL)
    assert Counter(entry.rpartition(" · ")[2].partition("<")[0] for entry in entries) == {
        "exact": 5,
        "numeric": 2,
    }
    assert page.count("sums by exact: Of the 1 sample") == 1
    console = Console(width=100, record=True, file=io.StringIO())
    for part in summary_renderables(document):
        console.print(part)
    assert "sums: 5 lost, 0 gained by exact; same output on 83.3 %\n" in console.export_text()
