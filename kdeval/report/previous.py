"""What a new student breaks that the one before it could do, with samples to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kdeval.compare.comparison import ALL, RunComparison
from kdeval.compare.selection import load_pairs
from kdeval.gate.baseline import Baseline
from kdeval.gate.previous import AgainstPrevious, PreviousFlips, against_previous
from kdeval.report.examples import shortened
from kdeval.report.numbers import count, counted, interval_text, number
from kdeval.store.run_directory import RunDirectory

__all__ = ["BrokenSample", "PreviousReport", "previous_lines", "previous_reports"]

_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenSample:
    """A sample that the previous student had right and the new one has wrong.

    Attributes:
        input: what was asked; this and all below is None in a report without text.
        previous_output: None too where the previous student is known by its scores only.
    """

    suite: str
    metric: str
    sample_id: str
    input: str | None = None
    reference: str | None = None
    previous_output: str | None = None
    output: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousReport:
    """One student beside the previous one.

    Attributes:
        previous: name of the run or baseline, and of the student in it.
        cells: every slice with right-or-wrong scores.
        broken: some of the negative flips, drawn by the run's seed, in the order of the suites.
    """

    student: str
    previous: str
    cells: tuple[PreviousFlips, ...]
    broken: tuple[BrokenSample, ...]

    @property
    def whole(self) -> tuple[PreviousFlips, ...]:
        """The whole suites."""
        return tuple(cell for cell in self.cells if cell.slice == ALL)


def previous_reports(
    run: RunDirectory,
    comparison: RunComparison,
    baseline: Baseline,
    *,
    baseline_path: Path,
    include_text: bool,
) -> tuple[PreviousReport, ...]:
    """Every student of `run` beside the baseline's.

    Args:
        run: the run that is reported.
        comparison: of the same run.
        baseline: the previous student's scores.
        baseline_path: where they come from; a run directory also tells what it answered.
        include_text: whether inputs, references and outputs may be told.

    Raises:
        UsageError: it is not clear which student of the baseline is meant, or no sample is shared.
    """
    tables = load_pairs(run)
    former = RunDirectory.open(baseline_path) if (baseline_path / "run.json").exists() else None
    reports = []
    for item in comparison.students:
        found = against_previous(
            tables, item.student, comparison.metrics, baseline, confidence=comparison.confidence
        )
        drawn = _drawn(found, run.manifest.header.seed)
        broken: Sequence[BrokenSample] = [
            BrokenSample(suite=suite, metric=metric, sample_id=sample)
            for (suite, metric), ids in drawn.items()
            for sample in ids
        ]
        if include_text:
            name = baseline.student_for(item.student)
            broken = list(_with_text(broken, run, item.student, former, name))
        reports.append(
            PreviousReport(
                student=found.student,
                previous=found.previous,
                cells=found.cells,
                broken=tuple(broken),
            )
        )
    return tuple(reports)


def _drawn(found: AgainstPrevious, seed: int) -> Mapping[tuple[str, str], Sequence[str]]:
    """At most so many ids in all, every suite and metric getting its turn."""
    kinds = max(1, len(found.lost))
    rng = np.random.default_rng([seed, kinds])
    drawn = {}
    for key, ids in found.lost.items():
        kept = np.sort(rng.permutation(len(ids))[: max(1, _SHOWN // kinds)])
        drawn[key] = [ids[place] for place in kept]
    return drawn


def _with_text(
    broken: Sequence[BrokenSample],
    run: RunDirectory,
    student: str,
    former: RunDirectory | None,
    former_student: str,
) -> Iterator[BrokenSample]:
    samples = run.samples(["suite", "sample_id", "text", "reference"])
    samples = samples[samples["sample_id"].isin({item.sample_id for item in broken})]
    known = {
        (str(row["suite"]), str(row["sample_id"])): row for row in samples.to_dict(orient="records")
    }
    new = _outputs(run, student, broken)
    old = {} if former is None else _outputs(former, former_student, broken)
    for item in broken:
        row = known[item.suite, item.sample_id]
        key = (item.suite, item.sample_id)
        yield BrokenSample(
            suite=item.suite,
            metric=item.metric,
            sample_id=item.sample_id,
            input=_text(row["text"]),
            reference=_text(row["reference"]),
            previous_output=_text(old.get(key)),
            output=_text(new.get(key)),
        )


def _outputs(
    run: RunDirectory, student: str, broken: Sequence[BrokenSample]
) -> Mapping[tuple[str, str], Any]:
    pairs = run.pairs(["suite", "sample_id", "student", "student_output"])
    wanted = {item.sample_id for item in broken}
    pairs = pairs[(pairs["student"] == student) & pairs["sample_id"].isin(wanted)]
    keys = zip(pairs["suite"].astype(str), pairs["sample_id"].astype(str), strict=True)
    return dict(zip(keys, pairs["student_output"], strict=True))


def _text(value: Any) -> str | None:
    return None if value is None or pd.isna(value) else shortened(str(value))


def previous_lines(found: PreviousReport) -> Iterator[str]:
    """A line for each whole suite."""
    if not found.cells:
        yield "No suite that both answered is marked right or wrong, so nothing can flip."
    for cell in found.whole:
        left_out = cell.changed + cell.absent
        line = (
            f"{cell.suite}, {cell.metric}: of {counted(cell.table.n, 'sample')} "
            f"{count(cell.table.lost)} right before are wrong now, "
            f"{interval_text(cell.negative, 'percent')} "
            f"({number(cell.by_chance, 'percent')} if the new errors knew nothing of the old ones)"
            f"; {count(cell.table.gained)} wrong before are right now, "
            f"{interval_text(cell.positive, 'percent')}"
        )
        if left_out:
            line += (
                f"; left out: {count(cell.changed)} changed since, {count(cell.absent)} without a "
                "score then"
            )
        yield line
