"""Tools through the whole chain: suite, a causal model that writes calls, scored pairs, report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml

from kdeval.compare.compute import compare_run
from kdeval.config.schema import load_config
from kdeval.config.token_fidelity import TokenFidelityConfig
from kdeval.diagnostics.token_fidelity import _text as answer_text
from kdeval.errors import ModelError
from kdeval.models.protocols import Request
from kdeval.records import Message, Response, ToolCall
from kdeval.report.document import report_document
from kdeval.report.html.page import report_html
from kdeval.report.markdown import report_markdown
from kdeval.run.requests import as_request
from kdeval.store.tool_definitions import as_tools
from kdeval.suites import load_suite
from kdeval.workflows.evaluate import evaluate
from tests.contract.causal_models import build, save_llama, save_tokenizer

TEMPLATE = (
    "{% for t in tools or [] %}<|system|>{{ t['function']['name'] }}<|end|>{% endfor %}"
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}"
    "{% for c in m['tool_calls'] or [] %}<tool_call>{{ c['function'] | tojson }}</tool_call>"
    "{% endfor %}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TOOLS = [
    {"type": "function", "function": {"name": "look", "parameters": {
        "type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}}},
    {"type": "function", "function": {"name": "wait", "description": "Waits."}},
]  # fmt: skip
ROWS = [
    {"id": "call", "ask": "north", "calls": [{"name": "look", "arguments": {"at": "north"}}]},
    {"id": "two", "ask": "wait", "calls": [{"name": "wait"}, {"name": "wait", "arguments": {}}]},
    {"id": "none", "ask": "thanks", "calls": []},
    {"id": "wrong", "ask": "south", "calls": [{"name": "look", "arguments": {"at": "south"}}]},
]
WRITTEN = {
    "north": '<tool_call>{"name": "look", "arguments": {"at": "north"}}</tool_call>',
    "wait": '<tool_call>{"name": "wait"}</tool_call><tool_call>{"name": "wait"}</tool_call>',
    "thanks": "good",
    "south": '<tool_call>{"name": "look", "arguments": {"at":</tool_call>',
}
"""What the student is trained to write; its answer to "south" is cut off."""


def _recorded(row: dict[str, Any]) -> dict[str, Any]:
    calls = [
        {"id": "c", "type": "function", "function": {
            "name": call["name"], "arguments": json.dumps(call.get("arguments", {}))}}
        for call in row["calls"]
    ]  # fmt: skip
    return {"id": row["id"], "content": None if calls else "Done.", "tool_calls": calls or None}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite, a recorded teacher, and a student that has learned its answers by heart."""
    folder = tmp_path_factory.mktemp("tool-calls")
    for name, rows in (("rows", ROWS), ("teacher", [_recorded(row) for row in ROWS])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "tools.json").write_text(json.dumps(TOOLS))
    suite = {
        "name": "calls", "kind": "generation", "data": "rows.jsonl", "id": "id", "input": "ask",
        "tools": "tools.json", "reference": {"column": "calls"},
        "scorers": ["tool_call", "tool_call_f1"], "max_new_tokens": 60,
    }  # fmt: skip
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    _train(folder / "student", [as_request(s) for s in load_suite(folder / "suite.yaml").samples])
    config = {
        "suites": ["suite.yaml"], "latency_probe": False,
        "teacher": {"name": "teacher", "type": "recorded", "path": "teacher.jsonl",
                    "columns": {"id": "id", "output": "content", "tool_calls": "tool_calls"}},
        "students": [{"name": "student", "type": "causal_lm", "path": "student", "device": "cpu"}],
    }  # fmt: skip
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    return folder


