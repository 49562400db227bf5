"""Scorers whose score of a set is no mean: what they count of a sample."""

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from kdeval.scorers.bleu import Bleu, tokens_13a
from kdeval.scorers.classes import MacroF1, MatthewsCorrelation
from kdeval.scorers.protocol import reference_problem
from kdeval.scorers.wer import WordErrorRate, edit_distance

LABELS = {"kind": "classification", "labels": ("Yes", "no")}


@pytest.mark.parametrize("scorer", [MacroF1(), MatthewsCorrelation()])
@pytest.mark.parametrize(
    ("output", "value", "codes"),
    [("yes ", 1.0, (0, 0)), ("No", 0.0, (0, 1)), ("perhaps", 0.0, (0, -1))],
)
def test_classes_are_places_among_the_labels(mark, scorer, output, value, codes) -> None:
    score = mark(scorer, output, "yes", **LABELS)
    assert (score.value, score.statistics) == (value, codes)


def test_classes_need_labels(mark) -> None:
    assert mark(MacroF1(), "yes", "yes", kind="generation").value is None


def test_a_suite_without_labels_is_refused_when_it_is_loaded(mark) -> None:
    from kdeval.records import Sample

    sample = Sample(
        id="1", suite="s", task="s", kind="generation", input="", reference="x", content_hash="0"
    )
    assert "belongs to kind: classification" in str(reference_problem(MacroF1(), sample))


@pytest.mark.parametrize(
    ("reference", "output", "edits", "words"),
    [
        ("the cat sat", "the cat sat", 0, 3),
        ("the cat sat", "the bat sat", 1, 3),
        ("the cat sat", "the sat", 1, 3),
        ("the cat sat", "the cat sat down", 1, 3),
        ("the cat sat", "", 3, 3),
        ("The cat, sat.", "the CAT sat", 0, 3),
        ("", "some words", 2, 0),
    ],
)
def test_words_changed_inserted_and_deleted(mark, reference, output, edits, words) -> None:
    score = mark(WordErrorRate(), output, reference)
    assert score.statistics == (edits, words)
    assert score.value == edits / max(words, 1)


def test_case_and_punctuation_count_where_they_are_asked_to(mark) -> None:
    assert mark(WordErrorRate(normalize=False), "the cat", "The cat.").statistics == (2, 2)


def test_the_closest_of_several_references_counts(mark) -> None:
    score = mark(WordErrorRate(), "a b c", ["x y z", "a b d", "a b"])
    assert score.statistics == (1, 3)


@given(st.text("abc", max_size=9), st.text("abc", max_size=9))
def test_edit_distance_is_the_textbooks(left: str, right: str) -> None:
    row = list(range(len(right) + 1))
    for i, one in enumerate(left, start=1):
        previous, row[0] = row[0], i
        for j, other in enumerate(right, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (one != other))
    assert edit_distance(left, right) == edit_distance(right, left) == row[-1]


@given(st.text('ab1 .,-"&;:()\n%é', max_size=30))
def test_tokens_are_those_of_13a(text: str) -> None:
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    assert tokens_13a(text) == Tokenizer13a()(text).split()


@pytest.mark.parametrize(
    ("output", "reference"),
    [
        ("The cat sat on the mat.", "The cat sat on a mat."),
        ("cat", "The cat sat on the mat."),
        ("Prices rose 3.5 %, to $4.", "Prices rose by 3.5 %, to $4."),
        ("nothing shared", "The cat"),
    ],
)
def test_a_samples_own_bleu_is_sacrebleus(mark, output, reference) -> None:
    expected = sacrebleu.sentence_bleu(output, [reference])
    assert mark(Bleu(), output, reference).value == pytest.approx(expected.score)


def test_several_references_clip_together_and_the_closest_length_counts(mark) -> None:
    score = mark(Bleu(tokenize="none"), "a a b", ["a a", "b c d e"])
    assert score.statistics == (3, 1, 0, 0, 3, 2, 1, 0, 3, 2)
    assert mark(Bleu(lowercase=True), "THE CAT", "the cat").statistics[:2] == (2, 1)
    assert mark(Bleu(tokenize="char"), "你好", "你好吗").statistics[-2:] == (2, 3)
