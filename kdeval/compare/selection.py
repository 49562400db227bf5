"""The complete pairs of one student, suite, metric and slice, as arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.compare.comparison import ALL, Missing
from kdeval.stats.calibration import brier_scores, log_losses
from kdeval.store.run_directory import RunDirectory

__all__ = ["PairTable", "Probabilities", "Selection", "load_pairs", "select"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probabilities:
    """Probabilities of both models where both gave them and the reference is among the labels.

    Attributes:
        rows: positions in the selection, shape (m,).
        teacher: natural-log probabilities, shape (m, k).
        student: the same of the student.
        labels: index of the reference, shape (m,).
    """

    rows: NDArray[np.int64]
    teacher: FloatArray
    student: FloatArray
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Pairs that count, in the suite's order, shapes (n,).

    Attributes:
        clusters: integer codes, or None when every sample is its own unit.
        chance: score of guessing evenly among the labels or choices; None without such.
        same: whether both outputs are equal; None when some output is unknown.
        teacher_outputs: codes of the outputs, comparable with `student_outputs`; None likewise.
        references: reference per sample, None where there is none.
    """

    student: FloatArray
    teacher: FloatArray
    clusters: NDArray[np.int64] | None
    ids: NDArray[np.object_]
    content_hashes: NDArray[np.object_]
    missing: Missing
    teacher_outputs: NDArray[np.int64] | None
    student_outputs: NDArray[np.int64] | None
    references: NDArray[np.object_]
    chance: float | None
    probabilities: Probabilities | None

    @property
    def n(self) -> int:
        """Pairs that count."""
        return len(self.teacher)

    @property
    def n_missing(self) -> int:
        """Samples left out of both sides."""
        return self.missing.total

    @property
    def same(self) -> NDArray[np.bool_] | None:
        """Whether both outputs are equal; None when outputs are unknown."""
        if self.teacher_outputs is None or self.student_outputs is None:
            return None
        same: NDArray[np.bool_] = self.teacher_outputs == self.student_outputs
        return same

    @property
    def teacher_brier(self) -> FloatArray | None:
        """Halved Brier score per sample of `probabilities.rows`."""
        found = self.probabilities
        return None if found is None else brier_scores(np.exp(found.teacher), found.labels)

    @property
    def student_brier(self) -> FloatArray | None:
        """Halved Brier score per sample of `probabilities.rows`."""
        found = self.probabilities
        return None if found is None else brier_scores(np.exp(found.student), found.labels)

    @property
    def teacher_log_loss(self) -> FloatArray | None:
        """Log-loss in nats per sample of `probabilities.rows`; infinite at probability zero."""
        found = self.probabilities
        return None if found is None else log_losses(found.teacher, found.labels)

    @property
    def student_log_loss(self) -> FloatArray | None:
        """Log-loss in nats per sample of `probabilities.rows`; infinite at probability zero."""
        found = self.probabilities
        return None if found is None else log_losses(found.student, found.labels)

    @property
    def probability_clusters(self) -> NDArray[np.int64] | None:
        """Cluster codes of `probabilities.rows`."""
        if self.clusters is None or self.probabilities is None:
            return None
        return self.clusters[self.probabilities.rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTable:
    """Pairs of one (student, suite, metric) joined with their samples, in the suite's order.

    Attributes:
        slices: slice name ("domain=tweets") to the boolean mask of its rows; "all" comes first.
    """

    frame: pd.DataFrame
    slices: Mapping[str, NDArray[np.bool_]]
    kind: str
    clustered: bool


def load_pairs(run: RunDirectory) -> dict[tuple[str, str, str], PairTable]:
    """(student, suite, metric) to its pairs; read once for a whole comparison."""
    samples = run.samples(
        ["suite", "sample_id", "kind", "reference", "cluster", "content_hash", "slices",
         "labels", "choices", "reference_index"]
    )  # fmt: skip
    pairs = run.pairs()
    order = samples.reset_index(names="order")
    joined = pairs.merge(order, on=["suite", "sample_id"], how="inner", sort=False)
    tables: dict[tuple[str, str, str], PairTable] = {}
    clustered = {suite.name: suite.clustered for suite in run.manifest.suites}
    for key, frame in joined.groupby(["student", "suite", "metric"], observed=True, sort=False):
        student, suite, metric = (str(part) for part in key)
        frame = frame.sort_values("order").reset_index(drop=True)
        tables[student, suite, metric] = PairTable(
            frame=frame,
            slices=_slices(frame["slices"]),
            kind=str(frame["kind"].iloc[0]),
            clustered=clustered[suite],
        )
    return tables


def select(
    run: RunDirectory, *, student: str, suite: str, metric: str, slice: str = ALL
) -> Selection | None:
    """The complete pairs of that cell, or None when the run has no such student, suite, metric
    or slice.
    """
    table = load_pairs(run).get((student, suite, metric))
    if table is None or slice not in table.slices:
        return None
    return selection_of(table, slice)


def selection_of(table: PairTable, slice: str = ALL) -> Selection:
    """The complete pairs of that slice; pairs with an error or without a score are counted."""
    frame = table.frame[table.slices[slice]]
    complete = frame["teacher_score"].notna() & frame["student_score"].notna()
    kept = frame[complete]
    teacher_codes, student_codes = _outputs(kept)
    return Selection(
        teacher=kept["teacher_score"].to_numpy(dtype=float),
        student=kept["student_score"].to_numpy(dtype=float),
        clusters=_clusters(kept) if table.clustered else None,
        ids=kept["sample_id"].to_numpy(dtype=object),
        content_hashes=kept["content_hash"].to_numpy(dtype=object),
        missing=_missing(frame[~complete]),
        teacher_outputs=teacher_codes,
        student_outputs=student_codes,
        references=kept["reference"].to_numpy(dtype=object),
        chance=_chance(kept),
        probabilities=_probabilities(kept),
    )


def _slices(tags: pd.Series[Any]) -> dict[str, NDArray[np.bool_]]:
    codes, values = pd.factorize(tags)
    masks: dict[str, NDArray[np.bool_]] = {ALL: np.ones(len(tags), dtype=bool)}
    members: dict[str, list[int]] = {}
    for code, text in enumerate(values):
        for key, value in json.loads(str(text)).items():
            members.setdefault(f"{key}={value}", []).append(code)
    for name in sorted(members):
        masks[name] = np.isin(codes, members[name])
    return masks


def _clusters(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Codes; a sample without a cluster is a cluster of its own."""
    codes, _ = pd.factorize(frame["cluster"])
    alone = codes < 0
    codes = codes.astype(np.int64)
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return codes


def _missing(frame: pd.DataFrame) -> Missing:
    teacher_error = frame["teacher_error"].notna()
    student_error = frame["student_error"].notna() & ~teacher_error
    unscored = ~(teacher_error | student_error)
    reasons = pd.concat(
        [
            frame.loc[teacher_error, "teacher_error"].astype(str).map("teacher: {}".format),
            frame.loc[student_error, "student_error"].astype(str).map("student: {}".format),
            frame.loc[unscored, "teacher_score_reason"]
            .astype(object)
            .fillna(frame.loc[unscored, "student_score_reason"].astype(object)),
        ]
    )
    counts = reasons.value_counts().head(10)
    return Missing(
        teacher_errors=int(teacher_error.sum()),
        student_errors=int(student_error.sum()),
        unscored=int(unscored.sum()),
        reasons={str(reason): int(count) for reason, count in counts.items()},
    )


def _outputs(frame: pd.DataFrame) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
    teacher, student = frame["teacher_output"], frame["student_output"]
    if frame.empty or teacher.isna().any() or student.isna().any():
        return None, None
    codes, _ = pd.factorize(pd.concat([teacher, student], ignore_index=True))
    codes = codes.astype(np.int64)
    return codes[: len(frame)], codes[len(frame) :]


def _chance(frame: pd.DataFrame) -> float | None:
    """Mean over the samples of 1 / number of labels or choices; None where some has neither."""
    options = frame["labels"].astype(object).where(frame["labels"].notna(), frame["choices"])
    if frame.empty or options.isna().any():
        return None
    counts = options.map(lambda text: len(json.loads(str(text))))
    return float((1 / counts).mean())


def _option_count(frame: pd.DataFrame) -> int | None:
    """Number of labels or choices, when it is the same for every sample."""
    for column in ("labels", "choices"):
        values = frame[column].dropna().unique()
        if len(values):
            counts = {len(json.loads(str(value))) for value in values}
            return counts.pop() if len(counts) == 1 else None
    return None


def _probabilities(frame: pd.DataFrame) -> Probabilities | None:
    usable = frame["teacher_log_probs"].notna() & frame["student_log_probs"].notna()
    usable &= frame["reference_index"].notna()
    options = _option_count(frame[usable])
    if not usable.any() or options is None:
        return None
    rows = np.flatnonzero(usable.to_numpy())
    kept = frame.iloc[rows]
    return Probabilities(
        rows=rows.astype(np.int64),
        teacher=_normalised(np.stack(kept["teacher_log_probs"].tolist())),
        student=_normalised(np.stack(kept["student_log_probs"].tolist())),
        labels=kept["reference_index"].to_numpy(dtype=np.int64),
    )


def _normalised(log_probs: FloatArray) -> FloatArray:
    """Options renormalised to sum to one; a choice's log-likelihoods need not."""
    top = log_probs.max(axis=1, keepdims=True)
    shifted: FloatArray = log_probs - top
    normalised: FloatArray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalised
