"""Recorded labels and choices: read as the suite means them, or refused as ambiguous."""

import pytest

from kdeval.errors import DataError
from tests.unit.models.recorded_files import ask, jsonl, model


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
