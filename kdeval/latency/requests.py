"""What both models told of the same requests, one row each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.store.run_directory import ModelEntry, RunDirectory

__all__ = ["SIDES", "cluster_codes", "forget_unwritten", "paired_requests", "writes_tokens"]

SIDES = ("teacher", "student")
_KEYS = ["suite", "sample_id"]
_CHOICE_KINDS = ("classification", "multiple_choice", "likelihood")


def paired_requests(
    run: RunDirectory, student: str, fields: Sequence[str], pairs: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row a request, however many metrics marked it; none where no field is ever told.

    Columns: suite, sample_id, "teacher_FIELD" and "student_FIELD" for each field; and cluster in
    runs that have clusters.

    Args:
        run: the run.
        student: name of the student.
        fields: columns of the pairs without their side.
        pairs: the run's pairs, where they are loaded already.
    """
    told = [f"{side}_{field}" for side in SIDES for field in fields]
    columns = [*_KEYS, "student", *told]
    table = run.pairs(columns) if pairs is None else pairs[columns]
    if table[told].isna().all(axis=None):
        return table[[*_KEYS, *told]].iloc[:0].astype({"suite": str})
    rows = table[table["student"] == student].drop_duplicates(_KEYS).drop(columns="student")
    rows = rows.astype({"suite": str})
    if not any(suite.clustered for suite in run.manifest.suites):
        return rows
    clusters = run.samples([*_KEYS, "cluster"]).astype({"suite": str})
    return rows.merge(clusters, on=_KEYS, how="left", sort=False)


def cluster_codes(rows: pd.DataFrame) -> NDArray[np.int64] | None:
    """Codes of (suite, cluster), a row without a cluster by itself; None where no row has one."""
    if "cluster" not in rows or rows["cluster"].isna().all():
        return None
    keys = rows["suite"].astype(str) + "\0" + rows["cluster"].astype(object)
    codes = pd.factorize(keys)[0].astype(np.int64)
    alone = codes < 0
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return codes


def forget_unwritten(
    run: RunDirectory, student: str, rows: pd.DataFrame, fields: Sequence[str]
) -> pd.DataFrame:
    """`rows` without those fields of models that wrote nothing on a suite."""
    entry = next(item for item in run.manifest.students if item.name == student)
    kept = rows.astype({f"{side}_{field}": object for side in SIDES for field in fields})
    for suite in run.manifest.suites:
        for side, model in zip(SIDES, (run.manifest.teacher, entry), strict=True):
            if not writes_tokens(model, suite.kind):
                here = kept["suite"] == suite.name
                for field in fields:
                    kept.loc[here, f"{side}_{field}"] = None
    return kept


def writes_tokens(entry: ModelEntry, kind: str) -> bool:
    """Whether the model's output tokens on suites of that kind were written.

    A causal language model of ours chooses by likelihood: the tokens it counts there are those of
    the chosen label, which nobody waited for.
    """
    return not (entry.type == "causal_lm" and kind in _CHOICE_KINDS)
