"""A new student beside the one before it: what it lost and what it gained, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from kdeval.compare.comparison import ALL
from kdeval.compare.selection import PairTable, Selection, selection_of
from kdeval.errors import UsageError
from kdeval.gate.baseline import Baseline, BaselinePairing, BaselineScores, pair
from kdeval.gate.rules.flips import share_of_flips
from kdeval.records import Metric
from kdeval.stats.interval import Interval
from kdeval.stats.means.flips import FlipTable, flip_table
from kdeval.stats.moments import is_binary

__all__ = ["AgainstPrevious", "PreviousFlips", "against_previous"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousFlips:
    """One slice of one suite by one metric, on samples that did not change since.

    Attributes:
        changed: samples of the same id whose content is another one now.
        absent: samples that the previous student has no score of.
        table: counts, the previous student in the teacher's place: `lost` are negative flips.
        negative: share of the samples that flip from right to wrong (Yan et al. 2021).
        positive: share of the samples that flip from wrong to right.
        by_chance: what the share of negative flips would be if the new student's errors knew
            nothing of the previous one's.
    """

    suite: str
    metric: str
    slice: str
    changed: int
    absent: int
    table: FlipTable
    negative: Interval
    positive: Interval
    by_chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstPrevious:
    """One student of a run beside the previous one.

    Attributes:
        previous: name of the run or baseline, and of the student in it.
        cells: of right-or-wrong scores only.
        lost: (suite, metric) to the ids of the negative flips, in the suite's order.
    """

    student: str
    previous: str
    cells: tuple[PreviousFlips, ...]
    lost: Mapping[tuple[str, str], tuple[str, ...]]


def against_previous(
    tables: Mapping[tuple[str, str, str], PairTable],
    student: str,
    metrics: Mapping[str, Metric],
    baseline: Baseline,
    *,
    confidence: float,
) -> AgainstPrevious:
    """Flips of `student` against the baseline's, where both have the same samples.

    Args:
        tables: (student, suite, metric) to the run's pairs.
        student: of the run.
        metrics: of the run.
        baseline: the previous student's scores.
        confidence: two-sided, of every interval.

    Raises:
        UsageError: several students are in the baseline and none is named so, or there is no
            sample that both have.
    """
    name = baseline.student_for(student)
    cells: list[PreviousFlips] = []
    lost: dict[tuple[str, str], tuple[str, ...]] = {}
    shared = False
    for (owner, suite, metric), table in tables.items():
        scores = baseline.suites.get(suite, {}).get(metric, {}).get(name)
        if owner != student or scores is None:
            continue
        higher = metric not in metrics or metrics[metric].higher_is_better
        for slice_name in table.slices:
            chosen = selection_of(table, slice_name)
            found = pair(scores, chosen.ids.tolist(), chosen.content_hashes.tolist())
            shared |= bool(len(found.rows))
            if not _flips(scores, chosen) or not len(found.rows):
                continue
            cells.append(_cell((suite, metric, slice_name), chosen, found, higher, confidence))
            if slice_name == ALL:
                lost[suite, metric] = tuple(_lost_ids(chosen, found, higher))
    if not shared:
        raise UsageError(
            f"no sample of {student!r} is in the baseline {baseline.name!r} with the same content: "
            "it was made from other samples"
        )
    return AgainstPrevious(
        student=student, previous=f"{baseline.name}: {name}", cells=tuple(cells), lost=lost
    )


def _flips(scores: BaselineScores, chosen: Selection) -> bool:
    """Whether both are right or wrong throughout."""
    return is_binary(np.asarray(scores.scores, dtype=np.float64)) and is_binary(chosen.student)


def _right(
    chosen: Selection, found: BaselinePairing, higher: bool
) -> tuple[np.ndarray, np.ndarray]:
    """1 where the previous and the new student are right, else 0."""
    before, after = found.scores, chosen.student[found.rows]
    return (before, after) if higher else (1 - before, 1 - after)


def _cell(
    place: tuple[str, str, str],
    chosen: Selection,
    found: BaselinePairing,
    higher: bool,
    confidence: float,
) -> PreviousFlips:
    before, after = _right(chosen, found, higher)
    clusters = None if chosen.clusters is None else chosen.clusters[found.rows]
    suite, metric, slice_name = place
    return PreviousFlips(
        suite=suite,
        metric=metric,
        slice=slice_name,
        changed=found.changed,
        absent=found.absent,
        table=flip_table(before, after),
        negative=share_of_flips(before * (1 - after), clusters, confidence),
        positive=share_of_flips((1 - before) * after, clusters, confidence),
        by_chance=float(before.mean() * (1 - after.mean())),
    )


def _lost_ids(chosen: Selection, found: BaselinePairing, higher: bool) -> Iterator[str]:
    before, after = _right(chosen, found, higher)
    for row in found.rows[(before == 1) & (after == 0)]:
        yield str(chosen.ids[row])
