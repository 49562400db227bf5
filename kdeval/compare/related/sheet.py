"""The scores of every model of a run on the same samples, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.compare.selection import PairTable
from kdeval.records import Metric
from kdeval.stats.interval import Interval
from kdeval.stats.means.paired import paired_difference
from kdeval.stats.moments import Limits

__all__ = ["ScoreSheet", "score_sheet"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSheet:
    """One suite by one metric: a column of scores for each model, the samples in their order.

    Attributes:
        scores: model name to its scores, shape (n,); NaN where there is none.
        outputs: model name to codes of its outputs, comparable between models; -1 where unknown.
        clusters: integer codes, shape (n,), or None when every sample is its own unit.
        ids: of the samples.
        texts: the output behind each code.
        higher_is_better: direction of the metric.
        limits: where the metric says that a score lies.
        units: what a split must keep whole: the cluster's name, or the sample's id.
        hashes: digest of what each sample asks.
        slices: slice name to the mask of its rows; "all" comes first.
    """

    suite: str
    metric: str
    scores: Mapping[str, FloatArray]
    outputs: Mapping[str, NDArray[np.int64]]
    clusters: NDArray[np.int64] | None
    ids: NDArray[np.object_]
    units: NDArray[np.object_]
    texts: NDArray[np.object_]
    hashes: NDArray[np.object_]
    slices: Mapping[str, BoolArray]
    higher_is_better: bool = True
    limits: Limits = (None, None)

    def output_texts(self, model: str) -> NDArray[np.object_]:
        """What the model answered, without white space at the ends; None where unknown."""
        known = [None if text is None else str(text).strip() for text in (*self.texts, None)]
        found: NDArray[np.object_] = np.array(known, dtype=object)[self.outputs[model]]
        return found

    def complete(self, members: Sequence[str]) -> BoolArray:
        """The rows on which every one of `members` has a score."""
        rows = np.ones(len(self.units), dtype=bool)
        for name in members:
            rows &= ~np.isnan(self.scores[name])
        return rows

    def codes(self, rows: BoolArray) -> NDArray[np.int64] | None:
        """Cluster codes of these rows."""
        return None if self.clusters is None else self.clusters[rows]

    def difference(
        self, first: str, second: str, confidence: float, rows: BoolArray | None = None
    ) -> Interval:
        """Mean score of `first` minus that of `second`; on the rows both have unless told."""
        if rows is None:
            rows = self.complete((first, second))
        return paired_difference(
            self.scores[second][rows],
            self.scores[first][rows],
            clusters=self.codes(rows),
            confidence=confidence,
            limits=self.limits,
        )


def score_sheet(
    tables: Mapping[tuple[str, str, str], PairTable], *, teacher: str, suite: str, metric: Metric
) -> ScoreSheet | None:
    """The sheet of that suite and metric; None when the run has none.

    Args:
        tables: from `load_pairs`; the teacher's scores are the same in every student's table.
        teacher: the teacher's name.
        suite: the suite's name.
        metric: the metric.
    """
    frames = {
        student: table.frame.set_index("order")
        for (student, *place), table in tables.items()
        if place == [suite, metric.name]
    }
    if not frames:
        return None
    first = next(iter(frames.values()))
    table = next(item for (_, *place), item in tables.items() if place == [suite, metric.name])
    columns = {teacher: first[["teacher_score", "teacher_output"]]}
    columns |= {name: frame[["student_score", "student_output"]] for name, frame in frames.items()}
    aligned = {name: frame.reindex(first.index) for name, frame in columns.items()}
    outputs, texts = _coded({name: frame.iloc[:, 1] for name, frame in aligned.items()})
    return ScoreSheet(
        suite=suite,
        metric=metric.name,
        scores={name: frame.iloc[:, 0].to_numpy(dtype=float) for name, frame in aligned.items()},
        outputs=outputs,
        texts=texts,
        ids=first["sample_id"].to_numpy(dtype=object),
        clusters=_clusters(first["cluster"]) if table.clustered else None,
        units=_units(first, table.clustered),
        hashes=first["content_hash"].to_numpy(dtype=object),
        slices=table.slices,
        higher_is_better=metric.higher_is_better,
        limits=(metric.low, metric.high),
    )


def _coded(
    outputs: Mapping[str, pd.Series],
) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.object_]]:
    codes, texts = pd.factorize(pd.concat(list(outputs.values()), ignore_index=True))
    parts = np.split(codes.astype(np.int64), len(outputs))
    return dict(zip(outputs, parts, strict=True)), np.asarray(texts, dtype=object)


def _clusters(names: pd.Series) -> NDArray[np.int64]:
    """Codes; a sample without a cluster is a cluster of its own."""
    codes, _ = pd.factorize(names)
    codes = codes.astype(np.int64)
    alone = codes < 0
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return codes


def _units(frame: pd.DataFrame, clustered: bool) -> NDArray[np.object_]:
    ids = frame["sample_id"].astype(object)
    if not clustered:
        return ids.to_numpy(dtype=object)
    return frame["cluster"].astype(object).fillna(ids).to_numpy(dtype=object)
