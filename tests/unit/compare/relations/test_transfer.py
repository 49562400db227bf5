"""From benchmark to production."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from kdeval.compare.comparison import ALL
from kdeval.compare.compute import compare_cell
from kdeval.compare.related.transfer import transfers
from kdeval.compare.selection import Selection
from kdeval.records import Metric
from kdeval.store.run_directory import SuiteEntry

METRIC = Metric(name="m")


def right(n: int, share: float) -> list[float]:
    return [float(index < share * n) for index in range(n)]


def entry(name: str, role: str | None) -> SuiteEntry:
    return SuiteEntry(
        name=name, kind="generation", fingerprint=name, samples=1, metrics=("m",), role=role
    )  # type: ignore[arg-type]


@pytest.fixture
def transfer_of(make_sheet, make_student):
    def find(benchmark, production, *, roles=("benchmark", "production"), hashes=None):
        from dataclasses import replace

        sheets = [
            make_sheet(benchmark, suite="b"),
            make_sheet(production, suite="p", hashes=hashes),
        ]
        students = []
        for name in benchmark:
            if name == "t":
                continue
            cells = tuple(
                compare_cell(
                    _selection(sheet, name), suite=sheet.suite, slice=ALL, metric=METRIC,
                    kind="generation", confidence=0.95, seed=0,
                )
                for sheet in sheets
            )  # fmt: skip
            students.append(replace(make_student(name), cells=cells))
        return transfers(
            (entry("b", roles[0]), entry("p", roles[1])), sheets=sheets, students=students,
            rivals=[item.student for item in students],
            metrics={"m": METRIC}, confidence=0.95,
        )  # fmt: skip

    return find


def _selection(sheet, name: str) -> Selection:
    from kdeval.compare.comparison import Missing

    n = len(sheet.units)
    return Selection(
        teacher=sheet.scores["t"], student=sheet.scores[name], clusters=None, ids=sheet.units,
        content_hashes=sheet.hashes,
        missing=Missing(teacher_errors=0, student_errors=0, unscored=0, reasons={}),
        teacher_outputs=None, student_outputs=None,
        references=np.full(n, None, dtype=object), chance=None, probabilities=None,
    )  # fmt: skip


def test_the_gap_is_the_difference_of_differences(transfer_of) -> None:
    """Five points behind on the benchmark, thirty in production: a gap of 25, shown."""
    (found,) = transfer_of(
        {"t": right(400, 0.9), "a": right(400, 0.85)}, {"t": right(300, 0.9), "a": right(300, 0.6)}
    )
    (gap,) = found.gaps
    assert gap.gap.estimate == pytest.approx(-0.25)
    assert gap.gap.high < 0
    assert gap.production_retention.estimate == pytest.approx(2 / 3)
    assert (found.ranking, found.kendall) == ((), None)


def test_an_order_is_kept_reversed_or_not_separated(transfer_of) -> None:
    benchmark = {"t": right(400, 1), "a": right(400, 0.9), "b": right(400, 0.5)}
    kept = {"t": right(300, 1), "a": right(300, 0.8), "b": right(300, 0.4)}
    turned = kept | {"a": right(300, 0.3), "b": right(300, 0.8)}
    unclear = kept | {"a": right(300, 0.5), "b": right(300, 0.495)}
    verdicts = [transfer_of(benchmark, p)[0].ranking[0].verdict for p in (kept, turned, unclear)]
    assert verdicts == ["kept", "reversed", "not separated"]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15
)
@given(st.permutations(range(4)), st.permutations(range(4)))
def test_kendall_counts_every_unclear_pair_both_ways(transfer_of, here, there) -> None:
    """The estimate is scipy's; the interval holds it and every order that the data allow."""
    names = "abcd"
    sides = [
        {
            "t": right(40, 1),
            **{m: right(40, 0.2 + 0.2 * r) for m, r in zip(names, ranks, strict=True)},
        }
        for ranks in (here, there)
    ]
    (found,) = transfer_of(*sides)
    assert found.kendall.estimate == pytest.approx(kendalltau(here, there).statistic)
    assert found.kendall.low <= found.kendall.estimate <= found.kendall.high
    assert len(found.ranking) == len(list(itertools.combinations(names, 2)))


def test_both_roles_are_needed_and_shared_samples_are_counted(transfer_of) -> None:
    scores = {"t": right(40, 0.9), "a": right(40, 0.5)}
    assert transfer_of(scores, scores, roles=("benchmark", None)) == ()
    assert transfer_of(scores, scores)[0].shared == 40
    apart = [f"other {index}" for index in range(40)]
    assert transfer_of(scores, scores, hashes=apart)[0].shared == 0
