"""Splits depend on content alone, and what a router saw it knows again."""

from __future__ import annotations

import itertools

import numpy as np

from kdeval.routing.samples import load_samples
from kdeval.routing.split import FRACTIONS, SPLITS, assign_splits, seen_hashes, unseen


def test_a_unit_falls_into_the_same_split_wherever_it_stands() -> None:
    units = [f"text\0prompt {index}" for index in range(500)]
    names = dict(zip(units, assign_splits(units, 7), strict=True))
    shuffled = list(reversed(units))
    assert names == dict(zip(shuffled, assign_splits(shuffled, 7), strict=True))
    assert names[units[3]] == assign_splits([units[3]], 7)[0]


def test_shares_are_those_asked_for_and_seeds_differ() -> None:
    units = [f"text\0prompt {index}" for index in range(20_000)]
    names = assign_splits(units, 0)
    for name in SPLITS:
        assert abs((names == name).mean() - FRACTIONS[name]) < 0.012
    assert (names != assign_splits(units, 1)).mean() > 0.5


def test_a_cluster_and_a_repeated_prompt_are_never_divided(tmp_path, rows, run_of) -> None:
    data = rows(600)
    for index, row in enumerate(data):
        row["cluster"] = f"doc{index // 5}" if index % 2 else None
        row["text"] = data[index - 1]["text"] if index % 10 == 4 else row["text"]
    samples = load_samples(
        run_of(tmp_path / "run", data), students=("small",), metrics={"chat": "label"}
    )
    names = assign_splits(samples.units, 0)
    for first, second in itertools.combinations(SPLITS, 2):
        assert not set(samples.units[names == first]) & set(samples.units[names == second])
    lonely = [row["cluster"] is None for row in data]
    texts = samples.texts[lonely]
    for text in set(texts):
        assert len(set(names[lonely][texts == text])) == 1


def test_seen_samples_are_known_by_prompt_or_cluster_not_by_position(run) -> None:
    samples = load_samples(run, students=("small",), metrics={"chat": "label"})
    names = assign_splits(samples.units, 3)
    seen = seen_hashes(samples.take(names != "test"), 3)
    assert (unseen(samples, seen, 3) == (names == "test")).all()
    backwards = samples.take(np.arange(len(samples))[::-1])
    assert (unseen(backwards, seen, 3)[::-1] == (names == "test")).all()
