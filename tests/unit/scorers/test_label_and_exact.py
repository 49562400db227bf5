"""Labels and exact texts."""

import pytest

from kdeval.scorers.exact import ExactMatch
from kdeval.scorers.label import LabelScorer

LABELS = ("positive", "negative")


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ("positive", 1),
        (" Positive\n", 1),
        ("POSITIVE", 1),
        ("negative", 0),
        ("positive.", 0),
        ("not positive", 0),
    ],
)
def test_labels_forgive_case_and_surrounding_space_only(mark, output, value):
    assert mark(LabelScorer(), output, "positive", labels=LABELS).value == value


def test_an_undeclared_label_is_wrong_with_that_as_the_reason(mark):
    score = mark(LabelScorer(), "happy", "positive", labels=LABELS)
    assert (score.value, score.reason) == (0, "the output is none of the declared labels")
    assert mark(LabelScorer(), "negative", "positive", labels=LABELS).reason is None


@pytest.mark.parametrize(
    ("options", "output", "reference", "value"),
    [
        ({}, "New  York\n", "New York", 1),
        ({}, "new york", "New York", 0),
        ({"ignore_case": True}, "new york", "New York", 1),
        ({"ignore_case": True}, "STRASSE", "straße", 1),
        ({}, "New York.", "New York", 0),
        ({"ignore_punctuation": True}, "New-York!", "NewYork", 1),
        ({}, "cafe\u0301", "caf\u00e9", 1),
        ({}, "Rome", ["Roma", "Rome"], 1),
        ({}, "Paris", ["Roma", "Rome"], 0),
        ({}, "3", 3, 1),
        ({}, "true", True, 1),
        ({}, "", "", 1),
    ],
)
def test_exact(mark, options, output, reference, value):
    assert mark(ExactMatch(**options), output, reference).value == value
