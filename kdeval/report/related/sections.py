"""Every section on how the models of a run relate, in the report's order."""

from __future__ import annotations

from kdeval.report.document import ReportDocument
from kdeval.report.related.ensembles import ensembles_section
from kdeval.report.related.layout import Section
from kdeval.report.related.series import series_section
from kdeval.report.related.students import students_section
from kdeval.report.related.transfer import transfer_section

__all__ = ["related_sections"]


def related_sections(document: ReportDocument) -> tuple[Section, ...]:
    """Those that the run has something to say in."""
    found = (
        students_section(document),
        ensembles_section(document),
        series_section(document),
        transfer_section(document),
    )
    return tuple(section for section in found if section is not None)
