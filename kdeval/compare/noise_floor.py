"""How far one model differs from itself: the noise floor under every claimed difference.

A model answered the same samples as configured and under changed conditions (another batch size,
seed, dtype or device, or simply again). A difference between two models that is no larger than
what one of them does to itself says nothing about the models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from kdeval.compare.comparison import ALL
from kdeval.compare.selection import PairTable, cluster_codes, load_pairs, selection_of
from kdeval.compare.self_difference import SelfDifference, against_itself
from kdeval.models.variants import Condition, NotVaried, Variant
from kdeval.records import Metric, RunHeader
from kdeval.stats.fidelity.self_agreement import self_agreement
from kdeval.stats.interval import Interval
from kdeval.store.run_directory import RunDirectory

__all__ = ["Floor", "NoiseFloor", "VariedCondition", "noise_floor"]

KIND: Final = "kdeval.noise_floor"
_NUMERICS: Final[tuple[Condition, ...]] = ("dtype", "device")
_POOLED: Mapping[Condition, str] = {"repeat": "asked again", "seed": "other seeds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class VariedCondition:
    """Everything found under one changed condition; `change` says which in words."""

    condition: Condition
    name: str
    change: str
    errors: int
    cells: tuple[SelfDifference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The noise floor of one slice by one metric: the worst over all conditions.

    Attributes:
        n: samples, the fewest of any condition.
        difference: largest absolute difference of the mean score that was measured.
        difference_at_most: what it may be at the document's confidence; None: not bounded.
        difference_under: the condition that this comes from, in words.
        flip_rate: largest share of flips measured; None for scores that are not right or wrong.
        flip_rate_at_most: the same at the document's confidence.
        self_agreement: probability that two answers of the model are the same, under the
            condition where that is lowest; the ceiling that an agreement is read against. Another
            dtype or device has no say: it makes another numerical model, and a student may well
            compute as the teacher does.
        self_agreement_under: that condition.
        numerics_agreement: the same under another dtype or device, which bounds no student.
        numerics_agreement_under: which of them.
        anything_changed: whether any output or score changed at all.
        unbounded_because: why the difference is not bounded; None where it is, or not known.
    """

    suite: str
    metric: str
    slice: str
    n: int
    difference: float
    difference_at_most: float | None
    difference_under: str
    flip_rate: float | None
    flip_rate_at_most: float | None
    self_agreement: Interval | None
    self_agreement_under: str | None
    largest_probability_change: float | None
    anything_changed: bool
    unbounded_because: str | None = None
    numerics_agreement: Interval | None = None
    numerics_agreement_under: str | None = None

    @property
    def score_changed(self) -> bool:
        """Whether noise was seen in the score itself; other answers may score the same."""
        return self.anything_changed and (self.difference > 0 or bool(self.flip_rate))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseFloor:
    """One model against itself: what `kdeval aa` writes.

    Attributes:
        fingerprint: of the model as configured; a report uses the floor only for that model.
        confidence: two-sided, of every interval.
        limit: the `--limit`, None when every sample was asked.
        metrics: metric name to what its number means.
        conditions: what was varied.
        not_varied: what was not, and why.
        notes: what else a reader must know.
    """

    model: str
    fingerprint: str
    name: str
    header: RunHeader
    confidence: float
    limit: int | None
    metrics: Mapping[str, Metric]
    conditions: tuple[VariedCondition, ...]
    not_varied: tuple[NotVaried, ...]
    floors: tuple[Floor, ...]
    notes: tuple[str, ...] = ()
    schema_version: Literal[1] = 1
    kind: Literal["kdeval.noise_floor"] = KIND

    def floor(self, suite: str, metric: str, slice: str = ALL) -> Floor | None:
        """The floor of that cell, or None."""
        wanted = (suite, metric, slice)
        return next((f for f in self.floors if (f.suite, f.metric, f.slice) == wanted), None)


def noise_floor(
    run: RunDirectory,
    variants: Sequence[Variant],
    not_varied: Sequence[NotVaried],
    notes: Sequence[str] = (),
) -> NoiseFloor:
    """The document of a run whose students are its teacher under changed conditions.

    Args:
        run: with one student a variant, in the same order.
        variants: what each student is.
        not_varied: what could not be tried.
        notes: what else a reader must know.
    """
    manifest = run.manifest
    tables = load_pairs(run)
    names = [entry.name for entry in manifest.students]
    chosen = {
        (*key, name): selection_of(table, name)
        for key, table in tables.items()
        for name in table.slices
    }
    cells = _places(tables)
    conditions = tuple(
        VariedCondition(
            condition=variant.condition,
            name=variant.name,
            change=variant.change,
            errors=entry.errors,
            cells=tuple(
                against_itself(
                    chosen[entry.name, *cell],
                    cell,
                    manifest.metrics[cell[1]],
                    confidence=manifest.confidence,
                    seed=manifest.header.seed,
                )
                for cell in cells
            ),
        )
        for variant, entry in zip(variants, manifest.students, strict=True)
    )
    return NoiseFloor(
        model=manifest.teacher.name,
        fingerprint=manifest.teacher.fingerprint,
        name=manifest.name,
        header=manifest.header,
        confidence=manifest.confidence,
        limit=manifest.limit,
        metrics=manifest.metrics,
        conditions=conditions,
        not_varied=tuple(not_varied),
        notes=tuple(notes),
        floors=tuple(
            _floor(index, conditions, tables, names, manifest.confidence)
            for index in range(len(cells))
        ),
    )


