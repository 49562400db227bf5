"""Where teacher and student part ways: flips and kappa."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.moments import as_scores, is_binary


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipTable:
    """Counts of samples by who was right.

    Attributes:
        both_right: Teacher and student right.
        lost: Teacher right, student wrong (negative flips).
        gained: Teacher wrong, student right.
        both_wrong: Neither right.
    """

    both_right: int
    lost: int
    gained: int
    both_wrong: int

    @property
    def n(self) -> int:
        """Number of samples."""
        return self.both_right + self.lost + self.gained + self.both_wrong

    @property
    def flips(self) -> int:
        """Samples on which exactly one of the two was right."""
        return self.lost + self.gained

    @property
    def teacher_rate(self) -> float | None:
        """Share that the teacher got right; None without samples."""
        return (self.both_right + self.lost) / self.n if self.n else None

    @property
    def student_rate(self) -> float | None:
        """Share that the student got right; None without samples."""
        return (self.both_right + self.gained) / self.n if self.n else None


def flip_table(teacher: ArrayLike, student: ArrayLike) -> FlipTable:
    """The four counts for binary scores of the same samples.

    Args:
        teacher: 0 or 1, shape (n,).
        student: 0 or 1, shape (n,).

    Raises:
        ValueError: If shapes differ or a score is neither 0 nor 1.
    """
    t, s = as_scores(teacher, "teacher"), as_scores(student, "student")
    if t.shape != s.shape:
        raise ValueError(f"teacher has {len(t)} scores and student {len(s)}; they must be paired")
    if not (is_binary(t) and is_binary(s)):
        raise ValueError("a flip table needs scores that are all 0 or 1")
    both, right_t, right_s = (round(float(x)) for x in (t @ s, t.sum(), s.sum()))
    return FlipTable(
        both_right=both,
        lost=right_t - both,
        gained=right_s - both,
        both_wrong=len(t) - right_t - right_s + both,
    )


def cohen_kappa(a: ArrayLike, b: ArrayLike) -> float | None:
    """Agreement beyond chance, (p_o - p_e) / (1 - p_e); None where chance explains all of it.

    Args:
        a: Integer class codes, shape (n,).
        b: Integer class codes of the same samples.

    Source: Cohen (1960), Educational and Psychological Measurement 20.
    """
    x, y = np.asarray(a), np.asarray(b)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"need two vectors of one length, got shapes {x.shape} and {y.shape}")
    n = len(x)
    if n == 0:
        return None
    _, codes = np.unique(np.concatenate([x, y]), return_inverse=True)
    k = int(codes.max()) + 1
    shares_a, shares_b = (np.bincount(c, minlength=k) / n for c in (codes[:n], codes[n:]))
    expected = float(shares_a @ shares_b)
    if expected >= 1:
        return None
    return (float((x == y).mean()) - expected) / (1 - expected)
