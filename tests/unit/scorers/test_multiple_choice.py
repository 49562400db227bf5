"""Choices given as an index, a letter or a text are told apart, never guessed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.records import Response, Sample
from kdeval.scorers.multiple_choice import MultipleChoice
from kdeval.store.choices import choice_readings

CITIES = ("Paris", "Rome", "Oslo")
NUMBERS = ("1", "2", "3", "10")
LETTERS = ("B", "A", "C")


@pytest.mark.parametrize("reference", [1, "1", "B", "b", "(B)", "B.", "Rome", " rome "])
@pytest.mark.parametrize(
    ("output", "value"),
    [
        ("1", 1),
        ("B", 1),
        ("b)", 1),
        ("[B]", 1),
        ("Rome", 1),
        ("B. Rome", 1),
        ("(B) Rome", 1),
        ("B: Rome", 1),
        ("**B**", 1),
        ("The answer is B", 1),
        ("the answer is: (b).", 1),
        ("Answer: B", 1),
        ("Answer: **B**", 1),
        ("My final answer is B. Rome", 1),
        ("The correct option is B.", 1),
        ("Option B", 1),
        ("The answer is A", 0),
        ("The answer is B. Paris", 0),
        ("The answer is B or A", 0),
        ("The answer is clear", 0),
        ("I think the answer is B", 0),
        ("Answer: 1", 0),
        ("Is it B", 0),
        ("0", 0),
        ("A", 0),
        ("Paris", 0),
        ("10", 0),
        ("B. Paris", 0),
        ("Romeo", 0),
        ("I would say Rome", 0),
        ("", 0),
    ],
)
def test_every_form_of_reference_and_output(mark, reference, output, value):
    assert mark(MultipleChoice(), output, reference, choices=CITIES).value == value


def test_ten_is_never_read_as_one(mark):
    """The whole text counts: "10" is the fourth choice here, by its text."""
    assert mark(MultipleChoice(), "10", "10", choices=NUMBERS).value == 1
    assert mark(MultipleChoice(), "10", 0, choices=NUMBERS).value == 0


def test_an_output_that_names_no_choice_is_wrong_with_a_reason(mark):
    score = mark(MultipleChoice(), "no idea", "A", choices=CITIES)
    assert (score.value, score.reason) == (0, "the output names no choice")


def test_digits_in_an_output_are_an_index(mark):
    assert mark(MultipleChoice(), "2", 2, choices=NUMBERS).value == 1
    assert mark(MultipleChoice(output="text"), "2", 1, choices=NUMBERS).value == 1


def test_an_output_that_is_a_letter_and_another_choice_s_text_is_not_marked(mark):
    score = mark(MultipleChoice(), "A", 1, choices=LETTERS)
    assert score.value is None
    assert "choice 0 by its letter or choice 1 by its text" in score.reason
    assert mark(MultipleChoice(output="text"), "A", 1, choices=LETTERS).value == 1
    assert mark(MultipleChoice(output="letter"), "A", 1, choices=LETTERS).value == 0


def _sample(reference, choices):
    return Sample(
        id="1",
        suite="s",
        task="s",
        kind="multiple_choice",
        input="",
        reference=reference,
        choices=choices,
        content_hash="0",
    )


@pytest.mark.parametrize(
    ("reference", "choices", "problem"),
    [
        ("2", NUMBERS, "choice 2 by its index or choice 1 by its text"),
        ("A", LETTERS, "choice 0 by its letter or choice 1 by its text"),
        ("D", CITIES, "none of the 3 choices"),
        (3, CITIES, "none of the 3 choices"),
        (-1, CITIES, "none of the 3 choices"),
        (True, CITIES, "none of the 3 choices"),
        ("Madrid", CITIES, "none of the 3 choices"),
        ("same", ("same", "same"), "choice 0 by its text or choice 1 by its text"),
    ],
)
def test_a_reference_that_is_not_exactly_one_choice_is_refused(reference, choices, problem):
    assert problem in MultipleChoice().reference_problem(_sample(reference, choices))
    score = MultipleChoice().score(_sample(reference, choices), Response(output="0"))
    assert score.value is None


def test_the_form_of_the_reference_can_be_said():
    assert MultipleChoice(reference="index").reference_problem(_sample("2", NUMBERS)) is None
    assert MultipleChoice(reference="text").reference_problem(_sample("A", LETTERS)) is None
    assert MultipleChoice(reference="letter").reference_problem(_sample("1", CITIES)) is not None


def test_a_choice_s_own_number_wins_where_there_is_no_such_index(mark):
    tens = ("10", "20", "30")
    assert mark(MultipleChoice(), "20", "20", choices=tens).value == 1
    assert mark(MultipleChoice(), "1", "20", choices=tens).value == 1


def test_a_reference_that_only_counting_from_1_explains_is_told_so():
    for reference in (3, "3"):
        problem = MultipleChoice().reference_problem(_sample(reference, CITIES))
        assert "set `first_index: 1` in the suite" in problem
    assert "first_index" not in MultipleChoice().reference_problem(_sample(4, CITIES))


def test_readings_count_from_0_whatever_the_text_counts_from():
    assert choice_readings("2", CITIES, first_index=1) == {1: "index"}
    assert choice_readings("3", CITIES, first_index=1) == {2: "index"}
    assert choice_readings("0", CITIES, first_index=1) == {}
    assert choice_readings("B", CITIES, first_index=1) == {1: "letter"}
    assert choice_readings("2", ("1", "2", "3"), first_index=1) == {1: "index"}


def test_a_json_integer_is_an_index_whatever_the_choices_say():
    assert MultipleChoice().reference_problem(_sample(2, NUMBERS)) is None


@settings(deadline=None)
@given(st.lists(st.text(min_size=3), min_size=2, max_size=6), st.text())
def test_readings_name_existing_choices_only(choices, text):
    assert all(0 <= index < len(choices) for index in choice_readings(text, choices))
