"""Word overlap: token F1 and ROUGE, with an independent implementation as the oracle."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.scorers.rouge import Rouge1, Rouge2, RougeL, longest_common_subsequence
from kdeval.scorers.token_f1 import TokenF1
from kdeval.scorers.tokens import words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The cat's hat, well-known!", ["the", "cats", "hat", "wellknown"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("我爱北京", ["我", "爱", "北", "京"]),
        ("GPT模型 ok", ["gpt", "模", "型", "ok"]),
        ("ひらがな", ["ひ", "ら", "が", "な"]),
        ("गुणवत्ता है", ["गुणवत्ता", "है"]),
        ("cafe\u0301", ["caf\u00e9"]),
        ("$5.00 + 3", ["500", "3"]),
        ("?!", []),
        ("", []),
    ],
)
def test_words(text, found):
    assert words(text) == found


def test_thai_vowel_signs_stay_with_their_letter():
    assert words("ที่นี่") == ["ที่", "นี่"]


def test_words_apart():
    assert words("well-known", apart=True) == ["well", "known"]


@pytest.mark.parametrize(
    ("output", "reference", "value"),
    [
        ("the cat", "cat", 1.0),
        ("cat sat", "cat", 2 / 3),
        ("dog", "cat", 0.0),
        ("cat cat", "cat", 2 / 3),
        ("", "cat", 0.0),
        ("", "", 1.0),
        ("the", "a", 1.0),
        ("Rome", ["Roma", "Rome"], 1.0),
        ("北京市", "北京", 0.8),
        ("5", 5, 1.0),
    ],
)
def test_token_f1(mark, output, reference, value):
    assert mark(TokenF1(), output, reference).value == pytest.approx(value)


def test_other_words_can_be_ignored(mark):
    assert mark(TokenF1(ignored_words=("Der",)), "der Hund", "Hund").value == 1
    assert mark(TokenF1(ignored_words=()), "the cat", "cat").value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("scorer", "value"), [(Rouge1(), 4 / 5), (Rouge2(), 1 / 4), (RougeL(), 3 / 5)]
)
def test_rouge_by_hand(mark, scorer, value):
    """Four words of five in common, one pair of neighbours, three in the same order."""
    score = mark(scorer, "the gunman police killed now", "police kill the gunman now")
    assert score.value == pytest.approx(value)


def test_rouge_takes_the_best_of_several_references(mark):
    assert mark(RougeL(), "a b", ["x", "a b"]).value == 1


def test_rouge_of_nothing_is_nothing(mark):
    assert mark(Rouge1(), "", "word").value == 0
    assert mark(RougeL(), "", "").value == 0
    assert mark(Rouge2(), "word", "word").value == 0


def _slow_subsequence(left, right):
    row = [0] * (len(right) + 1)
    for one in left:
        above = row
        row = [0]
        for (diagonal, up), other in zip(pairwise(above), right, strict=True):
            row.append(diagonal + 1 if one == other else max(up, row[-1]))
    return row[-1]


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=80), st.lists(st.sampled_from("abc"), max_size=80))
def test_the_fast_subsequence_equals_the_plain_one(left, right):
    assert longest_common_subsequence(left, right) == _slow_subsequence(left, right)


ENGLISH = st.lists(
    st.sampled_from(["the", "cat", "Sat,", "a", "mat.", "well-known", "3.5", "it's", "END\n"]),
    max_size=25,
).map(" ".join)


def test_rouge_agrees_with_an_independent_implementation():
    """On English text without a stemmer."""
    oracle = pytest.importorskip("rouge_score.rouge_scorer")
    names = ("rouge1", "rouge2", "rougeL")
    expected_of = oracle.RougeScorer(list(names)).score

    @settings(deadline=None)
    @given(ENGLISH, ENGLISH)
    def check(output, reference):
        expected = expected_of(reference, output)
        for name, scorer in zip(names, (Rouge1(), Rouge2(), RougeL()), strict=True):
            found = scorer._f1(words(output, apart=True), words(reference, apart=True))
            assert found == pytest.approx(expected[name].fmeasure), name

    check()
