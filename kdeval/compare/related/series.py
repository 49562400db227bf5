"""The series of a run, each with the figures of its kind on every suite by every metric."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from kdeval.compare.comparison import Comparison
from kdeval.compare.figures.relations import (
    ChainFigures,
    CheckpointFigures,
    LabelFigures,
    LadderFigures,
    Rung,
    SeriesFigures,
    Stage,
)
from kdeval.compare.related.checkpoints import checkpoint_figures
from kdeval.compare.related.labels import label_figures
from kdeval.compare.related.sheet import ScoreSheet
from kdeval.compare.related.steps import score_of, step
from kdeval.compare.selection import PairTable
from kdeval.store.run_directory import RunManifest, SeriesEntry

__all__ = ["series_figures"]


def series_figures(
    entry: SeriesEntry,
    *,
    manifest: RunManifest,
    sheets: Iterable[ScoreSheet],
    tables: Mapping[tuple[str, str, str], PairTable],
    students: Sequence[Comparison],
    confidence: float,
) -> SeriesFigures:
    """Figures on every suite and metric where each member was scored by a mean.

    Args:
        entry: the series.
        manifest: of the run.
        sheets: one a suite and metric.
        tables: from `load_pairs`.
        students: each compared with the teacher, for latencies.
        confidence: of every interval.
    """
    usable = [
        sheet
        for sheet in sheets
        if all(name in sheet.scores for name in entry.members)
        and manifest.metrics[sheet.metric].aggregation == "mean"
    ]
    made = SeriesFigures(name=entry.name, kind=entry.kind, members=entry.members)
    if entry.kind == "checkpoints":
        found = tuple(_checkpoints(sheet, entry, manifest, confidence) for sheet in usable)
        return replace(made, checkpoints=found)
    if entry.kind == "chain":
        return replace(
            made, chain=tuple(_chain(sheet, entry.members, confidence) for sheet in usable)
        )
    if entry.kind == "ladder":
        latencies = _medians(manifest.teacher.name, students)
        rungs = (_ladder(sheet, entry.members, manifest, latencies, confidence) for sheet in usable)
        return replace(made, ladder=tuple(rungs))
    return replace(
        made, labels=tuple(_labels(sheet, entry.members, tables, confidence) for sheet in usable)
    )


def _checkpoints(
    sheet: ScoreSheet, entry: SeriesEntry, manifest: RunManifest, confidence: float
) -> CheckpointFigures:
    return checkpoint_figures(
        sheet,
        entry.members,
        entry.steps,
        teacher=manifest.teacher.name,
        metric=manifest.metrics[sheet.metric],
        confidence=confidence,
        seed=manifest.header.seed,
    )


def _labels(
    sheet: ScoreSheet,
    members: Sequence[str],
    tables: Mapping[tuple[str, str, str], PairTable],
    confidence: float,
) -> LabelFigures:
    hard, soft = members
    both = (tables[hard, sheet.suite, sheet.metric], tables[soft, sheet.suite, sheet.metric])
    return label_figures(sheet, hard, soft, both, confidence=confidence)


def _chain(sheet: ScoreSheet, members: Sequence[str], confidence: float) -> ChainFigures:
    rows = sheet.complete(members)
    stages = tuple(
        Stage(
            step=step(sheet, source, target, rows=rows, confidence=confidence),
            from_first=step(sheet, members[0], target, rows=rows, confidence=confidence),
        )
        for source, target in pairwise(members)
    )
    kept = [stage.step.retention.estimate for stage in stages]
    known = [value for value in kept if value is not None]
    return ChainFigures(
        suite=sheet.suite,
        metric=sheet.metric,
        n=int(rows.sum()),
        n_missing=int((~rows).sum()),
        stages=stages,
        product=math.prod(known) if len(known) == len(kept) else None,
    )


def _ladder(
    sheet: ScoreSheet,
    members: Sequence[str],
    manifest: RunManifest,
    latencies: Mapping[str, float],
    confidence: float,
) -> LadderFigures:
    rows = sheet.complete(members)
    entries = {entry.name: entry for entry in manifest.models}
    rungs = []
    for index, name in enumerate(members):
        below = members[index - 1] if index else None
        rungs.append(
            Rung(
                member=name,
                score=score_of(sheet, name, rows=rows, confidence=confidence),
                from_previous=(
                    None
                    if below is None
                    else step(sheet, below, name, rows=rows, confidence=confidence)
                ),
                from_first=(
                    None
                    if below is None
                    else step(sheet, members[0], name, rows=rows, confidence=confidence)
                ),
                parameters=entries[name].parameters,
                bytes_on_disk=entries[name].bytes_on_disk,
                dtype=entries[name].dtype,
                latency_s=latencies.get(name),
            )
        )
    return LadderFigures(
        suite=sheet.suite,
        metric=sheet.metric,
        n=int(rows.sum()),
        n_missing=int((~rows).sum()),
        rungs=tuple(rungs),
    )


def _medians(teacher: str, students: Sequence[Comparison]) -> dict[str, float]:
    found: dict[str, float] = {}
    for item in students:
        if item.latency is None:
            continue
        for name, side in ((teacher, item.latency.teacher), (item.student, item.latency.student)):
            median = side.get("p50")
            if median is not None and median.estimate is not None:
                found.setdefault(name, median.estimate)
    return found
