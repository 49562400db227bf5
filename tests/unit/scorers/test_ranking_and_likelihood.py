"""nDCG and recall at k as scikit-learn gives them; perplexity and bits per byte by hand."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from kdeval.records import Corpus, Response
from kdeval.scorers.perplexity import BitsPerByte, Perplexity
from kdeval.scorers.ranking import Ndcg, RecallAtK, relevance

DOCUMENTS = tuple(f"d{index}" for index in range(8))
CORPUS = Corpus(sha256="0", ids=DOCUMENTS, texts=DOCUMENTS, depth=8)
RETRIEVAL = {"kind": "retrieval", "corpus": CORPUS}


@settings(deadline=None)
@given(
    gains=st.lists(st.integers(0, 3), min_size=8, max_size=8).filter(any),
    ranking=st.permutations(DOCUMENTS),
    k=st.integers(1, 8),
)
def test_scores_are_those_of_scikit_learn_and_of_the_definition(gains, ranking, k) -> None:
    from kdeval.records import Sample

    reference = dict(zip(DOCUMENTS, gains, strict=True))
    sample = Sample(
        id="1", suite="s", task="s", input="q", reference=reference, content_hash="0", **RETRIEVAL
    )
    response = Response(output=json.dumps(ranking))
    places = [[-ranking.index(name) for name in DOCUMENTS]]
    expected = ndcg_score([gains], places, k=k)
    assert Ndcg(k=k).score(sample, response).value == pytest.approx(expected)
    relevant = {name for name, gain in reference.items() if gain}
    found = len(relevant & set(ranking[:k])) / len(relevant)
    assert RecallAtK(k=k).score(sample, response).value == pytest.approx(found)


def test_a_short_or_repeating_ranking_gains_nothing_by_it(mark) -> None:
    score = mark(RecallAtK(k=3), '["d1", "d1", "d1", "d2"]', ["d1", "d2"], **RETRIEVAL)
    assert score.value == 1
    assert mark(Ndcg(), "[]", ["d1"], **RETRIEVAL).value == 0
    assert mark(Ndcg(), "d1", ["d1"], **RETRIEVAL).reason == (
        "the output is no JSON list of document ids"
    )


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        (["a", 2], {"a": 1.0, "2": 1.0}),
        ({"a": 2, "b": 0}, {"a": 2.0}),
        ('{"a": 1}', {"a": 1.0}),
        ({"a": 0}, None),
        ([], None),
        ("a", None),
        ({"a": "much"}, None),
        ({"a": -1}, None),
        ([["a"]], None),
    ],
)
def test_references_say_which_documents_are_relevant(reference, found) -> None:
    assert relevance(reference) == found


@pytest.mark.parametrize(
    ("scorer", "reference", "words"),
    [
        (Ndcg(), ["d1"], "k is 10, but models return 8 documents"),
        (Ndcg(k=3), ["d9"], "'d9' is not in the corpus"),
        (Ndcg(k=3), "none", "must map document ids"),
    ],
)
def test_references_that_cannot_be_judged_are_told(scorer, reference, words) -> None:
    from kdeval.records import Sample

    sample = Sample(
        id="1", suite="s", task="s", input="q", reference=reference, content_hash="0", **RETRIEVAL
    )
    assert words in scorer.reference_problem(sample)


@pytest.mark.parametrize("k", [0, -1])
def test_k_is_at_least_1(k: int) -> None:
    with pytest.raises(ValueError, match="k must be 1 or more"):
        Ndcg(k=k)


def test_perplexity_and_bits_per_byte(mark) -> None:
    told = Response(output="né", output_tokens=4, mean_log_prob=math.log(1 / 8))
    perplexity = mark(Perplexity(), None, "né", kind="likelihood", response=told)
    assert perplexity.value == pytest.approx(8)
    assert perplexity.statistics == pytest.approx((4 * math.log(8), 4))
    bits = mark(BitsPerByte(), None, "né", kind="likelihood", response=told)
    assert bits.statistics == pytest.approx((12, 3))
    assert bits.value == pytest.approx(4)


@pytest.mark.parametrize(
    "told",
    [
        {"output_tokens": 4},
        {"mean_log_prob": -1.0},
        {"output_tokens": 0, "mean_log_prob": -1.0},
        {"output_tokens": 4, "mean_log_prob": -math.inf},
        {"output_tokens": 4, "mean_log_prob": -1e9},
        {"output_tokens": 4, "mean_log_prob": 0.5},
    ],
)
@pytest.mark.parametrize("scorer", [Perplexity(), BitsPerByte()])
def test_what_has_no_finite_likelihood_is_missing(mark, scorer, told) -> None:
    response = Response(output="x", **told)
    score = mark(scorer, None, "x", kind="likelihood", response=response)
    assert score.value is None
    assert score.reason


def test_a_written_texts_own_likelihood_is_no_perplexity(mark) -> None:
    response = Response(output="x", output_tokens=1, mean_log_prob=-1.0)
    score = mark(Perplexity(), None, "x", kind="generation", response=response)
    assert score.value is None
    assert "kind: likelihood" in score.reason
