"""Answers of classifiers that are no label of their suite, and so count as wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
    pairs = run.pair_table(
        ["suite", "student", "metric"]
        + [f"{side}_{name}" for side in ("teacher", "student") for name in ("output", "score")]
    ).to_pandas()
    return tuple(line for suite in suites for line in _of_suite(run, suite, pairs, example))


def _of_suite(
    run: RunDirectory, suite: SuiteEntry, pairs: pd.DataFrame, example: bool
) -> Iterator[str]:
    metric = suite.metrics[0]
    if not run.manifest.metrics[metric].higher_is_better:
        return
    rows = pairs[(pairs["suite"] == suite.name) & (pairs["metric"] == metric)]
    students = [entry.name for entry in run.manifest.students]
    of_model = [(run.manifest.teacher.name, "teacher", students[0])]
    of_model += [(name, "student", name) for name in students]
    for model, side, student in of_model:
        mine = rows[rows["student"] == student]
        asked = mine[mine[f"{side}_output"].notna()]
        wrong = asked.loc[asked[f"{side}_score"] == 0, f"{side}_output"]
        odd = wrong[wrong.isin(_no_labels(wrong.unique().tolist(), suite.labels or ()))]
        if len(odd):
            quoted = f", for example {_quoted(odd)}" if example else ""
            verb = "is" if len(odd) == 1 else "are"
            yield (
                f"{model}: {len(odd):,} of {len(asked):,} outputs {verb} no label of "
                f"{suite.name}{quoted}: they count as wrong"
            )


def _no_labels(outputs: Sequence[str], labels: Sequence[str]) -> list[str]:
    known = {normalised_label(label) for label in labels}
    return [output for output in outputs if normalised_label(output) not in known]


def _quoted(outputs: pd.Series) -> str:
    """The most frequent one, cut short."""
    text = str(outputs.value_counts(sort=True).index[0])
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."
