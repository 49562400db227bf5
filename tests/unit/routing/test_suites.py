"""Which suites a router is fitted and judged on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdeval.errors import RoutingError
from kdeval.records import Metric
from kdeval.routing.evaluate import evaluate_router
from kdeval.routing.fit import fit_router
from kdeval.routing.guarantee import FitSettings
from kdeval.routing.suites import choose_suites, suites_of_router
from kdeval.store.run_directory import RunDirectory, SuiteEntry

OTHER = {
    "lower": Metric(name="wrong", higher_is_better=False),
    "whole": Metric(name="macro_f1", aggregation="macro_f1"),
    "written": Metric(name="exact_match"),
}


@pytest.fixture
def mixed(run: RunDirectory) -> RunDirectory:
    """The run with one more suite a metric of `OTHER`; only "written" can be certified."""
    more = tuple(
        SuiteEntry(name=name, kind="generation", fingerprint="d" * 64, samples=1,
                   metrics=(metric.name,))
        for name, metric in OTHER.items()
    )  # fmt: skip
    metrics = {**run.manifest.metrics, **{metric.name: metric for metric in OTHER.values()}}
    opened = RunDirectory.open(run.path)
    opened.manifest = replace(run.manifest, suites=(*run.manifest.suites, *more), metrics=metrics)
    return opened


def test_suites_without_a_metric_to_certify_are_left_out_by_name(mixed: RunDirectory) -> None:
    """Each with its reason, in a note that names the option."""
    found = choose_suites(mixed)
    assert found.metrics == {"chat": "label", "written": "exact_match"}
    (note,) = found.notes
    for words in (
        "lower ('wrong' is better when lower)",
        "whole ('macro_f1' scores a whole set",
        "--suite",
    ):
        assert words in note
    assert "chat" not in note


def test_a_recorded_score_counts_where_it_is_right_or_wrong(
    tmp_path: Path, rows: Callable[..., list[Any]], run_of: Callable[..., RunDirectory]
) -> None:
    """It declares no range, so the scores decide."""
    metric = Metric(name="score", low=None, high=None)
    right_or_wrong = run_of(tmp_path / "binary", rows(30), metric=metric)
    assert choose_suites(right_or_wrong).metrics == {"chat": "score"}
    graded = run_of(
        tmp_path / "graded", [{**row, "teacher": 0.5} for row in rows(30)], metric=metric
    )
    with pytest.raises(RoutingError, match="'score' has scores that are not exactly 0 or 1"):
        choose_suites(graded)


def test_with_a_metric_suites_that_lack_it_are_left_out(mixed: RunDirectory) -> None:
    found = choose_suites(mixed, metric="exact_match")
    assert found.metrics == {"written": "exact_match"}
    assert "it has no metric 'exact_match', only 'label'" in found.left_out["chat"]


def test_named_suites_are_all_that_count_and_need_no_note(mixed: RunDirectory) -> None:
    found = choose_suites(mixed, suites=("written", "written"))
    assert (found.metrics, found.notes) == ({"written": "exact_match"}, ())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"suites": ("chat", "lower")}, "suite 'lower': 'wrong' is better when lower.*--suite"),
        ({"suites": ("chats",)}, "no suite 'chats'.*chat, lower"),
        ({"metric": "rouge"}, "suite 'chat': it has no metric 'rouge'.*--metric.*--suite"),
    ],
)
def test_what_leaves_no_suite_or_was_asked_for_is_an_error(
    mixed: RunDirectory, asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(RoutingError, match=words):
        choose_suites(mixed, **asked)


def test_the_router_keeps_which_suites_it_was_fitted_on(
    mixed: RunDirectory, tmp_path: Path
) -> None:
    """Its lineage has no other, and it is judged on no other unless asked."""
    summary = fit_router(mixed, tmp_path / "router", FitSettings(suites=("chat",), max_drop=0.03))
    lineage = summary.config.lineage
    assert (lineage.metrics, list(lineage.suites)) == ({"chat": "label"}, ["chat"])
    judged = evaluate_router(summary.path, mixed)
    assert any("written (the router was not fitted on it)" in note for note in judged.notes)
    assert evaluate_router(summary.path, mixed, suites=("chat",)).notes == ()


def test_a_run_of_other_suites_is_judged_on_all_that_can_be(mixed: RunDirectory) -> None:
    found = suites_of_router(mixed, {"gone": "exact_match"})
    assert found.metrics == {"written": "exact_match"}
