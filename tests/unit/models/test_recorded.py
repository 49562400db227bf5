"""Recorded predictions: looked up by id, never guessed, never wrong for being absent."""

import gzip
import json
import math
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdeval.config.schema import RecordedColumnsConfig, RecordedModelConfig
from kdeval.errors import ConfigError, DataError
from kdeval.models.protocols import ChoiceScorer, Classifier, Generator, Request
from kdeval.models.recorded import RecordedModel
from kdeval.records import Timing

LABELS = ("negative", "positive")


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def jsonl(path, *rows):
    return write(path, "".join(json.dumps(row) + "\n" for row in rows))


def ask(model, sample_id="a", kind="classification", **more):
    defaults = {"classification": {"labels": LABELS}, "multiple_choice": {"choices": ("x", "y")}}
    request = Request(
        **{
            "sample_id": sample_id,
            "suite": "s",
            "kind": kind,
            "input": "text",
            **defaults.get(kind, {}),
            **more,
        }
    )
    method = {"classification": model.classify, "multiple_choice": model.score_choices}
    return method.get(kind, model.generate)([request])[0]


def model(path, **columns):
    return RecordedModel(path, columns=RecordedColumnsConfig(**columns))


FULL = {
    "id": "a",
    "out": "positive",
    "ok": True,
    "conf": 0.9,
    "usd": 0.002,
    "sec": 0.25,
    "in": 12,
    "gen": 3,
}
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


def test_it_has_every_capability_and_answers_by_id(tmp_path):
    found = model(jsonl(tmp_path / "p.jsonl", FULL), id="id", output="out")
    assert isinstance(found, Classifier)
    assert isinstance(found, ChoiceScorer)
    assert isinstance(found, Generator)
    assert found.answers_by_id is True
    assert found.ids == {"a"}


def test_an_absent_id_is_a_failed_request(tmp_path):
    found = model(jsonl(tmp_path / "p.jsonl", FULL), id="id", output="out")
    response = ask(found, "b")
    assert response.output is None
    assert response.error == "no recorded prediction for id 'b'"


def test_without_an_id_column_rows_are_numbered_from_one(tmp_path):
    found = model(write(tmp_path / "p.csv", "out\npositive\n\nnegative\n"), output="out")
    assert [ask(found, i).output for i in ("1", "2")] == ["positive", "negative"]


def test_an_id_may_be_a_template(tmp_path):
    path = write(tmp_path / "p.csv", "doc,n,out\nd,1,positive\n")
    assert ask(model(path, id="{{ doc }}-{{ n }}", output="out"), "d-1").output == "positive"


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
        ("ok", "score", [1], "score .column 'ok'. must be a finite number"),
        ("c", "confidence", 1.5, "confidence .column 'c'. must be a number from 0 to 1, got 1.5"),
        ("c", "cost_usd", -1, "cost_usd .column 'c'. must be a number of 0 or more, got -1"),
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


def test_an_id_with_two_answers_is_refused_with_both_lines(tmp_path):
    path = write(tmp_path / "p.csv", "id,out\na,positive\nb,negative\na,negative\n")
    with pytest.raises(DataError, match=r"p.csv:4: id 'a' has another answer in .*p.csv:2"):
        model(path, id="id", output="out")


def test_a_row_that_repeats_another_counts_once(tmp_path):
    path = write(tmp_path / "p.csv", "id,out,x\na,positive,1\na,positive,2\n")
    assert ask(model(path, id="id", output="out")).output == "positive"


def test_probabilities_without_an_output_give_the_likeliest_label(tmp_path):
    path = write(tmp_path / "p.csv", "id,p_neg,p_pos\na,0.3,0.7\n")
    found = model(path, id="id", probabilities={"positive": "p_pos", "negative": "p_neg"})
    response = ask(found)
    assert response.output == "positive"
    assert list(response.log_probs) == list(LABELS)
    assert math.exp(response.log_probs["negative"]) == pytest.approx(0.3)
    assert response.confidence == pytest.approx(0.7)


@pytest.mark.parametrize(
    "value", [[0.25, 0.75], {"positive": 0.75, "negative": 0.25}, "[0.25, 0.75]"]
)
def test_probabilities_in_one_column(tmp_path, value):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "p": value})
    response = ask(model(path, id="id", probabilities="p"))
    assert response.output == "positive"
    assert math.exp(response.log_probs["negative"]) == pytest.approx(0.25)


def test_probabilities_off_by_rounding_are_normalised(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "p": [0.333, 0.66]})
    response = ask(model(path, id="id", probabilities="p"))
    assert sum(map(math.exp, response.log_probs.values())) == pytest.approx(1)


def test_a_probability_of_zero_stays_zero(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "p": {"positive": 1.0}})
    response = ask(model(path, id="id", probabilities="p"))
    assert response.log_probs["negative"] == -math.inf


def test_log_probabilities(tmp_path):
    path = write(tmp_path / "p.jsonl", '{"id": "a", "p": [-Infinity, 0.0]}\n')
    response = ask(model(path, id="id", log_probabilities="p"))
    assert response.output == "positive"
    assert response.log_probs["negative"] == -math.inf


