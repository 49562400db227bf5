"""Samples that both models answered and no scorer could mark, such as those without a label."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from kdeval.store.run_directory import RunDirectory

__all__ = ["unscored_lines"]

_SHOWN = 3


def unscored_lines(run: RunDirectory) -> tuple[str, ...]:
    """A line for each suite where some sample counts for neither model, with the reasons."""
    reasons: dict[str, dict[str, str]] = {suite.name: {} for suite in run.manifest.suites}
    sides = ("teacher", "student")
    columns = [f"{side}_{name}" for side in sides for name in ("error", "score", "score_reason")]
    for part in run.pair_tables(["suite", "sample_id", *columns]):
        rows = part.to_pandas()
        answered = rows["teacher_error"].isna() & rows["student_error"].isna()
        unmarked = rows["teacher_score"].isna() | rows["student_score"].isna()
        for row in rows[answered & unmarked].to_dict(orient="records"):
            told = (row["teacher_score_reason"], row["student_score_reason"])
            why = next((str(reason) for reason in told if pd.notna(reason)), "no reason is known")
            reasons.setdefault(str(row["suite"]), {}).setdefault(str(row["sample_id"]), why)
    return tuple(
        _line(suite.name, suite.samples, Counter(reasons[suite.name].values()))
        for suite in run.manifest.suites
        if reasons[suite.name]
    )


def _line(suite: str, samples: int, reasons: Counter[str]) -> str:
    found = reasons.total()
    why = "; ".join(f"{count:,} x {reason}" for reason, count in reasons.most_common(_SHOWN))
    return (
        f"{suite}: {found:,} of {samples:,} samples {'has' if found == 1 else 'have'} no score and "
        f"{'counts' if found == 1 else 'count'} for neither model: {why}"
    )
