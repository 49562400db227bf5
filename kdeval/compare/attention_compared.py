"""Attention maps of the layers of two networks that go together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kdeval.compare.clusters import Clusters, cluster_codes
from kdeval.compare.hidden_states import AttentionFigures, AttentionPair
from kdeval.stats.interval import Interval
from kdeval.stats.means.per_unit import per_unit
from kdeval.stats.representation.attention import attention_rows, match_heads
from kdeval.store.hidden import HiddenTables

__all__ = ["AttentionAsked", "attention_figures"]

_OTHER_TOKENS = "the two read it as different tokens, by tokenizer or chat template"
_OTHER_WAY = "one model reads it one way, the other both ways"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionAsked:
    """One student on one suite.

    Attributes:
        samples: rows of `hidden_samples.parquet` of the suite.
        pairs: (student's layer, teacher's layer).
    """

    tables: HiddenTables
    suite: str
    teacher: str
    student: str
    samples: pd.DataFrame
    pairs: tuple[tuple[int, int], ...]
    clusters: Clusters
    confidence: float

    @property
    def names(self) -> tuple[str, str]:
        """Student and teacher."""
        return self.student, self.teacher


def attention_figures(asked: AttentionAsked) -> AttentionFigures | None:
    """Of the pairs of layers, but for embeddings; None where maps were not asked for."""
    if not asked.tables.settings["attention"]:
        return None
    any_layer = (asked.tables.layers(asked.suite, name)[-1] for name in asked.names)
    both, apart = _both(asked, *any_layer)
    pairs = [
        _pair(asked, student, teacher, _both(asked, student, teacher)[0])
        for student, teacher in asked.pairs
        if both and student and teacher
    ]
    left_out = dict(_unknown(asked) + apart)
    return AttentionFigures(samples=len(both), pairs=tuple(pairs), left_out=left_out)


def _unknown(asked: AttentionAsked) -> Counter[str]:
    """Reasons why maps of a sample are not known, of either model."""
    found: Counter[str] = Counter()
    for side, name in (("teacher", asked.teacher), ("student", asked.student)):
        reasons = asked.samples.loc[asked.samples["model"] == name, "attention_reason"].dropna()
        found.update(f"{side}: {reason}" for reason in reasons)
    return found


_Maps = Mapping[str, tuple[Any, Any, bool]]
"""Sample to the maps of teacher and student, and whether both read one way."""


def _both(asked: AttentionAsked, student: int, teacher: int) -> tuple[_Maps, Counter[str]]:
    """Samples of which both read the same tokens; why others are left out."""
    apart: Counter[str] = Counter()
    theirs = {
        row["sample_id"]: row for row in asked.tables.attention(asked.suite, asked.teacher, teacher)
    }
    both: dict[str, tuple[Any, Any, bool]] = {}
    for row in asked.tables.attention(asked.suite, asked.student, student):
        other = theirs.get(row["sample_id"])
        if other is None:
            continue
        if row["digest"] != other["digest"]:
            apart[_OTHER_TOKENS] += 1
        elif row["one_way"] != other["one_way"]:
            apart[_OTHER_WAY] += 1
        else:
            both[str(row["sample_id"])] = (other["maps"], row["maps"], bool(row["one_way"]))
    return both, apart


def _pair(asked: AttentionAsked, student: int, teacher: int, both: _Maps) -> AttentionPair:
    heads = match_heads([(one, other) for one, other, _ in both.values()])
    rows = {name: attention_rows(one, other, heads) for name, (one, other, _) in both.items()}
    theirs, ours, one_way = next(iter(both.values()))
    matched = {name: row.matched for name, row in rows.items() if row.matched is not None}
    beyond = {name: row.beyond_first for name, row in rows.items() if row.beyond_first is not None}
    kept = None
    if heads is not None and len(theirs) == len(ours):
        kept = sum(head == index for index, head in enumerate(heads))
    return AttentionPair(
        student=student,
        teacher=teacher,
        divergence=_mean(asked, {name: row.divergence for name, row in rows.items()}),
        beyond_first=_mean(asked, beyond) if one_way and beyond else None,
        matched_heads=_mean(asked, matched) if matched else None,
        kept_heads=kept,
        heads=len(ours),
        teacher_first=_plain_mean([row.teacher_first for row in rows.values()]),
        student_first=_plain_mean([row.student_first for row in rows.values()]),
    )


def _mean(asked: AttentionAsked, values: Mapping[str, float]) -> Interval:
    return per_unit(
        list(values.values()), np.ones(len(values)),
        clusters=cluster_codes(asked.clusters, asked.suite, list(values)),
        confidence=asked.confidence, low=0.0, high=1.0,
    )  # fmt: skip


def _plain_mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
