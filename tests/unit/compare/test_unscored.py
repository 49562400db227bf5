"""Samples that no scorer could mark are told with the reason, and failures are not among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kdeval.compare.unscored import unscored_lines
from kdeval.store.run_directory import RunDirectory

WriteRun = Callable[..., RunDirectory]


def rows(n: int) -> list[dict[str, Any]]:
    return [{"ref": "yes", "teacher": "yes", "student": "no"} for _ in range(n)]


def test_a_sample_without_a_label_is_told(write_run: WriteRun) -> None:
    """One that failed is told elsewhere: by the model that failed."""
    asked = rows(6)
    asked[2]["ref"] = None
    asked[3] |= {"ref": None, "student_error": "timed out"}
    assert unscored_lines(write_run(asked)) == (
        "x: 1 of 6 samples has no score by label and is left out of both sides: 1 x nothing to "
        "mark",
    )
    asked[4] |= {"ref": None, "teacher_score": 1.0}
    (line,) = unscored_lines(write_run(asked))
    assert "2 of 6 samples have no score by label and are left out of both sides" in line
    assert line.endswith("1 x nothing to mark; 1 x student: nothing to mark")


def test_where_every_sample_is_marked_nothing_is_said(write_run: WriteRun) -> None:
    assert unscored_lines(write_run(rows(3))) == ()
