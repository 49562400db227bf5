"""The students against each other, in words and tables."""

from __future__ import annotations

from collections.abc import Mapping

from kdeval.compare.figures.relations import Axis, Standings, StudentPair
from kdeval.gate.quantity import Unit
from kdeval.report.document import ReportDocument
from kdeval.report.numbers import (
    UNKNOWN,
    confidence_text,
    count,
    counted,
    interval_text,
    number,
)
from kdeval.report.related.layout import Part, Section, TextTable, units

__all__ = ["students_section"]

_LEAD = (
    "Every two students on the samples that both answered. One is called better only where its "
    "advantage is shown: by Holm's procedure over all pairs of a table, so that all such claims "
    "hold together. A student is dominated where another is at least as good on all that is known "
    "of every student and better on something; beyond doubt where its score is shown to be better "
    "and costs or latencies are fixed prices or intervals that do not touch."
)
_AXES: Mapping[Axis, str] = {"score": "score", "cost": "cost", "latency": "median latency"}
_WIDEST = 9


def students_section(document: ReportDocument) -> Section | None:
    """None with one student."""
    if not document.between:
        return None
    return Section(
        anchor="students",
        title="Students against each other",
        lead=_LEAD,
        parts=tuple(_part(document, found) for found in document.between),
    )


def _part(document: ReportDocument, found: Standings) -> Part:
    title = f"{found.suite}, {found.metric}"
    if found.reason is not None:
        return Part(title=title, sentences=(f"Not compared: {found.reason}.",), tables=())
    _, points = units(document, [found.suite], found.metric)
    pairs = _pairs(found, points)
    matrix = _matrix(found, points)
    level = confidence_text(document.confidence)
    return Part(
        title=title,
        sentences=(_best(found, level), *_dominated(found)),
        tables=(pairs,) if matrix is None else (matrix, pairs),
    )


def _best(found: Standings, level: str) -> str:
    pairs = counted(len(found.pairs), "pair")
    if found.best is not None:
        return (
            f"{found.best} is shown to be the best: better than each other student, with {level} "
            f"confidence over {pairs}."
        )
    leader = "" if found.leader is None else f" {found.leader} leads by estimate only."
    return (
        f"No student is shown to be better than every other one, with {level} confidence over "
        f"{pairs}: not separated.{leader}"
    )


def _dominated(found: Standings) -> tuple[str, ...]:
    if len(found.axes) < 2:
        return ("Neither cost nor latency is known of every student, so no trade-off is judged.",)
    axes = ", ".join(_AXES[axis] for axis in found.axes)
    if not found.dominated:
        return (f"On {axes} no student is dominated: each is the best choice for some trade-off.",)
    named = "; ".join(
        f"{item.student} by {item.by} ({'beyond doubt' if item.shown else 'on point estimates'})"
        for item in found.dominated
    )
    return (f"Dominated on {axes}, so not needed: {named}.",)


def _matrix(found: Standings, unit: Unit) -> TextTable | None:
    """Row minus column; None with two students, or more than fit side by side."""
    names = _ordered(found)
    if not 2 < len(names) <= _WIDEST:
        return None
    by_name: dict[tuple[str, str], StudentPair] = {}
    for pair in found.pairs:
        by_name[pair.first, pair.second] = by_name[pair.second, pair.first] = pair
    rows, shown = [], set()
    for index, row in enumerate(names):
        cells = [row]
        for place, column in enumerate(names, start=1):
            between = by_name.get((row, column))
            cells.append(UNKNOWN if between is None else _ahead(between, row, unit))
            if between is not None and between.better == row:
                shown.add((index, place))
        rows.append(tuple(cells))
    return TextTable(
        title="Score of the row's student minus the column's"
        + (", in points" if unit == "points" else "")
        + "; set off where the row's is shown to be better",
        header=("", *names),
        rows=tuple(rows),
        shown=frozenset(shown),
    )


def _ordered(found: Standings) -> list[str]:
    """The one shown to be better most often first; ties in the order of the run."""
    won = {name: sum(pair.better == name for pair in found.pairs) for name in found.students}
    lost = {
        name: sum(pair.better not in (None, name) for pair in found.pairs if name in _both(pair))
        for name in found.students
    }
    return sorted(found.students, key=lambda name: lost[name] - won[name])


def _both(pair: StudentPair) -> tuple[str, str]:
    return pair.first, pair.second


def _ahead(pair: StudentPair, row: str, unit: Unit) -> str:
    found = pair.difference
    if found.estimate is None:
        return UNKNOWN
    sign = 1 if row == pair.first else -1
    return number(sign * found.estimate, unit).removesuffix(" points")


def _pairs(found: Standings, unit: Unit) -> TextTable:
    rows = tuple(
        (
            pair.first,
            pair.second,
            count(pair.n),
            interval_text(pair.difference, unit).replace(" points", ""),
            _ends(interval_text(pair.simultaneous, unit)),
            count(pair.only_first),
            count(pair.only_second),
            pair.better or "not separated",
        )
        for pair in found.pairs
    )
    return TextTable(
        title="Every pair: first minus second"
        + (", in points" if unit == "points" else "")
        + "; “together”: the interval at which all of them hold at once",
        header=(
            "first", "second", "n", "first − second", "together", "only first right",
            "only second right", "better",
        ),
        rows=rows,
        words=2,
        shown=frozenset((index, 7) for index, pair in enumerate(found.pairs) if pair.better),
        detail=len(found.students) > 2,
    )  # fmt: skip


def _ends(text: str) -> str:
    _, bracket, ends = text.partition(" [")
    return (bracket + ends).strip() or text
