"""Samples that ask the very same question are one cluster, unless the suite says otherwise."""

import random
from collections import Counter

import pytest

from kdeval.suites.read import Suite

TWINS = [
    {"id": "a", "text": "good", "label": "positive"},
    {"id": "b", "text": "bad", "label": "negative"},
    {"id": "c", "text": "good", "label": "negative"},
]


def clusters(suite: Suite) -> dict[str, str | None]:
    return {sample.id: sample.cluster for sample in suite.samples}


def test_samples_of_one_question_are_a_cluster_whatever_the_reference(files):
    """One without a twin is a cluster of its own; content hashes stay those of references, too."""
    suite = files.load(TWINS)
    found = clusters(suite)
    assert found["a"] == found["c"] != found["b"]
    assert None not in found.values()
    assert len({sample.content_hash for sample in suite.samples}) == 3


def test_nothing_is_a_cluster_where_no_question_repeats(files):
    assert set(clusters(files.load(TWINS[:2])).values()) == {None}


def test_a_named_cluster_counts_alone(files):
    """A column that differs in each row says that the rows are independent."""
    assert clusters(files.load(TWINS, cluster="id")) == {"a": "a", "b": "b", "c": "c"}


@pytest.mark.parametrize("n", [30, 2_300])
def test_clusters_do_not_hang_on_the_order(files, n):
    """Nor on whether the samples lie on disk."""
    rows = [{"id": i, "text": f"text {i % (n - 7)}", "label": "positive"} for i in range(n)]
    straight = clusters(files.load(rows))
    random.Random(3).shuffle(rows)
    assert clusters(files.load(rows)) == straight
    assert sorted(Counter(straight.values()).values()) == [1] * (n - 14) + [2] * 7


def test_what_is_asked_beside_the_text_makes_another_question(files):
    """Choices; of likelihood the text that is scored."""
    rows = [
        {"id": "a", "q": "Which?", "c": ["x", "y"], "a": "x"},
        {"id": "b", "q": "Which?", "c": ["x", "z"], "a": "x"},
    ]
    fields = {"input": "{{ q }}", "reference": "{{ a }}", "labels": None}
    choices = files.load(rows, kind="multiple_choice", choices="c", **fields)
    assert set(clusters(choices).values()) == {None}
    assert (
        len(
            set(clusters(files.load(rows, kind="generation", scorers=["exact"], **fields)).values())
        )
        == 1
    )
    texts = [row | {"a": row["id"]} for row in rows]
    scored = files.load(texts, kind="likelihood", scorers=["perplexity"], **fields)
    assert set(clusters(scored).values()) == {None}


def test_a_smaller_sample_without_twins_has_no_clusters(files):
    rows = [{"id": i, "text": f"text {i // 2}", "label": "positive"} for i in range(40)]
    suite = files.load(rows)
    few, most = suite.limited(2, 0), suite.limited(39, 0)
    assert set(clusters(few).values()) == {None}
    assert len(set(clusters(most).values())) == 20
