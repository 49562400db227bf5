"""Nothing that is measured was trained on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from kdeval.errors import DataError
from kdeval.workflows.demo.ratings import read_ratings
from kdeval.workflows.demo.splits import SplitSizes, split_texts


@pytest.mark.parametrize("seed", range(5))
def test_no_document_is_in_two_splits(ratings: Path, sizes: SplitSizes, seed: int) -> None:
    """But the distillation may see the texts that the teacher was trained on."""
    splits = split_texts(read_ratings(ratings), seed=seed, sizes=sizes)
    documents = {
        "heldout": {text.document for text in splits.heldout},
        "evaluation": {text.document for text in splits.evaluation},
        "training": {text.document for text in (*splits.labelled, *splits.distillation)},
        "tweets": {text.document for text in splits.tweets},
    }
    for first, second in combinations(documents, 2):
        assert not documents[first] & documents[second], (first, second)


def test_sizes_hold_for_every_domain(ratings: Path, sizes: SplitSizes) -> None:
    """And what is measured or learnt from labels has a clear label."""
    splits = split_texts(read_ratings(ratings), seed=0, sizes=sizes)
    for part, n in ((splits.heldout, 10), (splits.evaluation, 12), (splits.labelled, 12)):
        assert Counter(text.domain for text in part) == dict.fromkeys(
            ("movie", "amazon", "tweets", "nyt"), n
        )
        assert all(text.label for text in part)
        assert len({text.id for text in part}) == len(part)


def test_what_the_students_see(ratings: Path, sizes: SplitSizes) -> None:
    """Movies and Amazon only, then tweets of which some are unclear, as traffic is."""
    splits = split_texts(read_ratings(ratings), seed=0, sizes=sizes)
    assert {text.domain for text in splits.distillation} == {"movie", "amazon"}
    assert len({text.id for text in splits.distillation}) == len(splits.distillation)
    assert len(splits.tweets) == 15
    assert {text.domain for text in splits.tweets} == {"tweets"}
    assert {text.label for text in splits.tweets} == {"negative", "positive", None}


def test_the_seed_decides(ratings: Path, sizes: SplitSizes) -> None:
    """The same seed gives the same splits, whatever the order of the texts within a file."""
    texts = read_ratings(ratings)
    assert split_texts(texts, seed=1, sizes=sizes) == split_texts(texts, seed=1, sizes=sizes)
    assert split_texts(texts, seed=1, sizes=sizes) != split_texts(texts, seed=2, sizes=sizes)


def test_too_few_texts_are_told(ratings: Path, sizes: SplitSizes) -> None:
    """With the domain and the numbers."""
    texts = read_ratings(ratings)
    with pytest.raises(DataError, match="movie texts run out: a split needs 90"):
        split_texts(texts, seed=0, sizes=replace(sizes, evaluation=90))
    with pytest.raises(DataError, match="tweets run out: 80 unlabelled"):
        split_texts(texts, seed=0, sizes=replace(sizes, tweets=80))
