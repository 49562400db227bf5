"""From what a run wrote of its models' hidden states to the figures of each suite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.compare.attention_compared import AttentionAsked, attention_figures
from kdeval.compare.clusters import Clusters, cluster_codes, clusters_of
from kdeval.compare.hidden_states import HiddenStateFigures
from kdeval.stats.representation.layers import LayerSimilarity, layer_similarity
from kdeval.stats.representation.relations import RelationSimilarity, relation_similarity
from kdeval.store.hidden import HiddenTables
from kdeval.store.run_directory import RunDirectory

__all__ = ["hidden_states_of"]

_LEAST = 8
"""Samples below which nothing is compared."""


def hidden_states_of(
    run: RunDirectory, confidence: float
) -> Mapping[str, tuple[HiddenStateFigures, ...]]:
    """Student to its suites that were compared layer by layer; empty when that was not asked."""
    tables = run.hidden()
    if tables is None:
        return {}
    samples = tables.samples()
    clusters = clusters_of(run)
    teacher = run.manifest.teacher.name
    open_models = set(samples["model"])
    found: dict[str, tuple[HiddenStateFigures, ...]] = {}
    for entry in run.manifest.students:
        if entry.name not in open_models or teacher not in open_models:
            continue
        found[entry.name] = tuple(
            _Compared(
                tables=tables, suite=suite.name, teacher=teacher, student=entry.name,
                samples=samples[samples["suite"] == suite.name], clusters=clusters,
                confidence=confidence, seed=(run.manifest.header.seed, index),
            ).figures()
            for index, suite in enumerate(run.manifest.suites)
            if suite.name in set(samples["suite"])
        )  # fmt: skip
    return found


@dataclass(frozen=True, slots=True)
class _Layers(Mapping[int, NDArray[np.float64]]):
    """Gram matrices of one model, of the samples that count; read when they are asked for.

    Attributes:
        numbers: of its layers; 0 is the embeddings.
    """

    tables: HiddenTables
    suite: str
    model: str
    rows: NDArray[np.int64]
    numbers: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers)

    def __getitem__(self, number: int) -> NDArray[np.float64]:
        gram = self.tables.gram(self.suite, self.model, number)
        return gram[np.ix_(self.rows, self.rows)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """One student on one suite."""

    tables: HiddenTables
    suite: str
    teacher: str
    student: str
    samples: pd.DataFrame
    clusters: Clusters
    confidence: float
    seed: tuple[int, int]

    def figures(self) -> HiddenStateFigures:
        read = {name: self._read(name) for name in (self.teacher, self.student)}
        mine = set(read[self.student])
        both = [name for name in read[self.teacher] if name in mine]
        left_out = self._left_out()
        tokens = self.tables.settings["tokens"]
        if len(both) < _LEAST:
            return HiddenStateFigures(
                suite=self.suite, tokens=tokens, samples=len(both), left_out=left_out,
                reason=f"both models read {len(both)} of its samples, and {_LEAST} are needed",
            )  # fmt: skip
        teacher, student = (
            self._layers(name, read[name], both) for name in (self.teacher, self.student)
        )
        codes = cluster_codes(self.clusters, self.suite, both)
        found = layer_similarity(
            teacher, student, rng=np.random.default_rng(self.seed), clusters=codes,
            confidence=self.confidence,
        )  # fmt: skip
        asked = AttentionAsked(
            tables=self.tables, suite=self.suite, teacher=self.teacher, student=self.student,
            samples=self.samples,
            pairs=tuple((match.student, match.teacher) for match in found.matches),
            clusters=self.clusters, confidence=self.confidence,
        )  # fmt: skip
        return HiddenStateFigures(
            suite=self.suite,
            tokens=tokens,
            samples=len(both),
            left_out=left_out,
            teacher_layers=teacher.numbers,
            student_layers=student.numbers,
            cka=found.table,
            pairs=found.matches,
            mean=found.mean,
            unmatched=_unmatched(found, teacher.numbers),
            unrelated=found.unrelated,
            relations=self._relations(teacher, student, codes),
            attention=attention_figures(asked),
            reason=None if found.matches else "every layer of a model represents all samples alike",
        )

    def _read(self, model: str) -> list[str]:
        """Samples of which the model's representations are known, in the order of its matrices."""
        mine = self.samples[(self.samples["model"] == model) & self.samples["reason"].isna()]
        return [str(name) for name in mine["sample_id"]]

    def _left_out(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for side, name in (("teacher", self.teacher), ("student", self.student)):
            mine = self.samples[self.samples["model"] == name]
            for reason, count in mine["reason"].dropna().value_counts().items():
                found[f"{side}: {reason}"] = int(count)
        return found

    def _layers(self, model: str, read: list[str], both: list[str]) -> _Layers:
        place = {name: row for row, name in enumerate(read)}
        return _Layers(
            self.tables, self.suite, model, np.array([place[name] for name in both]),
            tuple(self.tables.layers(self.suite, model)),
        )  # fmt: skip

    def _relations(
        self, teacher: _Layers, student: _Layers, codes: NDArray[np.int64] | None
    ) -> RelationSimilarity | None:
        """After the last layers."""
        found = relation_similarity(
            teacher[teacher.numbers[-1]], student[student.numbers[-1]],
            rng=np.random.default_rng((*self.seed, 1)), clusters=codes, confidence=self.confidence,
        )  # fmt: skip
        return None if found.distances.loss.estimate is None else found


def _unmatched(found: LayerSimilarity, teacher: tuple[int, ...]) -> tuple[int, ...]:
    taken = {match.teacher for match in found.matches}
    return tuple(
        number
        for number, column in zip(teacher, zip(*found.table, strict=True), strict=True)
        if number not in taken and any(cka is not None for cka in column)
    )
