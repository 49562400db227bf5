"""Pairs of one student, suite and metric, read and decoded once for all slices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from kdeval.compare.comparison import ALL
from kdeval.records import Aggregation
from kdeval.store.run_directory import RunDirectory

__all__ = ["Lists", "PairTable", "cluster_codes", "load_pairs"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_SAMPLE_COLUMNS = [
    "suite", "sample_id", "task", "kind", "reference", "cluster", "content_hash", "slices",
    "labels", "choices", "reference_index",
]  # fmt: skip
_SIDES = ("teacher", "student")
_PLAIN = ("output", "score", "score_reason", "error", "confidence", "mean_log_prob")
_LISTS = ("log_probs", "statistics")
_KEYS = ("student", "suite", "metric")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """A list of numbers a row, one after the other in a single array.

    Attributes:
        values: all numbers.
        starts: where each row's begin, shape (n,).
        lengths: how many each row has; -1: none at all.
    """

    values: FloatArray
    starts: IntArray
    lengths: IntArray

    def take(self, rows: NDArray[Any]) -> Lists:
        """The rows given by positions."""
        return Lists(values=self.values, starts=self.starts[rows], lengths=self.lengths[rows])

    def matrix(self, rows: NDArray[Any], width: int) -> FloatArray:
        """Rows that all have `width` numbers, shape (m, width), its columns contiguous: sums over
        few columns are then ten times as fast.
        """
        return np.asfortranarray(self.values[self.starts[rows][:, None] + np.arange(width)])


@dataclass(frozen=True, kw_only=True)
class PairTable:
    """Pairs of one (student, suite, metric) joined with their samples, in the suite's order.

    Attributes:
        frame: a row a pair: order (the sample's place in the run), sample_id, kind, reference,
            cluster, content_hash, slices, labels, choices, reference_index, and of teacher and
            student output, score, score_reason, error, confidence and
            mean_log_prob.
        slices: slice name ("domain=tweets") to the boolean mask of its rows; "all" comes first.
            Where the samples are of several tasks, each is a slice too ("task=billing").
        tasks: names of the slices that are the suite's tasks: those, or just "all".
        aggregation: of the metric.
        lists: "teacher_log_probs", "student_statistics" and so on, as far as the run has them.
    """

    frame: pd.DataFrame
    slices: Mapping[str, BoolArray]
    kind: str
    clustered: bool
    tasks: tuple[str, ...] = (ALL,)
    aggregation: Aggregation = "mean"
    lists: Mapping[str, Lists] = field(default_factory=dict, repr=False)

    @cached_property
    def complete(self) -> BoolArray:
        """Rows with both scores, and with both statistics where the metric needs them."""
        found: BoolArray = ~(np.isnan(self.scores("teacher")) | np.isnan(self.scores("student")))
        if self.aggregation != "mean":
            for side in _SIDES:
                lists = self.lists.get(f"{side}_statistics")
                found &= False if lists is None else lists.lengths >= 0
        return found

    @cached_property
    def clusters(self) -> IntArray | None:
        """Codes; None when every sample is its own unit."""
        return cluster_codes(self.frame) if self.clustered else None

    @cached_property
    def outputs(self) -> tuple[IntArray, IntArray]:
        """Codes of both outputs, equal where the texts are; -1: unknown."""
        joined = pd.concat(
            [self.frame["teacher_output"], self.frame["student_output"]], ignore_index=True
        )
        codes = pd.factorize(joined)[0].astype(np.int64)
        return codes[: len(self.frame)], codes[len(self.frame) :]

    @cached_property
    def options(self) -> IntArray:
        """Number of labels or choices of each sample; 0: it has neither."""
        counts = np.zeros(len(self.frame), dtype=np.int64)
        for column in ("choices", "labels"):
            codes, texts = pd.factorize(self.frame[column])
            sizes = np.array([len(json.loads(str(text))) for text in texts] + [0])
            counts = np.where(codes >= 0, sizes[codes], counts)
        return counts

    @cached_property
    def reference_indices(self) -> IntArray:
        """The reference's place among the labels or choices; -1: it has none."""
        return self.frame["reference_index"].fillna(-1).to_numpy(dtype=np.int64)

    @cached_property
    def ids(self) -> NDArray[np.object_]:
        """Sample ids."""
        return self.frame["sample_id"].to_numpy(dtype=object)

    @cached_property
    def content_hashes(self) -> NDArray[np.object_]:
        """Digests of what is asked and of the reference."""
        return self.frame["content_hash"].to_numpy(dtype=object)

    @cached_property
    def references(self) -> NDArray[np.object_]:
        """Reference of each sample, None where there is none."""
        codes, texts = self._references
        known = np.array([*texts, None], dtype=object)
        found: NDArray[np.object_] = known[codes]
        return found

    @property
    def reference_codes(self) -> IntArray:
        """Codes of the references; -1: there is none."""
        return self._references[0]

    @cached_property
    def _references(self) -> tuple[IntArray, pd.Index]:
        codes, texts = pd.factorize(self.frame["reference"])
        return codes.astype(np.int64), texts

    def scores(self, side: str) -> FloatArray:
        """Scores of "teacher" or "student"; NaN: missing."""
        return self.frame[f"{side}_score"].to_numpy(dtype=float)


def load_pairs(run: RunDirectory) -> dict[tuple[str, str, str], PairTable]:
    """(student, suite, metric) to its pairs; read once for a whole comparison."""
    samples = run.samples(_SAMPLE_COLUMNS)
    pairs = run.pair_table(
        [*_KEYS, "sample_id", *(f"{side}_{name}" for side in _SIDES for name in _PLAIN + _LISTS)]
    )
    lists = {
        name: _lists(pairs.column(name))
        for side in _SIDES
        for name in (f"{side}_{kind}" for kind in _LISTS)
        if name in pairs.column_names
    }
    frame = pairs.drop_columns(list(lists)).to_pandas(split_blocks=True, self_destruct=True)
    del pairs
    clustered = {suite.name: suite.clustered for suite in run.manifest.suites}
    places = _Places(samples)
    tables: dict[tuple[str, str, str], PairTable] = {}
    for key, rows in _groups(frame).items():
        student, suite, metric = key
        order = places.of(suite, frame["sample_id"].iloc[rows])
        kept = np.argsort(order, kind="stable")
        kept = kept[np.searchsorted(order[kept], 0) :]
        rows, order = rows[kept], order[kept]
        if not len(rows):
            continue
        joined = pd.concat(
            [
                frame.iloc[rows].drop(columns=list(_KEYS)).reset_index(drop=True),
                samples.iloc[order].drop(columns=["suite", "sample_id"]).reset_index(drop=True),
            ],
            axis=1,
        )
        joined["order"] = order
        tasks = _tasks(joined["task"])
        declared = run.manifest.metrics.get(metric)
        tables[student, suite, metric] = PairTable(
            frame=joined,
            slices=_slices(joined["slices"]) | tasks,
            tasks=tuple(tasks) or (ALL,),
            kind=str(joined["kind"].iloc[0]),
            clustered=clustered[suite],
            aggregation="mean" if declared is None else declared.aggregation,
            lists={name: item.take(rows) for name, item in lists.items()},
        )
    return tables


class _Places:
    """Where each sample stands among all samples of the run."""

    def __init__(self, samples: pd.DataFrame) -> None:
        suites = samples["suite"].astype(str).to_numpy(dtype=object)
        self._rows = {suite: np.flatnonzero(suites == suite) for suite in pd.unique(suites)}
        self._ids = samples["sample_id"]
        self._known: tuple[str, pd.Index] | None = None

    def of(self, suite: str, ids: pd.Series) -> IntArray:
        """Positions, -1 for an id that the suite does not have."""
        rows = self._rows.get(suite, np.empty(0, dtype=np.int64))
        own = self._ids.iloc[rows]
        if len(own) == len(ids) and (own.array == ids.array).all():
            return rows
        if self._known is None or self._known[0] != suite:
            self._known = suite, pd.Index(own)
        found = self._known[1].get_indexer(pd.Index(ids))
        return np.where(found < 0, -1, np.append(rows, -1)[found])


def _groups(frame: pd.DataFrame) -> dict[tuple[str, str, str], IntArray]:
    """(student, suite, metric) to its rows, in the order in which they first come."""
    coded = [pd.factorize(frame[name]) for name in _KEYS]
    key = np.zeros(len(frame), dtype=np.int64)
    for codes, texts in coded:
        key = key * len(texts) + codes
    numbers, first = np.unique(key, return_index=True)
    groups = {}
    for number in numbers[np.argsort(first)]:
        rows = np.flatnonzero(key == number)
        names = tuple(str(texts[codes[rows[0]]]) for codes, texts in coded)
        groups[names[0], names[1], names[2]] = rows
    return groups


def _lists(column: pa.ChunkedArray) -> Lists:
    array = column.cast(pa.list_(pa.float64())).combine_chunks()
    known = array.is_valid().to_numpy(zero_copy_only=False)
    lengths = np.where(known, np.diff(array.offsets.to_numpy()), -1)
    return Lists(
        values=array.values.to_numpy(zero_copy_only=False),
        starts=array.offsets.to_numpy()[:-1].astype(np.int64),
        lengths=lengths.astype(np.int64),
    )


def _slices(tags: pd.Series[Any]) -> dict[str, BoolArray]:
    codes, values = pd.factorize(tags)
    masks: dict[str, BoolArray] = {ALL: np.ones(len(tags), dtype=bool)}
    members: dict[str, list[int]] = {}
    for code, text in enumerate(values):
        for key, value in json.loads(str(text)).items():
            members.setdefault(f"{key}={value}", []).append(code)
    for name in sorted(members):
        chosen = np.zeros(len(values), dtype=bool)
        chosen[members[name]] = True
        masks[name] = chosen[codes]
    return masks


def _tasks(names: pd.Series[Any]) -> dict[str, BoolArray]:
    """Slice name to mask, a task each; empty where there is only one."""
    codes, values = pd.factorize(names)
    if len(values) < 2:
        return {}
    return {f"task={name}": codes == code for code, name in sorted(enumerate(values), key=_name)}


def _name(item: tuple[int, Any]) -> str:
    return str(item[1])


def cluster_codes(frame: pd.DataFrame) -> IntArray:
    """Codes; a sample without a cluster is a cluster of its own."""
    codes, _ = pd.factorize(frame["cluster"])
    alone = codes < 0
    codes = codes.astype(np.int64)
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return codes
