"""What two networks make of the same samples, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kdeval.stats.interval import Interval
from kdeval.stats.representation.layers import LayerMatch
from kdeval.stats.representation.relations import RelationSimilarity

__all__ = ["AttentionFigures", "AttentionPair", "HiddenStateFigures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionPair:
    """Attention maps of two layers that go together; divergences are Jensen-Shannon in bits.

    Attributes:
        divergence: between means over heads.
        beyond_first: the same without the first token; None where tokens see what comes behind.
        matched_heads: mean over heads, each against the teacher's that it is matched to; None where
            the teacher has fewer.
        kept_heads: heads that are matched to that of the same number; None likewise, and where
            their numbers differ.
        heads: of the student.
        teacher_first: share of the teacher's attention on the first token.
        student_first: of the student's.
    """

    student: int
    teacher: int
    divergence: Interval
    beyond_first: Interval | None
    matched_heads: Interval | None
    kept_heads: int | None
    heads: int
    teacher_first: float
    student_first: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionFigures:
    """Attention of all pairs of layers of the mapping, but for the embeddings.

    Attributes:
        samples: whose maps were compared; both models read the same tokens of them.
        pairs: empty where nothing was compared.
        left_out: reason to number of samples left out.
    """

    samples: int
    pairs: tuple[AttentionPair, ...]
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenStateFigures:
    """One suite; every interval takes samples (or the suite's clusters) as independent.

    Attributes:
        tokens: which of a sample's tokens its representation is made of.
        samples: that both models read.
        left_out: reason to number of samples left out.
        teacher_layers: their numbers; 0 is the embeddings.
        student_layers: of the student.
        cka: debiased; a row for each layer of the student, a column for each of the teacher; None
            where a layer represents all samples alike.
        pairs: of the student's layers that tell samples apart.
        mean: of their CKA.
        unmatched: layers of the teacher that tell samples apart and no layer goes with.
        unrelated: the highest CKA of the table stays below it in 95 % of the cases when samples
            are shuffled.
        relations: of samples after the last layers; None where too few are told apart.
        attention: None where it was not asked for.
        reason: why nothing was compared.
    """

    suite: str
    tokens: Literal["mean", "last", "first"]
    samples: int
    left_out: Mapping[str, int]
    teacher_layers: tuple[int, ...] = ()
    student_layers: tuple[int, ...] = ()
    cka: tuple[tuple[float | None, ...], ...] = ()
    pairs: tuple[LayerMatch, ...] = ()
    mean: Interval | None = None
    unmatched: tuple[int, ...] = ()
    unrelated: float | None = None
    relations: RelationSimilarity | None = None
    attention: AttentionFigures | None = None
    reason: str | None = None
