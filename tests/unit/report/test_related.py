"""Students against each other, series and transfer in every form of the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kdeval.compare.compute import compare_run
from kdeval.report.document import ReportDocument, report_document
from kdeval.report.html.page import report_html
from kdeval.report.markdown import report_markdown
from kdeval.report.related.sections import related_sections
from kdeval.report.terminal import report_renderables
from kdeval.store.run_directory import RunDirectory, SeriesEntry

from .conftest import runs  # type: ignore[import-not-found]

_SERIES = (
    SeriesEntry(name="epochs", kind="checkpoints", members=("zero", "two"), steps=(100.0, 200.0)),
    SeriesEntry(name="line", kind="chain", members=("big", "one", "two")),
    SeriesEntry(name="bits", kind="ladder", members=("one", "two", "three")),
    SeriesEntry(name="targets", kind="labels", members=("one", "two")),
)


def _scores(n: int, every: int) -> list[float]:
    return [float(index % every != 0) for index in range(n)]


@pytest.fixture
def document(tmp_path: Path) -> ReportDocument:
    """Three students on a benchmark and in production, where two of them change places."""
    suites = [
        runs.SuiteScores(
            name=name,
            teacher=_scores(240, 20),
            students={
                "zero": _scores(240, a),
                "one": _scores(240, a),
                "two": _scores(240, b),
                "three": _scores(240, 2),
            },
            domains=["news" if index % 3 else "tweets" for index in range(240)],
            texts=[f"{name} {index:06d}" for index in range(240)],
            probabilities=(0.8, 0.7),
        )
        for name, a, b in (("exam", 12, 3), ("traffic", 3, 12))
    ]
    run = runs.write_run(tmp_path / "run", suites, runs.RunParts())
    roles = ("benchmark", "production")
    manifest = replace(
        run.manifest,
        series=_SERIES,
        suites=tuple(
            replace(suite, role=role)
            for suite, role in zip(run.manifest.suites, roles, strict=True)
        ),
    )
    run = RunDirectory(run.path, manifest)
    return report_document(run, compare_run(run))


def _plain(document: ReportDocument) -> str:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for item in report_renderables(document):
        console.print(item)
    return console.export_text()


_CLAIMS = (
    "one is shown to be the best",
    "two is shown to be the best",
    "reversed in 1",
    "The ranking does not survive: reversed are one and two",
    "Forgotten: of 220 samples that some earlier checkpoint got right, the last gets 60 wrong",
)


@pytest.mark.parametrize("form", [_plain, report_html, report_markdown])
def test_every_form_says_the_same(
    document: ReportDocument, form: Callable[[ReportDocument], str]
) -> None:
    """The sentences that count are in the page, the Markdown and on the terminal."""
    words = " ".join(form(document).replace("\u00a0", " ").split())
    assert [claim for claim in _CLAIMS if claim not in words] == []


def test_the_page_draws_the_curve_and_links_the_sections(document: ReportDocument) -> None:
    page = report_html(document)
    assert "Score over training steps with its interval: epochs" in page
    for anchor in ("students", "series", "transfer"):
        assert f'<section id="{anchor}"' in page
        assert f'href="#{anchor}"' in page


def test_earlier_checkpoints_stand_in_their_series_only(document: ReportDocument) -> None:
    """Every student has a gap; of the checkpoints only the last is ranked."""
    assert [item.student for item in document.transfers[0].gaps] == ["zero", "one", "two", "three"]
    assert all(found.students == ("one", "two", "three") for found in document.between)
    ranked = {name for item in document.transfers[0].ranking for name in (item.first, item.second)}
    assert ranked == {"one", "two", "three"}


def test_a_table_has_a_cell_a_heading(document: ReportDocument) -> None:
    tables = [
        table
        for section in related_sections(document)
        for part in section.parts
        for table in part.tables
    ]
    assert len(tables) >= 8
    for table in tables:
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_differences_are_mirrored_and_none_is_minus_zero(document: ReportDocument) -> None:
    """The row's student minus the column's; two that score alike are no step apart."""

    def cells(document: ReportDocument) -> dict[tuple[int, int], str]:
        (section,) = (part for part in related_sections(document) if part.anchor == "students")
        table = section.parts[0].tables[0]
        assert table.title.startswith("Score of the row's student minus the column's, in points")
        return {(i, j): row[j + 1] for i, row in enumerate(table.rows) for j in range(3) if i != j}

    found = cells(document)
    assert all(float(found[i, j]) == -float(found[j, i]) != 0 for i, j in found)
    (first, *others) = document.between
    alike = replace(
        first,
        pairs=tuple(
            replace(pair, difference=replace(pair.difference, estimate=0.0)) for pair in first.pairs
        ),
    )
    assert set(cells(replace(document, between=(alike, *others))).values()) == {"+0.0"}


def test_one_student_and_no_series_say_nothing(make_document: Callable[..., Any]) -> None:
    assert related_sections(make_document()) == ()
