"""Samples that both models answered and no scorer could mark, such as those without a label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdeval.store.reasons import reason_lines
from kdeval.store.run_directory import RunDirectory, SuiteEntry

__all__ = ["unscored_lines"]


def unscored_lines(run: RunDirectory) -> tuple[str, ...]:
    """A line for each suite with a sample that its first metric leaves out, with the reasons."""
    suites = {suite.name: suite for suite in run.manifest.suites if suite.metrics}
    reasons: dict[str, dict[str, str]] = {name: {} for name in suites}
    firsts = pd.Series({name: suite.metrics[0] for name, suite in suites.items()}, dtype=object)
    sides = ("teacher", "student")
    columns = [f"{side}_{name}" for side in sides for name in ("error", "score", "score_reason")]
    for part in run.pair_tables(["suite", "sample_id", "metric", "student", *columns]):
        rows = part.to_pandas()
        answered = rows["teacher_error"].isna() & rows["student_error"].isna()
        unmarked = rows["teacher_score"].isna() | rows["student_score"].isna()
        of_first = rows["metric"].astype(str) == rows["suite"].astype(str).map(firsts)
        for row in rows[answered & unmarked & of_first].to_dict(orient="records"):
            reasons[str(row["suite"])].setdefault(str(row["sample_id"]), _reason(row))
    return tuple(
        _line(suite, Counter(reasons[name].values()))
        for name, suite in suites.items()
        if reasons[name]
    )


def _reason(row: Mapping[Any, Any]) -> str:
    """The teacher's; or the student's, with its name, as others may have a score."""
    if pd.isna(row["teacher_score"]):
        return str(row["teacher_score_reason"])
    return f"{row['student']}: {row['student_score_reason']}"


def _line(suite: SuiteEntry, reasons: Counter[str]) -> str:
    found = reasons.total()
    why = "; ".join(reason_lines(reasons))
    return (
        f"{suite.name}: {found:,} of {suite.samples:,} samples {'has' if found == 1 else 'have'} "
        f"no score by {suite.metrics[0]} and {'is' if found == 1 else 'are'} left out of both "
        f"sides: {why}"
    )
