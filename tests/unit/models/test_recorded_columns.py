"""Columns of recorded predictions: every format and value is read or refused, by file and line."""

import gzip
import json
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdeval.errors import ConfigError, DataError
from kdeval.records import Timing
from tests.unit.models.recorded_files import FULL, ask, jsonl, model, write

FULL_COLUMNS = {
    "id": "id",
    "output": "out",
    "score": "ok",
    "confidence": "conf",
    "cost_usd": "usd",
    "latency_s": "sec",
    "input_tokens": "in",
    "output_tokens": "gen",
}


def _csv(path, row):
    cells = ",".join(str(value) for value in row.values())
    return ",".join(row) + "\n" + cells + "\n"


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "csv", "csv.gz", "tsv", "parquet"])
def test_every_format_gives_the_same_response(tmp_path, suffix):
    """All mapped columns arrive, typed, whatever the file's format."""
    path = tmp_path / f"predictions.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist([FULL]), path)
    else:
        text = json.dumps(FULL) + "\n" if "jsonl" in suffix else _csv(path, FULL)
        text = text.replace(",", "\t") if suffix == "tsv" else text
        path.write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    response = ask(model(path, **FULL_COLUMNS))
    assert response.output == "positive"
    assert response.score == 1.0
    assert response.confidence == 0.9
    assert response.cost_usd == 0.002
    assert response.timing == Timing(origin="recorded", total_s=0.25)
    assert (response.input_tokens, response.output_tokens) == (12, 3)
    assert response.error is None


def test_empty_cells_are_unknown(tmp_path):
    path = write(tmp_path / "p.csv", "id,out,usd,sec,n\na,positive,,,\n")
    found = model(path, id="id", output="out", cost_usd="usd", latency_s="sec", input_tokens="n")
    response = ask(found)
    assert (response.cost_usd, response.timing, response.input_tokens) == (None, None, None)


def test_a_stream_is_taken_apart(tmp_path):
    """The first token, and the rest of the time shared out among the tokens after it."""
    rows = [{"id": "a", "out": "x", "sec": 1.4, "first": 0.2, "n": 13, "think": 5},
            {"id": "b", "out": "x", "sec": 1.4, "first": 0.2, "n": 1},
            {"id": "c", "out": "x", "first": 0.2, "n": 13}]  # fmt: skip
    found = model(
        jsonl(tmp_path / "p.jsonl", *rows), id="id", output="out", latency_s="sec",
        first_token_s="first", output_tokens="n", reasoning_tokens="think",
    )  # fmt: skip
    a, b, c = (ask(found, name, kind="generation") for name in "abc")
    assert a.timing.first_token_s == 0.2
    assert a.timing.between_tokens_s == pytest.approx(0.1)
    assert a.reasoning_tokens == 5
    assert (b.timing.between_tokens_s, c.timing.between_tokens_s) == (None, None)
    assert (c.timing.total_s, c.timing.first_token_s) == (None, 0.2)
    late = jsonl(tmp_path / "late.jsonl", {"id": "a", "out": "x", "sec": 0.1, "first": 0.2})
    with pytest.raises(DataError, match=r"late.jsonl:1: first_token_s is 0.2, later than latency"):
        model(late, id="id", output="out", latency_s="sec", first_token_s="first")


def test_an_empty_output_in_jsonl_is_an_answer_and_an_empty_csv_cell_is_none(tmp_path):
    found = model(jsonl(tmp_path / "p.jsonl", {"id": "a", "out": ""}), id="id", output="out")
    assert ask(found, kind="generation").output == ""
    found = model(write(tmp_path / "p.csv", "id,out,x\na,,1\n"), id="id", output="out")
    assert ask(found, kind="generation").error == "the recorded prediction has no output"


@pytest.mark.parametrize("cell", ["", '""'])
def test_empty_outputs_of_a_csv_are_told_for_they_may_have_been_answers(tmp_path, cell):
    """A cell of "" reads as an empty one; a failure that is told, or a score, says enough."""
    text = f"id,out,why,ok\na,{cell},,\nb,{cell},,\nc,{cell},timeout,\nd,{cell},,1\ne,x,,\n"
    found = model(write(tmp_path / "p.csv", text), id="id", output="out", error="why", score="ok")
    (told,) = found.unmatched({"words": list("abcde")})
    assert told.startswith("2 outputs in p.csv are empty: CSV and TSV cannot tell")
    assert "they are missing, not wrong" in told
    assert 'JSONL, with ""' in told
    rows = [{"id": "a", "out": None}, {"id": "b", "out": ""}]
    found = model(jsonl(tmp_path / "p.jsonl", *rows), id="id", output="out")
    assert found.unmatched({"words": ["a", "b"]}) == ()


@pytest.mark.parametrize(
    ("cell", "score"),
    [("True", 1.0), ("False", 0.0), ("true", 1.0), ("1", 1.0), ("0", 0.0), ("0.25", 0.25)],
)
def test_score_cells(tmp_path, cell, score):
    found = model(write(tmp_path / "p.csv", f"id,ok\na,{cell}\n"), id="id", score="ok")
    response = ask(found)
    assert (response.output, response.score, response.error) == (None, score, None)