def _places(tables: Mapping[tuple[str, str, str], PairTable]) -> list[tuple[str, str, str]]:
    """(suite, metric, slice) of every cell, in the run's order."""
    found = (
        (suite, metric, name)
        for (_, suite, metric), table in tables.items()
        for name in table.slices
    )
    return list(dict.fromkeys(found))


def _floor(
    index: int,
    conditions: Sequence[VariedCondition],
    tables: Mapping[tuple[str, str, str], PairTable],
    students: Sequence[str],
    confidence: float,
) -> Floor:
    cells = [(condition.change, condition.cells[index]) for condition in conditions]
    first = cells[0][1]
    bounds = [(_at_most(cell.difference), change) for change, cell in cells]
    unbounded = [change for bound, change in bounds if bound is None]
    worst, under = max((bound or 0.0, change) for bound, change in bounds)
    rates = [cell.flip_rate for _, cell in cells if cell.flip_rate is not None]
    answers = [
        (condition, tables[student, first.suite, first.metric])
        for condition, student in zip(conditions, students, strict=True)
    ]
    numerics = [item for item in answers if item[0].condition in _NUMERICS]
    alike = [item for item in answers if item[0].condition not in _NUMERICS]
    agreement, agreed_under = _lowest_agreement(alike, first.slice, confidence)
    in_others, others = _lowest_agreement(numerics, first.slice, confidence)
    return Floor(
        suite=first.suite,
        metric=first.metric,
        slice=first.slice,
        n=min(cell.n for _, cell in cells),
        difference=max(abs(cell.difference.estimate or 0.0) for _, cell in cells),
        difference_at_most=None if unbounded else worst,
        difference_under=unbounded[0] if unbounded else under,
        unbounded_because=next(
            (cell.difference.reason for _, cell in cells if _at_most(cell.difference) is None), None
        ),
        flip_rate=_largest(rate.estimate for rate in rates),
        flip_rate_at_most=_largest(rate.high for rate in rates),
        self_agreement=agreement,
        self_agreement_under=agreed_under,
        numerics_agreement=in_others,
        numerics_agreement_under=others,
        largest_probability_change=_largest(cell.largest_probability_change for _, cell in cells),
        anything_changed=any(
            cell.scores_changed or (cell.changed is not None and cell.changed.estimate)
            for _, cell in cells
        ),
    )


def _largest(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if known else None


def _at_most(difference: Interval) -> float | None:
    if difference.low is None or difference.high is None:
        return None
    return max(abs(difference.low), abs(difference.high))


def _lowest_agreement(
    answers: Sequence[tuple[VariedCondition, PairTable]], slice: str, confidence: float
) -> tuple[Interval | None, str | None]:
    """Over the kinds of condition; repeats of one kind count as draws of one sample."""
    found: list[tuple[float, int, Interval, str]] = []
    kinds = [condition.condition for condition, _ in answers]
    for kind in dict.fromkeys(kinds):
        places = [place for place, item in enumerate(kinds) if item == kind]
        agreement = _agreement([answers[place][1] for place in places], slice, confidence)
        if agreement is not None and agreement.estimate is not None:
            under = _POOLED[kind] if len(places) > 1 else answers[places[0]][0].change
            found.append((agreement.estimate, places[0], agreement, under))
    if not found:
        return None, None
    _, _, lowest, under = min(found, key=lambda item: item[:2])
    return lowest, under


def _agreement(tables: Sequence[PairTable], slice: str, confidence: float) -> Interval | None:
    """Of the configured answer and its repeats, on the samples that all of them answered."""
    frames = [table.frame[table.slices[slice]] for table in tables]
    outputs = pd.concat(
        [frames[0]["teacher_output"], *(frame["student_output"] for frame in frames)], axis=1
    )
    known = outputs.notna().all(axis=1)
    if not known.any():
        return None
    codes, _ = pd.factorize(outputs[known].to_numpy(dtype=object).ravel())
    draws = codes.reshape(-1, len(frames) + 1).astype(np.int64)
    clusters = cluster_codes(frames[0][known]) if tables[0].clustered else None
    return self_agreement(list(draws), clusters=clusters, confidence=confidence)