def test_probabilities_for_some_labels_only_are_refused(tmp_path):
    path = write(tmp_path / "p.csv", "id,n,p\na,0.3,\nb,,\n")
    with pytest.raises(DataError, match="missing for 'positive' but not for all"):
        model(path, id="id", probabilities={"negative": "n", "positive": "p"})


def test_a_row_without_probabilities_is_a_failed_request(tmp_path):
    path = write(tmp_path / "p.csv", "id,n,p\na,0.3,0.7\nb,,\n")
    found = model(path, id="id", probabilities={"negative": "n", "positive": "p"})
    assert ask(found, "b").error == "the recorded prediction has no output"


def test_both_kinds_of_probabilities_are_refused(tmp_path):
    path = write(tmp_path / "p.csv", "id,p\na,[]\n")
    with pytest.raises(ConfigError, match="not both"):
        model(path, id="id", probabilities="p", log_probabilities="p")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0.2, 0.3, 0.5], "3 probabilities are recorded, but the suite has 2"),
        ({"bad": 0.5, "positive": 0.5}, "recorded for 'bad', which the suite does not have"),
    ],
)
def test_probabilities_of_other_labels_are_refused_when_asked(tmp_path, value, message):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "p": value})
    found = model(path, id="id", probabilities="p")
    with pytest.raises(DataError, match=message) as caught:
        ask(found)
    assert str(caught.value).startswith(f"{path}:1: ")


def test_labels_are_spelled_as_the_suite_spells_them(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "out": " Positive\n"}, {"id": "b", "out": "?"})
    found = model(path, id="id", output="out")
    assert [ask(found, i).output for i in "ab"] == ["positive", "?"]


@pytest.mark.parametrize(
    ("recorded", "index"),
    [
        ("0", "0"),
        (1, "1"),
        ("B", "1"),
        ("(b)", "1"),
        ("B. seven", "1"),
        ("Seven", "1"),
        ("10", "2"),
    ],
)
def test_a_recorded_choice_becomes_an_index(tmp_path, recorded, index):
    """Letters, texts and indices are told apart, and "10" is never read as 1."""
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "out": recorded})
    found = model(path, id="id", output="out")
    response = ask(found, kind="multiple_choice", choices=("six", "seven", "10"))
    assert response.output == index


def test_a_recorded_choice_that_names_none_stays_a_text(tmp_path):
    found = model(
        jsonl(tmp_path / "p.jsonl", {"id": "a", "out": "I refuse"}), id="id", output="out"
    )
    assert ask(found, kind="multiple_choice").output == "I refuse"


def test_an_ambiguous_recorded_choice_is_refused(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "out": "2"})
    found = model(path, id="id", output="out")
    with pytest.raises(DataError, match="'2' is choice 2 by its index or choice 1 by its text"):
        ask(found, kind="multiple_choice", choices=("1", "2", "3"))


def test_choice_probabilities_are_keyed_by_index(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "p": {"A": 0.2, "B": 0.8}})
    response = ask(model(path, id="id", probabilities="p"), kind="multiple_choice")
    assert response.output == "1"
    assert set(response.log_probs) == {"0", "1"}


def test_a_recorded_error_is_a_failed_request_that_keeps_its_cost(tmp_path):
    path = write(
        tmp_path / "p.csv", "id,out,ok,err,usd\na,positive,0,timeout,0.1\nb,positive,1,,\n"
    )
    found = model(path, id="id", output="out", score="ok", error="err", cost_usd="usd")
    response = ask(found)
    assert (response.output, response.score) == (None, None)
    assert (response.error, response.cost_usd) == ("timeout", 0.1)
    assert ask(found, "b").output == "positive"


def test_it_answers_its_own_suite_only(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", FULL)
    config = RecordedModelConfig(
        name="m",
        type="recorded",
        path=str(path),
        suite="other",
        columns=RecordedColumnsConfig(id="id", output="out"),
    )
    found = RecordedModel.from_config(config)
    assert ask(found, suite="other").output == "positive"
    assert "recorded for suite 'other' only" in ask(found).error


def test_the_fingerprint_covers_the_bytes_and_the_mapping(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", FULL)
    first = model(path, id="id", output="out").fingerprint
    assert first == model(path, id="id", output="out").fingerprint
    assert first != model(path, id="id", output="out", score="ok").fingerprint
    jsonl(path, {**FULL, "out": "negative"})
    assert first != model(path, id="id", output="out").fingerprint


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


def test_it_tells_whether_it_brings_scores(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", FULL)
    assert model(path, id="id", score="ok").has_scores is True
    assert model(path, id="id", output="out").has_scores is False


def test_two_probabilities_of_one_option_are_refused(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "p": {"A": 0.2, "0": 0.8}})
    with pytest.raises(DataError, match="A, 0 mean the same option"):
        ask(model(path, id="id", probabilities="p"), kind="multiple_choice")


def choice_answer(tmp_path, recorded, choices=("x", "y", "z"), **columns):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "out": recorded})
    found = model(path, id="id", output="out", **columns)
    return ask(found, kind="multiple_choice", choices=choices).output


