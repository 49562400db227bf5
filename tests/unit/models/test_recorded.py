"""Recorded predictions: looked up by id, never guessed, never wrong for being absent."""

import pytest

from kdeval.config.schema import RecordedColumnsConfig, RecordedModelConfig
from kdeval.errors import DataError
from kdeval.models.protocols import ChoiceScorer, Classifier, Generator
from kdeval.models.recorded import RecordedModel
from tests.unit.models.recorded_files import FULL, ask, jsonl, model, write


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
    assert response.error == "no recorded prediction for its id"


def test_without_an_id_column_rows_are_numbered_from_one(tmp_path):
    found = model(write(tmp_path / "p.csv", "out\npositive\n\nnegative\n"), output="out")
    assert [ask(found, i).output for i in ("1", "2")] == ["positive", "negative"]


def test_an_id_may_be_a_template(tmp_path):
    path = write(tmp_path / "p.csv", "doc,n,out\nd,1,positive\n")
    assert ask(model(path, id="{{ doc }}-{{ n }}", output="out"), "d-1").output == "positive"


def test_an_id_with_two_answers_is_refused_with_both_lines(tmp_path):
    path = write(tmp_path / "p.csv", "id,out\na,positive\nb,negative\na,negative\n")
    with pytest.raises(DataError, match=r"p.csv:4: id 'a' has another answer in .*p.csv:2"):
        model(path, id="id", output="out")


def test_a_row_that_repeats_another_counts_once(tmp_path):
    path = write(tmp_path / "p.csv", "id,out,x\na,positive,1\na,positive,2\n")
    assert ask(model(path, id="id", output="out")).output == "positive"


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


def test_it_tells_whether_it_brings_scores(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", FULL)
    assert model(path, id="id", score="ok").has_scores is True
    assert model(path, id="id", output="out").has_scores is False
