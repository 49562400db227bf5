"""What relates the models of a run beyond each student and its teacher, all of it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from kdeval.compare.comparison import Comparison
from kdeval.compare.figures.ensembles import EnsembleFigures
from kdeval.compare.figures.relations import SeriesFigures, Standings
from kdeval.compare.figures.transfer import Transfer
from kdeval.compare.related.between import standings
from kdeval.compare.related.ensembles import ensemble_figures
from kdeval.compare.related.series import series_figures
from kdeval.compare.related.sheet import ScoreSheet, score_sheet
from kdeval.compare.related.transfer import transfers
from kdeval.compare.selection import PairTable
from kdeval.store.run_directory import RunDirectory, RunManifest

__all__ = ["Related", "related"]


class Related(TypedDict):
    """Fields of a `RunComparison`."""

    between: tuple[Standings, ...]
    series: tuple[SeriesFigures, ...]
    transfers: tuple[Transfer, ...]
    ensembles: tuple[EnsembleFigures, ...]


def related(
    run: RunDirectory,
    tables: Mapping[tuple[str, str, str], PairTable],
    students: Sequence[Comparison],
    confidence: float,
) -> Related:
    """Students against each other, series, ensembles, benchmarks beside production; empty if none.

    Args:
        run: the run.
        tables: from `load_pairs`.
        students: each compared with the teacher.
        confidence: of every interval, and of the claims of one table together.
    """
    manifest = run.manifest
    roles = {suite.role for suite in manifest.suites}
    members = run.members()
    wanted = (
        len(students) > 1
        or manifest.series
        or {"benchmark", "production"} <= roles
        or members is not None
    )
    sheets = _sheets(run, tables) if wanted else []
    rivals = _rivals(manifest, students)
    return Related(
        between=tuple(
            standings(sheet, rivals, metric=manifest.metrics[sheet.metric], confidence=confidence)
            for sheet in sheets
            if len(rivals) > 1
        ),
        series=tuple(
            series_figures(
                entry, manifest=manifest, sheets=sheets, tables=tables, students=students,
                confidence=confidence,
            )
            for entry in manifest.series
        ),
        transfers=transfers(
            manifest.suites, sheets=sheets, students=students,
            rivals=[item.student for item in rivals], metrics=manifest.metrics,
            confidence=confidence,
        ),
        ensembles=ensemble_figures(
            members, sheets=sheets, teacher=manifest.teacher.name, metrics=manifest.metrics,
            confidence=confidence,
        ),
    )  # fmt: skip


def _rivals(manifest: RunManifest, students: Sequence[Comparison]) -> list[Comparison]:
    """The students that stand against each other: of a series of checkpoints only the last.

    The others are compared in their series, and so many more claims would drown the rest.
    """
    earlier = {
        name
        for entry in manifest.series
        if entry.kind == "checkpoints"
        for name in entry.members[:-1]
    }
    return [item for item in students if item.student not in earlier]


def _sheets(
    run: RunDirectory, tables: Mapping[tuple[str, str, str], PairTable]
) -> list[ScoreSheet]:
    teacher = run.manifest.teacher.name
    found = [
        score_sheet(tables, teacher=teacher, suite=suite.name, metric=run.manifest.metrics[metric])
        for suite in run.manifest.suites
        for metric in suite.metrics
    ]
    return [sheet for sheet in found if sheet is not None]
