"""How far two networks part in where they look: attention maps over the same tokens.

A row of a map is a distribution over the tokens that one token may look at; tokens behind it under
a causal mask hold 0 in both, and add nothing. Rows are compared by Jensen-Shannon divergence in
bits: 0 the same, 1 no token in common.

Source: Lin (1991), IEEE Transactions on Information Theory 37, for the divergence; Sun et al.
(2020), MobileBERT, arXiv 2004.02984, who transfer maps head by head; Xiao et al. (2024), arXiv
2309.17453, for first tokens that draw attention whatever they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import rel_entr

from kdeval.stats.moments import FloatArray

__all__ = ["AttentionRows", "attention_rows", "js_bits", "match_heads"]

_LEAST_MASS = 1e-6
"""Of attention beyond the first token, below which its shares say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionRows:
    """One sample: means over the tokens that look.

    Attributes:
        divergence: of the maps that are the means over heads.
        beyond_first: the same without the first token, shares made to sum to 1 again; None where
            nothing is left.
        matched: mean over heads of the student, each against the teacher's that it is matched to;
            None without a matching.
        teacher_first: the teacher's share of attention on the first token.
        student_first: the student's.
    """

    divergence: float
    beyond_first: float | None
    matched: float | None
    teacher_first: float
    student_first: float


def js_bits(one: FloatArray, other: FloatArray) -> FloatArray:
    """Jensen-Shannon divergence in [0, 1] along the last axis, of shares that sum to 1 there."""
    middle = (one + other) / 2
    found = (rel_entr(one, middle) + rel_entr(other, middle)).sum(axis=-1) / (2 * np.log(2))
    return np.asarray(np.clip(found, 0.0, 1.0))


def match_heads(
    maps: Sequence[tuple[FloatArray, FloatArray]],
) -> tuple[int, ...] | None:
    """For each head of the student a head of the teacher's of its own; None with too few of these.

    The assignment has the least mean squared Hellinger distance between matched maps: near
    Jensen-Shannon, and inner products suffice for all pairs of heads.

    Args:
        maps: a sample each: the teacher's of shape (heads, tokens that look, tokens), and the
            student's; heads may differ in number, but not between samples.

    Source: Kuhn (1955), for the assignment.
    """
    heads, ours = len(maps[0][0]), len(maps[0][1])
    if ours > heads:
        return None
    alike = np.zeros((ours, heads))
    for teacher, student in maps:
        one, other = np.sqrt(student).reshape(ours, -1), np.sqrt(teacher).reshape(heads, -1)
        alike += one @ other.T / student.shape[1]
    rows, columns = linear_sum_assignment(-alike)
    return tuple(int(column) for _, column in sorted(zip(rows, columns, strict=True)))


def attention_rows(
    teacher: FloatArray, student: FloatArray, heads: tuple[int, ...] | None
) -> AttentionRows:
    """The figures of one sample.

    Args:
        teacher: shape (heads, tokens that look, tokens); rows sum to 1.
        student: the same of the student, for the same tokens.
        heads: from `match_heads`.
    """
    one, other = teacher.mean(axis=0), student.mean(axis=0)
    rest = (one[:, 1:], other[:, 1:])
    kept = np.minimum(rest[0].sum(axis=-1), rest[1].sum(axis=-1)) > _LEAST_MASS
    beyond = None
    if kept.any():
        shares = [part[kept] / part[kept].sum(axis=-1, keepdims=True) for part in rest]
        beyond = float(js_bits(*shares).mean())
    matched = None if heads is None else float(js_bits(teacher[list(heads)], student).mean())
    return AttentionRows(
        divergence=float(js_bits(one, other).mean()),
        beyond_first=beyond,
        matched=matched,
        teacher_first=float(one[:, 0].mean()),
        student_first=float(other[:, 0].mean()),
    )
