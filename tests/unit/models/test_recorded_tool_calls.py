"""Tool calls that logs hold, and the fakes and ensembles that make calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kdeval.config.schema import RecordedColumnsConfig
from kdeval.errors import DataError, ModelError
from kdeval.models.echo import EchoModel
from kdeval.models.ensemble import Ensemble
from kdeval.models.protocols import Request
from kdeval.models.recorded import RecordedModel
from kdeval.records import Response, ToolCall
from kdeval.run.executor import ask
from kdeval.store.tool_definitions import as_tools, tool_name

TOOLS = as_tools([{"name": "look"}, {"name": "wait"}])
OPENAI = [{"id": "c1", "type": "function",
           "function": {"name": "look", "arguments": '{"at": "north"}'}}]  # fmt: skip
LOOK = ToolCall(name="look", arguments={"at": "north"})


def request(index: int | str = 0, **more: Any) -> Request:
    given = {"sample_id": str(index), "suite": "s", "kind": "generation", "input": f"text {index}",
             "tools": TOOLS}  # fmt: skip
    return Request(**{**given, **more})


def recorded(path: Path, rows: list[dict[str, Any]], **columns: str) -> RecordedModel:
    file = path / "log.jsonl"
    file.write_text("".join(json.dumps({"id": str(i), **row}) + "\n" for i, row in enumerate(rows)))
    mapping = columns or {"output": "content", "tool_calls": "tool_calls"}
    return RecordedModel(file, columns=RecordedColumnsConfig(id="id", **mapping))


def test_calls_of_a_log_are_answers(tmp_path: Path) -> None:
    """Lists and JSON text; with words, without, and words alone, which call nothing."""
    model = recorded(tmp_path, [
        {"content": None, "tool_calls": OPENAI},
        {"content": "Looking.", "tool_calls": json.dumps([{"name": "look", "arguments": {}}])},
        {"content": "No.", "tool_calls": None},
        {"content": "No."},
        {"content": None, "tool_calls": []},
        {"content": None, "tool_calls": [{"name": "look", "arguments": "{cut"}]},
    ])  # fmt: skip
    found = ask(model, [request(index) for index in range(6)])
    assert [response.error for response in found] == [None] * 6
    assert found[0].tool_calls == (ToolCall(name="look", arguments={"at": "north"}, id="c1"),)
    assert found[0].output == ""
    assert (found[1].output, found[1].tool_calls) == (
        "Looking.", (ToolCall(name="look", arguments={}),),
    )  # fmt: skip
    assert [response.tool_calls for response in found[2:5]] == [(), (), ()]
    assert found[5].tool_calls == (ToolCall(name="look", arguments="{cut", valid=False),)


def test_a_row_that_says_nothing_has_no_answer(tmp_path: Path) -> None:
    """Neither words nor a list; unless no output is mapped at all, where no list is no call."""
    rows = [{"content": None, "tool_calls": None}, {"content": "x", "tool_calls": OPENAI}]
    assert ask(recorded(tmp_path, rows), [request(0)])[0].error
    calls_alone = recorded(tmp_path, rows, tool_calls="tool_calls")
    assert [r.tool_calls for r in ask(calls_alone, [request(0)])] == [()]


def test_without_a_column_nothing_is_known_of_calls(tmp_path: Path) -> None:
    """None, not (): and a run whose scorers mark calls is told before it starts."""
    model = recorded(tmp_path, [{"content": "x"}], output="content")
    assert ask(model, [request(0)])[0].tool_calls is None
    assert "map `tool_calls`" in (model.tools_problem or "")
    assert recorded(tmp_path, [{"content": "x", "tool_calls": []}]).tools_problem is None


def test_calls_in_parquet(tmp_path: Path) -> None:
    """Columns of structs come with empty fields, which are absent."""
    frame = pd.DataFrame({"id": ["0", "1"], "calls": [OPENAI, [{"name": "wait"}]]})
    frame.to_parquet(tmp_path / "log.parquet")
    model = RecordedModel(
        tmp_path / "log.parquet", columns=RecordedColumnsConfig(id="id", tool_calls="calls")
    )
    found = ask(model, [request(0), request(1)])
    assert [[(c.name, c.arguments) for c in r.tool_calls or ()] for r in found] == [
        [("look", {"at": "north"})], [("wait", {})],
    ]  # fmt: skip


def test_what_is_no_call_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"log.jsonl:1: tool_calls .column 'tool_calls'.: no JSON"):
        recorded(tmp_path, [{"content": "x", "tool_calls": "look"}])


def test_echo_calls_by_hash() -> None:
    """Some inputs get a call to an offered tool, some none; always the same, and never an error."""
    requests = [request(index) for index in range(60)]
    first, second = ask(EchoModel(), requests), ask(EchoModel(), requests)
    assert first == second
    names = {call.name for response in first for call in response.tool_calls or ()}
    assert names == {tool_name(tool) for tool in TOOLS}
    assert () in [response.tool_calls for response in first]
    assert ask(EchoModel(), [request(0, tools=())])[0].tool_calls is None


class _Model:
    fingerprint = "f"

    def __init__(self, response: Any) -> None:
        self.response = response

    def generate(self, requests: Any) -> list[Response]:
        return [self.response] * len(requests)


def test_a_response_with_calls_alone_is_an_answer() -> None:
    """Its output is empty, not missing."""
    found = ask(_Model(Response(tool_calls=(LOOK,))), [request()])[0]
    assert (found.output, found.error) == ("", None)


def test_calls_of_another_shape_break_the_protocol() -> None:
    with pytest.raises(ModelError, match="tool_calls must be a tuple of ToolCall"):
        ask(_Model(Response(output="x", tool_calls=[{"name": "look"}])), [request()])  # type: ignore[arg-type]


def test_calls_that_no_file_can_hold_are_an_error() -> None:
    """Half a character in an argument, or a value that JSON has no form for."""
    for value in ("\ud800", object()):
        broken = ToolCall(name="look", arguments={"at": value})
        assert ask(_Model(Response(tool_calls=(broken,))), [request()])[0].error


def test_an_ensemble_votes_on_calls() -> None:
    """Calls that mean the same count as one answer, whatever their key order."""
    turned = ToolCall(name="look", arguments={"at": "north"}, id="other")
    members = {
        "a": _Model(Response(output="", tool_calls=())),
        "b": _Model(Response(output="", tool_calls=(LOOK,))),
        "c": _Model(Response(output="", tool_calls=(turned,))),
    }
    model = Ensemble("e", members, dict.fromkeys(members, "f"), combine="majority")
    found = model.generate([request()])[0]
    assert found.tool_calls == (LOOK,)
    assert found.confidence == pytest.approx(2 / 3)
