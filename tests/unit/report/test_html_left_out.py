"""A page that draws the first suites says how many it does not draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kdeval.report.document import ReportDocument
from kdeval.report.html.page import report_html


@pytest.mark.parametrize(("suites", "said"), [(8, False), (11, True)])
def test_suites_beyond_the_drawn_ones_are_counted(
    make_document: Callable[..., ReportDocument],
    make_cell: Callable[..., Any],
    make_comparison: Callable[..., Any],
    suites: int,
    said: bool,
) -> None:
    """Forests, reliability and trade-offs draw eight; nothing is said where that is all."""
    cells = [
        make_cell(name, suite=f"suite{index}")
        for index in range(suites)
        for name in ("all", "domain=tweets")
    ]
    page = " ".join(report_html(make_document(compared=make_comparison(*cells))).split())
    assert ("Plots of the first 8 suites; 3 suites more are in the table only." in page) == said
    assert ("Of the first 8 suites; 3 suites more with probabilities" in page) == said
    assert ("Charts of the first 8 suites; 3 suites more" in page) == said
    assert page.count("<b>Retention by slice</b>") == 8