def test_choices_counted_from_1_are_translated_when_the_file_says_so(tmp_path):
    assert choice_answer(tmp_path, 1, first_index=1) == "0"
    assert choice_answer(tmp_path, "3", first_index=1) == "2"
    assert choice_answer(tmp_path, "B", first_index=1) == "1"


def test_a_number_that_only_counting_from_1_explains_is_refused(tmp_path):
    """Unless the file is said to count from 0; then it is an answer that names no choice."""
    with pytest.raises(DataError, match=r"p.jsonl:1: .*'3' is no index of 3.*first_index: 1"):
        choice_answer(tmp_path, 3)
    assert choice_answer(tmp_path, 3, first_index=0) == "3"
    assert choice_answer(tmp_path, "3", choices=("2", "3", "z"), choice_form="text") == "1"
    assert choice_answer(tmp_path, "30", choices=("10", "20", "30")) == "2"
    with pytest.raises(DataError, match="first_index is 1"):
        choice_answer(tmp_path, 0, first_index=1)


def test_the_form_of_recorded_choices_can_be_said(tmp_path):
    numbers = ("1", "2", "3")
    with pytest.raises(DataError, match="choice_form: index"):
        choice_answer(tmp_path, "2", choices=numbers)
    assert choice_answer(tmp_path, "2", choices=numbers, choice_form="index") == "2"
    assert choice_answer(tmp_path, "2", choices=numbers, choice_form="text") == "1"
    assert choice_answer(tmp_path, "1", choice_form="letter") == "no choice: 1"


def test_probabilities_may_be_named_from_1(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "p": {"1": 0.2, "2": 0.8}})
    found = model(path, id="id", probabilities="p", first_index=1)
    assert ask(found, kind="multiple_choice").output == "1"


def recorded_ids(tmp_path, *ids, mapped=True, suite=None):
    path = jsonl(tmp_path / "s.jsonl", *({"id": i, "out": "x"} for i in ids))
    columns = RecordedColumnsConfig(id="id" if mapped else None, output="out")
    return RecordedModel(path, columns=columns, suite=suite)


def test_ids_that_meet_give_no_warning(tmp_path):
    assert recorded_ids(tmp_path, "1", "2").unmatched({"s": ["2", "1"]}) == ()


def test_ids_on_one_side_only_are_told(tmp_path):
    found = recorded_ids(tmp_path, "1", "2", "3", "4", "99")
    assert found.unmatched({"s": ["1", "2", "3", "4"]}) == (
        "1 of 5 ids in s.jsonl is in no suite: '99'",
    )
    assert found.unmatched({"s": ["1", "2", "a", "b", "c", "d"], "t": ["3", "4", "99"]}) == (
        "4 of 6 ids of suite 's' have no prediction in s.jsonl: 'a', 'b', 'c', ...",
    )


@pytest.mark.parametrize(
    ("mapped", "suites", "messages"),
    [
        (True, ["s"], ["has 'x0', 'x1', 'x2', ..., the suite has '1', '2', '3'", "{id: 'id'}"]),
        (False, ["s"], ["numbered from 1, as no id is mapped"]),
        (True, ["s", "t"], ["set `suite` to the one suite"]),
    ],
)
def test_a_file_none_of_whose_ids_is_in_the_suite_is_refused(tmp_path, mapped, suites, messages):
    """A wrong id column would else look like a model that never answers."""
    found = recorded_ids(tmp_path, *(f"x{i}" for i in range(8)), mapped=mapped)
    ids = ["1", "2", "3"] if mapped else ["x0", "x1"]
    with pytest.raises(DataError, match=r"s.jsonl: none of its ids is in suite 's'") as caught:
        found.unmatched(dict.fromkeys(suites, ids))
    assert all(message in str(caught.value) for message in messages)


def test_a_model_of_one_suite_is_compared_with_that_one(tmp_path):
    found = recorded_ids(tmp_path, "1", suite="s")
    assert found.unmatched({"s": ["1"], "t": ["9"]}) == ()
    assert found.unmatched({"t": ["9"]}) == ()


@pytest.mark.parametrize("as_list", [False, True])
def test_outputs_that_are_not_the_likeliest_label_are_counted(tmp_path, as_list):
    """Ties, other texts and rows without probabilities do not count."""
    given = [("POS", 0.9), ("neg", 0.9), ("pos", 0.5), ("neg", 0.5), ("?", 0.9), ("pos", None)]
    path = jsonl(
        tmp_path / "p.jsonl",
        *(
            {
                "id": str(index),
                "out": out,
                "p": None if p is None else [1 - p, p] if as_list else {"neg": 1 - p, "pos": p},
            }
            for index, (out, p) in enumerate(given)
        ),
    )
    found = model(path, id="id", output="out", probabilities="p")
    ids = [str(index) for index in range(len(given))]
    (line,) = found.unmatched({"s": ids}, {"s": ["neg", "pos"]})
    assert line.startswith("in 1 of 4 rows of p.jsonl the recorded output is not the most likely")
    assert len(found.unmatched({"s": ids})) == (not as_list)
