"""A tiny causal pair from the run to the report: tokens, their times, memory, sizes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from kdeval.compare.compute import compare_run
from kdeval.config.schema import load_config
from kdeval.report.document import report_document
from kdeval.report.html.page import report_html
from kdeval.report.markdown import report_markdown
from kdeval.store.run_directory import RunDirectory
from kdeval.workflows.evaluate import evaluate
from tests.contract.causal_models import save_llama, save_tokenizer


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Teacher and a student that may write twice as much, on text and on choices."""
    base = tmp_path_factory.mktemp("pair")
    for seed, name in enumerate(("teacher", "student")):
        (base / name).mkdir()
        save_llama(base / name, seed=seed)
        save_tokenizer(base / name, chat=True)
    rows = [{"t": f"one two {number}", "y": "x", "o": ["a", "b c"], "r": 1} for number in range(12)]
    for name, more in (
        ("texts", {"kind": "generation", "input": "{{ t }}", "reference": "{{ y }}",
                   "scorers": ["token_f1"]}),
        ("choices", {"kind": "multiple_choice", "input": "t", "choices": "o",
                     "reference": {"column": "r"}}),
    ):  # fmt: skip
        (base / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        suite = {"name": name, "data": f"{name}.jsonl", **more}
        (base / f"{name}.yaml").write_text(yaml.safe_dump(suite))
    models = [
        {"name": name, "type": "causal_lm", "path": name, "device": "cpu",
         "generation": {"max_new_tokens": limit, "temperature": 1.0}}
        for name, limit in (("teacher", 8), ("student", 16))
    ]  # fmt: skip
    config = {"suites": ["texts.yaml", "choices.yaml"], "teacher": models[0],
              "students": models[1:], "latency_probe": {"requests": 24, "warmup": 1}}  # fmt: skip
    (base / "run.yaml").write_text(yaml.safe_dump(config))
    evaluate(load_config(base / "run.yaml"), base / "out", base=base)
    return base


def test_tokens_are_those_that_were_written(project: Path) -> None:
    """Choices count as input only; the verbose student is named, and its time is taken apart."""
    run = RunDirectory.open(project / "out")
    (student,) = compare_run(run).students
    tokens, times = student.tokens, student.token_times
    assert tokens is not None
    assert tokens.input is not None
    assert tokens.input.n == 24
    assert tokens.output is not None
    assert (tokens.output.n, tokens.output.total) == (12, 12)
    assert tokens.output.ratio is not None
    assert tokens.output.ratio.estimate is not None
    assert tokens.output.ratio.estimate > 1.2
    assert tokens.truncated is not None
    assert tokens.truncated.ratio is None
    assert times is not None
    assert times.first_token is not None
    assert times.between_tokens is not None
    assert times.first_token.source == "probe"
    rounds = run.latencies()
    assert rounds is not None
    written = rounds[rounds["first_token_s"].notna()].groupby("round").size()
    assert times.first_token.n == int((written == 2).sum())
    assert times.parts is not None
    assert times.parts.length.estimate is not None
    assert times.parts.time.estimate == pytest.approx(
        times.parts.length.estimate * times.parts.per_token
    )


def test_the_report_shows_them(project: Path) -> None:
    """In words and rows; a second run says that its answers came from the first."""
    run = RunDirectory.open(project / "out")
    compared = compare_run(run)
    document = report_document(run, compared)
    page, text = report_html(document), report_markdown(document)
    for words in ("output tokens, mean", "time to first token, median", "weights on disk",
                  "time per further token, median", "peak memory"):  # fmt: skip
        assert words in page
        assert words in text
    assert "reasoning tokens" not in text
    assert "cost of 1,000 requests" not in text
    for model in document.models:
        assert model.from_store == 0
        assert model.peak_memory_bytes is None or model.peak_memory_bytes > 0
    again = evaluate(load_config(project / "run.yaml"), project / "out", base=project)
    repeated = report_document(again.run, compare_run(again.run))
    assert {model.from_store for model in repeated.models} == {24}
