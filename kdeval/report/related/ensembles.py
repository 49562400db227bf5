"""Ensembles beside their members, and students where the members disagree, in words and tables."""

from __future__ import annotations

from kdeval.compare.figures.ensembles import AgreementPart, EnsembleFigures
from kdeval.gate.quantity import Unit
from kdeval.report.document import ReportDocument
from kdeval.report.numbers import count, interval_text, number
from kdeval.report.related.layout import Part, Section, TextTable, units
from kdeval.stats.interval import Interval

__all__ = ["ensembles_section"]

_LEAD = (
    "Each ensemble beside its members, and how far they disagree. The intervals of the differences "
    "hold for all members together, so that they also hold for the best one."
)


def ensembles_section(document: ReportDocument) -> Section | None:
    """None where the run has no ensemble."""
    if not document.ensembles:
        return None
    return Section(
        anchor="ensembles",
        title="Ensembles",
        lead=_LEAD,
        parts=tuple(_part(document, found) for found in document.ensembles),
    )


def _part(document: ReportDocument, found: EnsembleFigures) -> Part:
    unit, points = units(document, [found.suite], found.metric)
    tables = [_members(found, unit, points)]
    if found.parts:
        tables.append(_parts(found.parts, unit, points))
    return Part(
        title=f"{found.ensemble}: {found.suite}, {found.metric}",
        sentences=(_against_best(found, points), _disagreement(found)),
        tables=tuple(tables),
    )


def _against_best(found: EnsembleFigures, unit: Unit) -> str:
    best = next((item for item in found.members if item.member == found.best_member), None)
    if best is None:
        return "No member has a score."
    low, high = best.difference.low, best.difference.high
    verdict = "not separated from it"
    if low is not None and low > 0:
        verdict = "shown to score more"
    elif high is not None and high < 0:
        verdict = "shown to score less"
    return (
        f"The best member by estimate is {best.member}; the ensemble minus it: "
        f"{interval_text(best.difference, unit)}, {verdict}."
    )


def _disagreement(found: EnsembleFigures) -> str:
    if found.unanimous is None:
        return "The members' outputs are not known, so nothing is said on how they disagree."
    words = (
        f"All members agree on {interval_text(found.unanimous, 'percent')} of the samples; "
        f"{number(found.vote_share, 'percent')} of their votes go to the ensemble's answer."
    )
    if found.js is not None:
        words += (
            f" Mean Jensen-Shannon divergence between two members: "
            f"{interval_text(found.js, 'number', 3)} bits."
        )
    return words


def _members(found: EnsembleFigures, unit: Unit, points: Unit) -> TextTable:
    return TextTable(
        title="Ensemble minus member" + (", in points" if points == "points" else ""),
        header=(
            "member", "n", "score", "ensemble − member", "only ensemble right",
            "only member right", "gives the ensemble's answer",
        ),
        rows=tuple(
            (
                item.member,
                count(item.n),
                interval_text(item.score, unit),
                _plain(item.difference, points),
                count(item.only_ensemble),
                count(item.only_member),
                interval_text(item.agreement, "percent"),
            )
            for item in found.members
        ),
        shown=frozenset(
            (index, 3)
            for index, item in enumerate(found.members)
            if item.difference.low is not None and item.difference.low > 0
        ),
    )  # fmt: skip


def _parts(parts: tuple[AgreementPart, ...], unit: Unit, points: Unit) -> TextTable:
    return TextTable(
        title="Students where the teacher's members agree, and where they do not",
        header=("student", "members", "n", "teacher", "student's score", "retention", "difference"),
        rows=tuple(
            (
                part.student,
                part.members,
                count(part.n),
                interval_text(part.teacher_score, unit),
                interval_text(part.student_score, unit),
                interval_text(part.retention, "percent"),
                _plain(part.difference, points),
            )
            for part in parts
        ),
        words=2,
    )


def _plain(found: Interval, unit: Unit) -> str:
    return interval_text(found, unit).replace(" points", "")
