"""Checkpoints, chains and ladders on score sheets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdeval.compare.related.checkpoints import checkpoint_figures
from kdeval.compare.related.series import series_figures
from kdeval.records import Metric, RunHeader
from kdeval.stats import paired_difference
from kdeval.store.run_directory import ModelEntry, RunManifest, SeriesEntry, SuiteEntry

METRIC = Metric(name="m")
SLACK = [HealthCheck.function_scoped_fixture]


def manifest(members, **sizes) -> RunManifest:
    entries = [
        ModelEntry(name=name, type="recorded", fingerprint=name, bytes_on_disk=sizes.get(name))
        for name in members
    ]
    return RunManifest(
        name="r",
        header=RunHeader(
            created="2026-01-01T00:00:00+00:00", kdeval="0", versions={}, git_revision=None,
            seed=0, models={}, suites={}, hardware={},
        ),
        confidence=0.95, teacher=entries[0], students=tuple(entries[1:]),
        suites=(
            SuiteEntry(name="x", kind="generation", fingerprint="f", samples=1, metrics=("m",)),
        ),
        metrics={"m": METRIC}, pairs=1,
    )  # fmt: skip


def figures(sheet, kind, members, students=(), **sizes):
    entry = SeriesEntry(name="s", kind=kind, members=tuple(members))
    models = ["t", *(name for name in sheet.scores if name != "t")]
    return series_figures(
        entry, manifest=manifest(models, **sizes), sheets=[sheet], tables={}, students=students,
        confidence=0.95,
    )  # fmt: skip


@settings(suppress_health_check=SLACK, deadline=None, max_examples=40)
@given(st.lists(st.tuples(*[st.sampled_from([0.0, 1.0, 1.0, None])] * 3), min_size=3, max_size=40))
def test_the_stages_of_a_chain_multiply_to_the_whole(make_sheet, rows) -> None:
    """On the samples that all answered, the product is the last cumulative retention."""
    t, mid, s = zip(*rows, strict=True)
    (found,) = figures(make_sheet({"t": t, "mid": mid, "s": s}), "chain", ("t", "mid", "s")).chain
    assert found.n + found.n_missing == len(rows)
    whole = found.stages[-1].from_first.retention.estimate
    if found.product is not None:
        assert found.product == pytest.approx(whole)
    assert [stage.step.source for stage in found.stages] == ["t", "mid"]
    assert found.stages[0].step == found.stages[0].from_first


def test_a_ladder_counts_flips_to_the_rung_before_and_to_the_first(make_sheet) -> None:
    """The same score may hide flips: a and c are alike, b lost one and gained another."""
    sheet = make_sheet({"t": [1] * 4, "a": [1, 1, 0, 0], "b": [0, 1, 1, 0], "c": [1, 1, 0, 0]})
    (found,) = figures(sheet, "ladder", ("a", "b", "c"), a=40, b=20, c=10).ladder
    first, second, third = found.rungs
    assert (first.from_previous, first.from_first) == (None, None)
    assert (second.from_previous.lost, second.from_previous.gained) == (1, 1)
    assert (third.from_previous.lost, third.from_previous.gained) == (1, 1)
    assert (third.from_first.lost, third.from_first.gained) == (0, 0)
    assert third.from_previous.changed.estimate == 0.5
    assert third.from_first.changed.estimate == 0.0
    assert [rung.bytes_on_disk for rung in found.rungs] == [40, 20, 10]


def forgetting_by_hand(matrix: np.ndarray) -> tuple[int, int, int, int, int]:
    once = forgotten = learned = events = kept = 0
    for column in matrix.T:
        early = [bool(value) for value in column]
        once += any(early[:-1])
        forgotten += any(early[:-1]) and not early[-1]
        learned += not early[0] and early[-1]
        falls = sum(a and not b for a, b in pairwise(early))
        events += falls
        kept += any(early) and falls == 0
    return once, forgotten, learned, events, kept


@settings(suppress_health_check=SLACK, deadline=None, max_examples=60)
@given(st.integers(2, 5), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_what_was_forgotten(make_sheet, k, n, seed) -> None:
    """Counts agree with going through every sample's history."""
    matrix = np.random.default_rng(seed).integers(0, 2, (k, n)).astype(float)
    names = [f"k{index}" for index in range(k)]
    part = np.arange(n) % 2 == 0
    sheet = make_sheet(
        {"t": [1.0] * n, **dict(zip(names, matrix, strict=True))}, slices={"part=even": part}
    )
    found = checkpoint_figures(
        sheet, names, None, teacher="t", metric=METRIC, confidence=0.95, seed=0
    )
    for item, columns in zip(found.forgetting, (matrix, matrix[:, part]), strict=True):
        assert (
            item.once_right, item.forgotten, item.learned, item.events, item.never_forgotten
        ) == forgetting_by_hand(columns)  # fmt: skip


def test_the_half_that_judges_has_no_say(make_sheet) -> None:
    """Scores of the judging half change the estimate, never the choice; clusters stay whole."""
    rng = np.random.default_rng(3)
    n, clusters = 400, [index // 4 for index in range(400)]
    columns = {f"k{index}": rng.integers(0, 2, n).astype(float) for index in range(4)}

    def best(scores):
        sheet = make_sheet({"t": [1.0] * n, **scores}, clusters=clusters)
        return checkpoint_figures(
            sheet, list(columns), None, teacher="t", metric=METRIC, confidence=0.95, seed=1
        ).best

    first = best(columns)
    assert first.n_selection + first.n_estimation == n
    assert first.n_selection % 4 == 0
    from kdeval.compare.related.checkpoints import _half

    sheet = make_sheet({"t": [1.0] * n, **columns}, clusters=clusters)
    judging = ~_half(sheet, np.ones(n, dtype=bool), 1)
    other = next(name for name in columns if name != first.selected)
    changed = {name: np.where(judging, float(name == other), c) for name, c in columns.items()}
    again = best(changed)
    assert again.selected == first.selected
    assert again.score.estimate == 0.0
    assert again.on_all == other


def test_too_few_samples_select_nothing(make_sheet) -> None:
    sheet = make_sheet({"t": [1.0] * 20, "a": [1.0] * 20, "b": [0.0] * 20})
    found = checkpoint_figures(
        sheet, ["a", "b"], [10, 20], teacher="t", metric=METRIC, confidence=0.95, seed=0
    )
    assert (found.best.on_all, found.best.selected) == ("a", None)
    assert "each half needs 30 samples" in found.best.reason
    assert [point.step for point in found.points] == [10, 20]


def test_nothing_answered_by_all_is_no_error(make_sheet) -> None:
    sheet = make_sheet({"t": [1.0, 1.0], "a": [1.0, None], "b": [None, 0.0]})
    found = checkpoint_figures(
        sheet, ["a", "b"], None, teacher="t", metric=METRIC, confidence=0.95, seed=0
    )
    assert (found.n, found.n_missing, found.forgetting) == (0, 2, ())
    assert found.points[0].score.estimate is None


def test_a_step_is_the_paired_difference(make_sheet) -> None:
    """Also for real scores, which have no flips."""
    rng = np.random.default_rng(0)
    a, b = rng.random(50), rng.random(50)
    (found,) = figures(make_sheet({"t": a, "a": a, "b": b}), "ladder", ("a", "b")).ladder
    step = found.rungs[1].from_previous
    assert step.difference == paired_difference(a, b)
    assert (step.lost, step.gained) == (None, None)
