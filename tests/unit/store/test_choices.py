"""How the forms of a choice are told apart."""

from kdeval.store.choices import choice_readings, readings_text


def test_readings_agree_where_several_forms_mean_the_same():
    assert choice_readings("A", ("A", "B")) == {0: "letter"}
    assert choice_readings("1", ("0", "1")) == {1: "index"}


def test_ambiguity_is_told_in_words():
    readings = choice_readings("B", ("B", "x"))
    assert readings_text(readings) == "choice 1 by its letter or choice 0 by its text"


def test_only_the_form_that_is_said_is_tried():
    assert choice_readings("B", ("B", "x"), form="text") == {0: "text"}
    assert choice_readings("B", ("B", "x"), form="letter") == {1: "letter"}
    assert choice_readings("B", ("B", "x"), form="index") == {}
