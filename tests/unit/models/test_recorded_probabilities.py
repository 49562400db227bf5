"""Recorded probabilities: whatever their form, of the suite's own options, never made up."""

import math

import pytest

from kdeval.errors import ConfigError, DataError
from tests.unit.models.recorded_files import LABELS, ask, jsonl, model, write


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


def test_choice_probabilities_are_keyed_by_index(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "p": {"A": 0.2, "B": 0.8}})
    response = ask(model(path, id="id", probabilities="p"), kind="multiple_choice")
    assert response.output == "1"
    assert set(response.log_probs) == {"0", "1"}


def test_two_probabilities_of_one_option_are_refused(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "p": {"A": 0.2, "0": 0.8}})
    with pytest.raises(DataError, match="A, 0 mean the same option"):
        ask(model(path, id="id", probabilities="p"), kind="multiple_choice")


def test_probabilities_may_be_named_from_1(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {"id": "a", "p": {"1": 0.2, "2": 0.8}})
    found = model(path, id="id", probabilities="p", first_index=1)
    assert ask(found, kind="multiple_choice").output == "1"
