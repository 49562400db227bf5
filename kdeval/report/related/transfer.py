"""Benchmarks beside production, in words and tables."""

from __future__ import annotations

from collections import Counter

from kdeval.compare.figures.transfer import Transfer
from kdeval.gate.quantity import Unit
from kdeval.report.document import ReportDocument
from kdeval.report.numbers import confidence_text, counted, interval_text
from kdeval.report.related.layout import Part, Section, TextTable, units
from kdeval.stats.interval import Interval

__all__ = ["transfer_section"]

_LEAD = (
    "What a benchmark says of a student, and what of it holds in production. The gap is the "
    "student's score minus the teacher's in production, minus the same on the benchmark: below "
    "zero, the benchmark flatters the student (where less is better, above zero). The two suites "
    "are taken as independent samples."
)


def transfer_section(document: ReportDocument) -> Section | None:
    """None unless the run has suites of both roles with a metric in common."""
    if not document.transfers:
        return None
    return Section(
        anchor="transfer",
        title="From benchmark to production",
        lead=_LEAD,
        parts=tuple(_part(document, found) for found in document.transfers),
    )


def _part(document: ReportDocument, found: Transfer) -> Part:
    _, points = units(document, [found.benchmark, found.production], found.metric)
    sentences = [_ranking_words(found, confidence_text(document.confidence))]
    if found.shared:
        sentences.append(
            f"{counted(found.shared, 'sample')} stand in both suites, which intervals do not know."
        )
    ranking = _ranking(found, points)
    return Part(
        title=f"{found.benchmark} → {found.production}, {found.metric}",
        sentences=tuple(text for text in sentences if text),
        tables=(_gaps(found, points), ranking) if ranking.rows else (_gaps(found, points),),
    )


def _ranking_words(found: Transfer, level: str) -> str:
    if not found.ranking:
        return ""
    counts = Counter(item.verdict for item in found.ranking)
    pairs = counted(len(found.ranking), "pair")
    words = (
        f"Of {pairs} of students, the order is kept in {counts['kept']}, reversed in "
        f"{counts['reversed']} and not separated in {counts['not separated']} (all claims together "
        f"with {level} confidence)."
    )
    turned = [item for item in found.ranking if item.verdict == "reversed"]
    if turned:
        named = "; ".join(f"{item.first} and {item.second}" for item in turned[:4])
        words += f" The ranking does not survive: reversed are {named}."
    elif not counts["not separated"]:
        words += " The ranking survives."
    if found.kendall is not None:
        words += f" Kendall's tau {interval_text(found.kendall, 'number')}."
    return words


def _gaps(found: Transfer, unit: Unit) -> TextTable:
    return TextTable(
        title="Student minus teacher" + (", in points" if unit == "points" else ""),
        header=(
            "student", "benchmark", "production", "gap", "retention on benchmark",
            "retention in production",
        ),
        rows=tuple(
            (
                gap.student,
                _plain(gap.benchmark, unit),
                _plain(gap.production, unit),
                _plain(gap.gap, unit),
                interval_text(gap.benchmark_retention, "percent"),
                interval_text(gap.production_retention, "percent"),
            )
            for gap in found.gaps
        ),
    )  # fmt: skip


def _ranking(found: Transfer, unit: Unit) -> TextTable:
    return TextTable(
        title="Every two students: first minus second"
        + (", in points" if unit == "points" else ""),
        header=("first", "second", "benchmark", "production", "order"),
        rows=tuple(
            (
                item.first,
                item.second,
                _plain(item.benchmark, unit),
                _plain(item.production, unit),
                item.verdict,
            )
            for item in found.ranking
        ),
        words=2,
        shown=frozenset(
            (index, 4) for index, item in enumerate(found.ranking) if item.verdict == "reversed"
        ),
        detail=True,
    )


def _plain(found: Interval, unit: Unit) -> str:
    return interval_text(found, unit).replace(" points", "")