def _train(folder: Path, requests: list[Request]) -> None:
    """A tiny Llama that writes `WRITTEN` to these requests, its call marks special tokens."""
    from transformers import LlamaForCausalLM

    tokenizer = save_tokenizer(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<tool_call>", "</tool_call>"]})
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    save_llama(folder)
    prompts = build(folder)._loaded.prompts
    texts = [prompts.for_writing(r).text + WRITTEN[r.text] + "<|end|>" for r in requests]
    batch = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    width = max(map(len, batch))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in batch])
    labels = torch.tensor([row + [-100] * (width - len(row)) for row in batch])
    model = LlamaForCausalLM.from_pretrained(folder)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(150):
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def run(project: Path) -> Any:
    """The finished run."""
    return evaluate(load_config(project / "run.yaml"), project / "run", base=project).run


def test_calls_are_scored_from_end_to_end(run: Any) -> None:
    """A right call, parallel calls and no call where none is right count; a cut-off call does not.

    The negative sample is scored and not dropped, and 1 of 4 answers of the student is wrong.
    """
    pairs = pd.read_parquet(run.path / "pairs.parquet")
    exact = pairs[pairs["metric"] == "tool_call"].set_index("sample_id")
    assert exact["teacher_score"].tolist() == [1, 1, 1, 1]
    assert exact["student_score"].to_dict() == {"call": 1, "two": 1, "none": 1, "wrong": 0}
    partial = pairs[pairs["metric"] == "tool_call_f1"].set_index("sample_id")
    assert partial.loc["wrong", "student_score"] == 0.5
    assert partial.loc["none", "student_score"] == 1


def test_pairs_show_calls_and_keep_them(run: Any) -> None:
    """The output has a line a call, `tool_calls` has them as JSON, with [] where none was made."""
    pairs = pd.read_parquet(run.path / "pairs.parquet")
    exact = pairs[pairs["metric"] == "tool_call"].set_index("sample_id")
    assert exact.loc["call", "student_output"] == 'call look({"at": "north"})'
    assert exact.loc["two", "student_output"] == "call wait({})\ncall wait({})"
    assert exact.loc["none", "student_output"] == "good"
    kept = json.loads(exact.loc["wrong", "student_tool_calls"])
    assert [(call["name"], call["valid"]) for call in kept] == [("look", False)]
    assert json.loads(exact.loc["none", "student_tool_calls"]) == []
    samples = pd.read_parquet(run.path / "samples.parquet").set_index("sample_id")
    assert samples.loc["none", "reference"] == "no call"
    assert samples.loc["call", "reference"] == 'call look({"at": "north"})'
    assert [tool["function"]["name"] for tool in json.loads(samples.loc["call", "tools"])] == [
        "look", "wait",
    ]  # fmt: skip


def test_reports_show_what_was_offered_and_called(run: Any) -> None:
    """HTML has the tools' signatures, Markdown their names; both have the calls, escaped."""
    document = report_document(run, compare_run(run))
    page, text = report_html(document), report_markdown(document)
    assert "look(at: string)\nwait(): Waits." in page
    assert "call look({&#34;at&#34;: &#34;south&#34;})" in page
    assert "<br>tools: <code>look, wait</code>" in text
    assert ", not valid: {" in page
    assert "call look, not valid: &#123;" in text


def test_a_second_run_asks_nothing(run: Any, project: Path) -> None:
    """Calls come back out of the store as they went in."""
    again = evaluate(load_config(project / "run.yaml"), project / "run", base=project)
    assert again.asked == {"teacher": 0, "student": 0}
    before = pd.read_parquet(run.path / "pairs.parquet")["student_tool_calls"]
    assert pd.read_parquet(again.run.path / "pairs.parquet")["student_tool_calls"].equals(before)


def _asking(**more: Any) -> Request:
    return Request(sample_id="s", suite="x", kind="generation", input="north",
                   tools=as_tools(TOOLS), **more)  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "chat", "reason"),
    [
        ({}, None, "no chat template"),
        ({}, True, "no place for tools"),
        ({"chat": "never"}, True, "chat: never"),
    ],
)
def test_a_template_without_tools_is_refused(
    tmp_path: Path, settings: dict[str, Any], chat: bool | None, reason: str
) -> None:
    """Before the weights are read, and by an error that says what to do; without tools it works."""
    save_tokenizer(tmp_path, chat=bool(chat))
    save_llama(tmp_path)
    model = build(tmp_path, **settings)
    assert reason in (model.tools_problem or "")
    with pytest.raises(ModelError, match=reason):
        model.generate([_asking()])


