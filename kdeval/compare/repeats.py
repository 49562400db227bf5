"""What repeated answers tell: how often the teacher agrees with itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kdeval.compare.pair_table import PairTable
from kdeval.stats.fidelity.self_agreement import cross_agreement, self_agreement
from kdeval.stats.interval import Interval
from kdeval.store.run_directory import RunDirectory

__all__ = ["Repeats", "repeats_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Agreement of single draws on a suite where prompts were answered several times.

    Attributes:
        n: samples that the teacher answered at least twice.
        teacher: probability that two of the teacher's answers are the same: what an exact copy of
            the teacher, drawing as it draws, would reach.
        student: the same of the student; None where it answered once.
        between: probability that an answer of the student is one of the teacher's, drawn at
            random; to be read against `teacher`.
    """

    suite: str
    n: int
    teacher: Interval
    student: Interval | None
    between: Interval


def repeats_of(
    run: RunDirectory, tables: Mapping[tuple[str, str, str], PairTable], confidence: float
) -> Mapping[tuple[str, str], Repeats]:
    """(student, suite) to what its repeats tell; only where the teacher answered repeatedly.

    Args:
        run: a finished run; its pairs are read again, with every answer of a sample.
        tables: its pairs.
        confidence: two-sided, of every interval.
    """
    columns = ["suite", "sample_id", "student", "metric"]
    sides = [f"{side}_{what}" for side in ("teacher", "student") for what in ("samples", "output")]
    read = run.pair_table(columns + sides)
    if "teacher_samples" not in read.column_names:
        return {}
    read = read.filter(read.column("teacher_samples").is_valid())
    found: dict[tuple[str, str], Repeats] = {}
    frame = read.to_pandas()
    for (student, suite, metric), rows in frame.groupby(
        ["student", "suite", "metric"], observed=True, sort=False
    ):
        key = (str(student), str(suite))
        table = tables.get((*key, str(metric)))
        if key not in found and table is not None:
            found[key] = _repeats(str(suite), rows, table, confidence)
    return found


def _repeats(suite: str, rows: pd.DataFrame, table: PairTable, confidence: float) -> Repeats:
    teacher = [list(answers) for answers in rows["teacher_samples"]]
    student = [
        [answer] if answers is None else list(answers)
        for answers, answer in zip(rows["student_samples"], rows["student_output"], strict=True)
    ]
    student = [[answer for answer in answers if isinstance(answer, str)] for answers in student]
    codes: dict[str, int] = {}
    coded = [
        [[codes.setdefault(answer, len(codes)) for answer in answers] for answers in side]
        for side in (teacher, student)
    ]
    teacher_draws, student_draws = ([np.array(row, dtype=np.int64) for row in side]
                                    for side in coded)  # fmt: skip
    clusters = None
    if table.clusters is not None:
        place = {str(sample): code for sample, code in zip(table.ids, table.clusters, strict=True)}
        clusters = np.array([place[str(sample)] for sample in rows["sample_id"]], dtype=np.int64)
    repeated = any(len(row) > 1 for row in student_draws)
    return Repeats(
        suite=suite,
        n=len(rows),
        teacher=self_agreement(teacher_draws, clusters=clusters, confidence=confidence),
        student=self_agreement(student_draws, clusters=clusters, confidence=confidence)
        if repeated
        else None,
        between=cross_agreement(
            teacher_draws, student_draws, clusters=clusters, confidence=confidence
        ),
    )
