"""Answers of classifiers that are no label of their suite, and so count as wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from kdeval.scorers.label import normalised_label
from kdeval.store.run_directory import RunDirectory, SuiteEntry

__all__ = ["off_label_lines"]

_SHOWN = 40


def off_label_lines(run: RunDirectory, *, example: bool = True) -> tuple[str, ...]:
    """A line for each model and suite where some output is none of the suite's labels.

    Such an answer is marked like any other wrong one, and it may be no answer at all: a refusal,
    an explanation, a column that was mapped wrongly.

    Args:
        run: a finished run.
        example: whether an output may be quoted.
    """
    suites = [suite for suite in run.manifest.suites if suite.labels and suite.metrics]
    if not suites or not run.manifest.students:
        return ()
    students = [entry.name for entry in run.manifest.students]
    of_model = [(run.manifest.teacher.name, "teacher", students[0])]
    of_model += [(name, "student", name) for name in students]
    tallies = [
        _Tally(suite=suite, model=model, side=side, student=student)
        for suite in suites
        if run.manifest.metrics[suite.metrics[0]].higher_is_better
        for model, side, student in of_model
    ]
    columns = [f"{side}_{name}" for side in ("teacher", "student") for name in ("output", "score")]
    for part in run.pair_tables(["suite", "student", "metric", *columns]):
        rows = part.to_pandas()
        for tally in tallies:
            tally.add(rows)
    return tuple(tally.line(example) for tally in tallies if tally.odd)


@dataclass(slots=True, kw_only=True)
class _Tally:
    """One model's outputs in one suite.

    Attributes:
        side: which side of a pair with `student` has them.
        outputs: how many there are.
        odd: those that are no label, with how many times each was given.
    """

    suite: SuiteEntry
    model: str
    side: str
    student: str
    outputs: int = 0
    odd: Counter[str] = field(default_factory=Counter)

    def add(self, pairs: pd.DataFrame) -> None:
        metric = self.suite.metrics[0]
        asked = pairs[
            (pairs["suite"] == self.suite.name)
            & (pairs["metric"] == metric)
            & (pairs["student"] == self.student)
            & pairs[f"{self.side}_output"].notna()
        ]
        self.outputs += len(asked)
        wrong = asked.loc[asked[f"{self.side}_score"] == 0, f"{self.side}_output"]
        known = {normalised_label(label) for label in self.suite.labels or ()}
        for output, count in Counter(wrong).items():
            if normalised_label(output) not in known:
                self.odd[output] += count

    def line(self, example: bool) -> str:
        """What is odd, quoting the most frequent one."""
        total = self.odd.total()
        quoted = f", for example {_cut(self.odd.most_common(1)[0][0])}" if example else ""
        verb = "is" if total == 1 else "are"
        return (
            f"{self.model}: {total:,} of {self.outputs:,} outputs {verb} no label of "
            f"{self.suite.name}{quoted}: they count as wrong"
        )


def _cut(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."