@pytest.mark.parametrize(
    ("column", "setting", "value", "message"),
    [
        ("ok", "score", "yes", "score .column 'ok'. must be a finite number, true or false"),
        ("ok", "score", "nan", "score .column 'ok'. must be a finite number"),
        ("ok", "score", -1e300, r"number, true or false .and within 1e\+12 of 0., got -1e\+300"),
        ("ok", "score", [1], "score .column 'ok'. must be a finite number"),
        ("c", "confidence", 1.5, "confidence .column 'c'. must be a number from 0 to 1, got 1.5"),
        ("c", "cost_usd", -1, r"cost_usd .column 'c'. must be a number from 0 to 1e\+12, got -1"),
        ("c", "cost_usd", 1e308, r"cost_usd .column 'c'. must be a number from 0 to 1e\+12, got"),
        ("c", "output_tokens", 1e308, r"whole number from 0 to 1e\+12, got 1e\+308"),
        ("c", "latency_s", "fast", "latency_s .column 'c'. must be a number"),
        ("c", "input_tokens", 1.5, "input_tokens .column 'c'. must be a whole number"),
        ("c", "output_tokens", True, "output_tokens .column 'c'. must be a whole number"),
        ("p", "probabilities", [0.5, 0.6], "sum to 1.1, not 1"),
        ("p", "probabilities", [-0.5, 1.5], "must be a number from 0 to 1.01, got -0.5"),
        ("p", "probabilities", "no", "must be a JSON list or object, got 'no'"),
        ("p", "probabilities", 0.5, "must be a list or a mapping, got 0.5"),
        ("p", "log_probabilities", [-5, -6], "exponentials sum to 0.00921"),
    ],
)
def test_an_unusable_value_is_told_with_file_and_line(tmp_path, column, setting, value, message):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", column: value})
    with pytest.raises(DataError, match=message) as caught:
        model(path, id="id", **{setting: column})
    assert str(caught.value).startswith(f"{path}:1: ")


def test_the_same_mistake_in_many_rows_is_one_line(tmp_path):
    path = write(tmp_path / "p.csv", "id,ok\n" + "".join(f"{i},maybe\n" for i in range(50)))
    with pytest.raises(DataError, match="and 49 more rows") as caught:
        model(path, id="id", score="ok")
    assert "\n" not in str(caught.value)


def test_a_column_that_is_not_there_is_told_with_the_nearest(tmp_path):
    path = write(tmp_path / "p.csv", "id,correct,usd\na,1,2\n")
    with pytest.raises(ConfigError, match="no column 'corect'; did you mean 'correct'") as caught:
        model(path, id="id", score="corect", cost_usd="dollars")
    assert len(caught.value.problems) == 2


def test_what_no_row_of_jsonl_says_may_be_absent(tmp_path):
    """One mapping serves every log: where nothing failed there is no `error` key."""
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "out": "positive"})
    found = model(path, id="id", output="out", error="error", cost_usd="usd", probabilities="p")
    assert ask(found).output == "positive"
    assert found.unmatched({"s": ["a"]}) == (
        "no row of p.jsonl has 'p' (probabilities): unknown for all",
        "no row of p.jsonl has 'usd' (cost_usd): unknown for all",
        "no row of p.jsonl has 'error' (error): none failed",
    )


def test_a_log_of_failures_alone_needs_no_output(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "why": "timeout"})
    found = model(path, id="id", output="out", error="why")
    assert ask(found).error == "timeout"
    assert found.unmatched({"s": ["a"]}) == (
        "no row of p.jsonl has 'out' (output): unknown for all",
    )


@pytest.mark.parametrize(
    ("row", "columns", "message"),
    [
        ({"id": "a", "out": "x", "eror": "y"}, {"error": "error"}, "did you mean 'eror'"),
        ({"id": "a", "say": "x"}, {"error": "error"}, "columns.output: there is no column 'out'"),
        ({"out": "x"}, {}, "columns.id: there is no column 'id'"),
        (
            {"id": "a", "out": "x", "q": 0.5},
            {"probabilities": {"x": "q", "y": "nothing"}},
            "columns.probabilities.y: there is no column 'nothing'",
        ),
    ],
)
def test_what_jsonl_must_say_or_nearly_says_is_an_error(tmp_path, row, columns, message):
    path = jsonl(tmp_path / "p.jsonl", row)
    with pytest.raises(ConfigError, match=message):
        model(path, id="id", output="out", **columns)


def test_a_header_without_the_column_is_an_error(tmp_path):
    path = write(tmp_path / "p.csv", "id,out\na,positive\n")
    with pytest.raises(ConfigError, match="there is no column 'error'"):
        model(path, id="id", output="out", error="error")


def test_probabilities_that_are_the_answer_must_be_there(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "usd": 1})
    with pytest.raises(ConfigError, match=r"columns\.probabilities: there is no column 'p'"):
        model(path, id="id", probabilities="p")


def test_a_mapping_of_nothing_is_refused(tmp_path):
    path = write(tmp_path / "p.csv", "id\na\n")
    with pytest.raises(ConfigError, match="map at least one"):
        model(path, id="id")


def test_a_file_without_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match="not one recorded prediction"):
        model(write(tmp_path / "p.csv", "id,out\n"), id="id", output="out")


def test_structured_outputs_are_written_as_json(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "out": {"total": 3, "paid": True}})
    response = ask(model(path, id="id", output="out"), kind="extraction")
    assert json.loads(response.output) == {"total": 3, "paid": True}


def test_a_file_of_14000_rows_reads_quickly(tmp_path):
    path = tmp_path / "p.csv.gz"
    with gzip.open(path, "wt", newline="") as handle:
        handle.write("prompt,ok\n")
        handle.writelines(f'"{"word " * 60} {i}",True\n' for i in range(14_042))
    start = time.perf_counter()
    found = model(path, score="ok")
    assert time.perf_counter() - start < 2
    assert len(found.ids) == 14_042
