"""The students of a run against each other: who is shown to be better, who is not needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np

from kdeval.compare.comparison import Comparison
from kdeval.compare.figures.relations import Axis, Domination, Standings, StudentPair
from kdeval.compare.related.sheet import ScoreSheet
from kdeval.records import Metric
from kdeval.stats.interval import Interval
from kdeval.stats.means.simultaneous import bonferroni, signs_shown
from kdeval.stats.moments import is_binary

__all__ = ["MOST_STUDENTS", "standings"]

MOST_STUDENTS = 24
"""Students of which every two are compared; 24 make 276 pairs."""


def standings(
    sheet: ScoreSheet, students: Sequence[Comparison], *, metric: Metric, confidence: float
) -> Standings:
    """Every two students on one suite by one metric.

    Args:
        sheet: the scores.
        students: at least two, each compared with the teacher, for cost and latency.
        metric: whose direction says what is better.
        confidence: of each interval, and of all claims of "better" together.
    """
    present = [item for item in students if item.student in sheet.scores]
    names = tuple(item.student for item in present)
    reason = _refusal(names, metric)
    if reason is not None:
        return Standings(
            suite=sheet.suite, metric=sheet.metric, students=names, pairs=(), leader=None,
            best=None, axes=(), dominated=(), reason=reason,
        )  # fmt: skip
    pairs = _pairs(sheet, names, metric, confidence)
    axes = _axes(present)
    return Standings(
        suite=sheet.suite,
        metric=sheet.metric,
        students=names,
        pairs=pairs,
        leader=_leader(names, pairs, metric),
        best=_best(names, pairs),
        axes=axes,
        dominated=_dominated(present, pairs, axes, metric) if len(axes) > 1 else (),
    )


def _refusal(names: Sequence[str], metric: Metric) -> str | None:
    if len(names) < 2:
        return "fewer than two students were scored here"
    if len(names) > MOST_STUDENTS:
        return f"{len(names)} students make too many pairs; at most {MOST_STUDENTS} are compared"
    if metric.aggregation != "mean":
        return f"{metric.name} is no mean of samples' scores, so no paired difference is taken"
    return None


def _pairs(
    sheet: ScoreSheet, names: Sequence[str], metric: Metric, confidence: float
) -> tuple[StudentPair, ...]:
    couples = list(combinations(names, 2))
    together = bonferroni(confidence, len(couples))
    shown = signs_shown(
        [partial(sheet.difference, first, second) for first, second in couples],
        confidence=confidence,
    )
    found = []
    for (first, second), sign in zip(couples, shown, strict=True):
        rows = sheet.complete((first, second))
        a, b = sheet.scores[first][rows], sheet.scores[second][rows]
        binary = len(a) > 0 and is_binary(a) and is_binary(b)
        ahead = sign if metric.higher_is_better else -sign
        found.append(
            StudentPair(
                first=first,
                second=second,
                n=len(a),
                difference=sheet.difference(first, second, confidence, rows),
                simultaneous=sheet.difference(first, second, together, rows),
                only_first=int(np.sum(a > b)) if binary else None,
                only_second=int(np.sum(b > a)) if binary else None,
                better={1: first, -1: second}.get(ahead),
            )
        )
    return tuple(found)


def _best(names: Sequence[str], pairs: Sequence[StudentPair]) -> str | None:
    """The one that is better in each of its pairs."""
    return next(
        (name for name in names if sum(p.better == name for p in pairs) == len(names) - 1), None
    )


def _leader(names: Sequence[str], pairs: Sequence[StudentPair], metric: Metric) -> str | None:
    """The one with the most pairs won by estimate; None where two have won as many."""
    wins = {name: sum(_ahead(pair, name, metric) > 0 for pair in pairs) for name in names}
    most = max(wins.values())
    first = [name for name, won in wins.items() if won == most]
    return first[0] if len(first) == 1 else None


def _ahead(pair: StudentPair, name: str, metric: Metric) -> float:
    """How far `name` is ahead of the other by estimate; 0 where it is not of the pair."""
    if pair.difference.estimate is None or name not in (pair.first, pair.second):
        return 0.0
    sign = 1 if metric.higher_is_better else -1
    return pair.difference.estimate * sign * (1 if name == pair.first else -1)


def _axes(students: Sequence[Comparison]) -> tuple[Axis, ...]:
    axes: list[Axis] = ["score"]
    if all(item.cost is not None and item.cost.student_usd is not None for item in students):
        axes.append("cost")
    if all(_median(item) is not None for item in students):
        axes.append("latency")
    return tuple(axes)


def _median(student: Comparison) -> Interval | None:
    found = None if student.latency is None else student.latency.student.get("p50")
    return None if found is None or found.estimate is None else found


def _dominated(
    students: Sequence[Comparison],
    pairs: Sequence[StudentPair],
    axes: Sequence[Axis],
    metric: Metric,
) -> tuple[Domination, ...]:
    by_name: Mapping[frozenset[str], StudentPair] = {
        frozenset((pair.first, pair.second)): pair for pair in pairs
    }
    found = []
    for student in students:
        rivals = []
        for rival in students:
            if rival.student == student.student:
                continue
            pair = by_name[frozenset((rival.student, student.student))]
            lead = _ahead(pair, rival.student, metric)
            gains = [lead if axis == "score" else _saving(rival, student, axis) for axis in axes]
            if min(gains) >= 0 and max(gains) > 0:
                shown = pair.better == rival.student and all(
                    _shown_saving(rival, student, axis) for axis in axes if axis != "score"
                )
                rivals.append((shown, lead, rival.student))
        if rivals:
            shown, _, by = max(rivals)
            found.append(Domination(student=student.student, by=by, shown=shown))
    return tuple(found)


def _saving(rival: Comparison, student: Comparison, axis: Axis) -> float:
    """What the rival costs or takes less, by estimate."""
    if axis == "cost":
        assert rival.cost is not None
        assert student.cost is not None
        assert rival.cost.student_usd is not None
        assert student.cost.student_usd is not None
        return student.cost.student_usd - rival.cost.student_usd
    ours, theirs = _median(student), _median(rival)
    assert ours is not None
    assert theirs is not None
    assert ours.estimate is not None
    assert theirs.estimate is not None
    return ours.estimate - theirs.estimate


def _shown_saving(rival: Comparison, student: Comparison, axis: Axis) -> bool:
    """Whether the rival is no dearer or slower beyond doubt."""
    if axis == "cost":
        assert rival.cost is not None
        assert student.cost is not None
        if rival.cost.fixed and student.cost.fixed:
            return _saving(rival, student, axis) >= 0
        return _apart(rival.cost.ratio, student.cost.ratio)
    return _apart(_median(rival), _median(student))


def _apart(lower: Interval | None, upper: Interval | None) -> bool:
    """Whether one interval ends below where the other begins."""
    if lower is None or upper is None or lower.high is None or upper.low is None:
        return False
    return lower.high < upper.low
