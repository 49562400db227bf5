"""How the models of a run relate, with learning curves drawn."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval.report.document import ReportDocument
from kdeval.report.html.charts.curve import curve_chart
from kdeval.report.html.charts.drawing import Chart
from kdeval.report.related.layout import Part, Section
from kdeval.report.related.sections import related_sections

__all__ = ["RelatedView", "related_views"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedView:
    """One section; each part with its chart, where it has one."""

    section: Section
    parts: tuple[tuple[Part, Chart | None], ...]


def related_views(document: ReportDocument) -> tuple[RelatedView, ...]:
    """The sections that the run has something to say in."""
    return tuple(
        RelatedView(
            section=section,
            parts=tuple(
                (
                    part,
                    None
                    if part.curve is None
                    else curve_chart(part.curve, name=f"{section.anchor}-curve-{index}"),
                )
                for index, part in enumerate(section.parts)
            ),
        )
        for section in related_sections(document)
    )
