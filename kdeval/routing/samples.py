"""The pairs of a run as a router needs them: a row a sample, every student's outcome beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from kdeval_router.request import Feature, canonical_text
from numpy.typing import NDArray

from kdeval.errors import RoutingError
from kdeval.store.run_directory import RunDirectory

__all__ = ["RoutingSamples", "load_samples"]

BoolArray = NDArray[np.bool_]
_PAIR_COLUMNS = [
    "suite",
    "sample_id",
    "student",
    "metric",
    "teacher_score",
    "teacher_error",
    "student_score",
    "student_error",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSamples:
    """Samples of a run, row by row.

    Attributes:
        students: names, in the order of the columns below.
        metrics: suite name to the metric its scores come from.
        texts: what the router sees.
        needs: what each request needs of who answers it: tools, a schema.
        tasks: each sample's task.
        units: what is drawn independently: the cluster, or else the prompt itself.
        content: the run's content hash of each sample.
        teacher_right, teacher_known: (n,); right is False where it is not known.
        student_right, student_known: (n, students); the same.
        clustered: some suite names clusters of its own.
    """

    students: tuple[str, ...]
    metrics: dict[str, str]
    suites: NDArray[Any]
    ids: NDArray[Any]
    texts: NDArray[Any]
    needs: NDArray[Any]
    tasks: NDArray[Any]
    units: NDArray[Any]
    content: NDArray[Any]
    teacher_right: BoolArray
    teacher_known: BoolArray
    student_right: BoolArray
    student_known: BoolArray
    clustered: bool

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: NDArray[Any]) -> RoutingSamples:
        """The rows given by a mask or by positions."""
        arrays = {
            field.name: getattr(self, field.name)[rows]
            for field in fields(self)
            if isinstance(getattr(self, field.name), np.ndarray)
        }
        return replace(self, **arrays)

    @property
    def unusable(self) -> int:
        """Samples in which the teacher or every student has an error or no score."""
        return int((~(self.teacher_known & self.student_known.any(axis=1))).sum())


def load_samples(
    run: RunDirectory, *, students: tuple[str, ...], metrics: Mapping[str, str]
) -> RoutingSamples:
    """The samples of `run` with their binary outcomes.

    Args:
        run: a finished run.
        students: which of its students.
        metrics: suite to the metric whose scores count, all 0 or 1 (`choose_suites`); other
            suites are left out.

    Raises:
        RoutingError: no text, or no samples.
    """
    asked = run.samples()
    asked = asked[asked["suite"].astype(str).isin(list(metrics))]
    if asked.empty:
        raise RoutingError(f"{run.path} holds no samples: run a suite that is not empty")
    if asked["text"].isna().any():
        raise RoutingError(
            f"{run.path} was written without the samples' text: a router is fitted on text, so "
            "run it again with text"
        )
    pairs = _pairs_of(run, metrics, students)
    by_prompt = {entry.name for entry in run.manifest.suites if entry.distinct_prompts is not None}
    clusters = asked["cluster"].mask(asked["suite"].astype(str).isin(by_prompt))
    asked = asked.set_index(["suite", "sample_id"])
    teacher, teacher_known = _outcomes(asked, pairs, "teacher", None)
    columns = [_outcomes(asked, pairs, "student", name) for name in students]
    texts = np.array([canonical_text(text) for text in asked["text"]], dtype=object)
    suites = asked.index.get_level_values(0).astype(str).to_numpy(dtype=object)
    return RoutingSamples(
        students=students,
        metrics=dict(metrics),
        suites=suites,
        ids=asked.index.get_level_values(1).to_numpy(dtype=object),
        texts=texts,
        needs=_needs(asked),
        tasks=asked["task"].astype(str).to_numpy(dtype=object),
        units=_units(suites, clusters, texts),
        content=asked["content_hash"].to_numpy(dtype=object),
        teacher_right=teacher,
        teacher_known=teacher_known,
        student_right=np.stack([right for right, _ in columns], axis=1),
        student_known=np.stack([known for _, known in columns], axis=1),
        clustered=bool(clusters.notna().any()),
    )


def _pairs_of(
    run: RunDirectory, metrics: Mapping[str, str], students: tuple[str, ...]
) -> pd.DataFrame:
    pairs = run.pairs(_PAIR_COLUMNS)
    wanted = pairs["suite"].astype(str).map(dict(metrics))
    return pairs[(pairs["metric"].astype(str) == wanted) & pairs["student"].isin(students)]


def _outcomes(
    asked: pd.DataFrame, pairs: pd.DataFrame, side: str, student: str | None
) -> tuple[BoolArray, BoolArray]:
    rows = pairs if student is None else pairs[pairs["student"] == student]
    usable = rows[rows[f"{side}_score"].notna() & rows[f"{side}_error"].isna()]
    usable = usable.drop_duplicates(["suite", "sample_id"])
    index = pd.MultiIndex.from_arrays([usable["suite"].astype(str), usable["sample_id"]])
    keys = pd.MultiIndex.from_arrays(
        [asked.index.get_level_values(0).astype(str), asked.index.get_level_values(1)]
    )
    place = index.get_indexer(keys)
    known = place >= 0
    scores = usable[f"{side}_score"].to_numpy(dtype=float)
    right = np.zeros(len(asked), dtype=bool)
    right[known] = scores[place[known]] == 1.0
    return right, known


def _needs(asked: pd.DataFrame) -> NDArray[Any]:
    """Of each sample; runs of an older kdeval have neither column, and offered nothing."""
    columns: tuple[tuple[str, Feature], ...] = (("tools", "tools"), ("response_schema", "schema"))
    found: NDArray[Any] = np.empty(len(asked), dtype=object)
    found[:] = [frozenset[Feature]()] * len(asked)
    for column, feature in columns:
        if column in asked:
            for row in np.flatnonzero(asked[column].notna().to_numpy()):
                found[row] = found[row] | {feature}
    return found


def _units(suites: NDArray[Any], clusters: pd.Series, texts: NDArray[Any]) -> NDArray[Any]:
    units = [
        f"text\0{text}" if pd.isna(cluster) else f"cluster\0{suite}\0{cluster}"
        for suite, cluster, text in zip(suites, clusters, texts, strict=True)
    ]
    return np.array(units, dtype=object)