def test_a_run_refuses_before_it_asks_anybody(project: Path, tmp_path: Path) -> None:
    """A student whose template has no place for tools costs no teacher call."""
    save_tokenizer(tmp_path / "plain", chat=True)
    save_llama(tmp_path / "plain")
    config = yaml.safe_load((project / "run.yaml").read_text())
    config["students"][0]["path"] = str(tmp_path / "plain")
    config["teacher"] = {"name": "teacher", "type": "echo"}
    (project / "refused.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ModelError, match=r"student: suite 'calls' offers tools: .* no place"):
        evaluate(load_config(project / "refused.yaml"), tmp_path / "out", base=project)
    assert not (tmp_path / "out").exists()


def test_earlier_calls_reach_the_template_as_objects(project: Path) -> None:
    """A conversation with calls and a tool's answer is rendered as templates expect it."""
    asked = (
        Message(role="user", content="go"),
        Message(role="assistant", content="",
                tool_calls=(ToolCall(name="look", arguments={"at": "é"}, id="c1"),)),
        Message(role="tool", content="snow", tool_call_id="c1"),
    )  # fmt: skip
    request = Request(sample_id="s", suite="x", kind="generation", input=asked)
    text = build(project / "student")._loaded.prompts.for_writing(request).text
    assert text == (
        '<|user|>go<|end|><|assistant|><tool_call>{"name": "look", "arguments": {"at": "é"}}'
        "</tool_call><|end|><|tool|>snow<|end|><|assistant|>"
    )


def test_the_format_counts_only_when_it_is_set(project: Path) -> None:
    """A model's fingerprint is what it was before there were tools, unless a format is named."""
    plain = build(project / "student").fingerprint
    assert build(project / "student", tool_format="auto").fingerprint == plain
    assert build(project / "student", tool_format="json").fingerprint != plain


def test_free_writing_is_told_where_a_schema_is_asked_for(project: Path, tmp_path: Path) -> None:
    """The run and every report say that nothing holds a causal_lm to the response schema."""
    suite = yaml.safe_load((project / "suite.yaml").read_text())
    suite |= {"name": "schema", "tools": None, "scorers": ["json_schema"]}
    suite["response_schema"] = {"type": "object", "required": ["at"]}
    (project / "schema.yaml").write_text(yaml.safe_dump(suite))
    config = yaml.safe_load((project / "run.yaml").read_text())
    config |= {"suites": ["schema.yaml"], "teacher": {"name": "t", "type": "echo", "text": "{}"}}
    (project / "schema-run.yaml").write_text(yaml.safe_dump(config))
    done = evaluate(load_config(project / "schema-run.yaml"), tmp_path / "out", base=project)
    assert any("student: writes freely in schema" in line for line in done.warnings)
    document = report_document(done.run, compare_run(done.run))
    assert "student: writes freely in schema" in report_html(document)
    assert "student: writes freely in schema" in report_markdown(document)
    pairs = pd.read_parquet(done.run.path / "pairs.parquet")
    assert set(pairs["teacher_score_reason"]) == {"$: 'at' is a required property"}


@pytest.mark.parametrize("said", ["", "Let me look."])
def test_calls_are_no_text_to_compare_token_by_token(project: Path, said: str) -> None:
    """What was written around them is not what the model wrote; it is left out, and says why."""
    sample = load_suite(project / "suite.yaml").samples[0]
    answer = Response(output=said, tool_calls=(ToolCall(name="look", arguments={}),))
    left_out = answer_text(sample, answer, TokenFidelityConfig())
    assert getattr(left_out, "reason", "").startswith("the teacher called tools")
