"""Errors of the teacher that the student repeats, beside those it would repeat by chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.compare.selection import Selection

__all__ = ["repeated_by_chance"]

IntArray = NDArray[np.int64]


def repeated_by_chance(chosen: Selection) -> float | None:
    """Share of the teacher's errors that the student would repeat if it knew nothing of them.

    For each error of the teacher: how often the student gives that same output on the other
    samples with the same reference. Given the reference, errors are then independent of the
    teacher's. None where the teacher makes no error, outputs or references are unknown, or no other
    sample has the reference of an error (free text).
    """
    teacher, student = chosen.teacher_outputs, chosen.student_outputs
    wrong = chosen.teacher == 0
    if teacher is None or student is None or not wrong.any():
        return None
    references, _ = pd.factorize(pd.Series(chosen.references, dtype=object))
    if (references < 0).any():
        return None
    width = int(max(teacher.max(), student.max())) + 1
    sizes = np.bincount(references)
    others = sizes[references[wrong]] - 1
    if (others == 0).any():
        return None
    wanted = references[wrong] * width + teacher[wrong]
    same = _counts(references * width + student, wanted, len(sizes) * width)
    same = same - (student[wrong] == teacher[wrong])
    return float((same / others).mean())


def _counts(codes: IntArray, wanted: IntArray, most: int) -> IntArray:
    """How often each wanted code occurs; codes lie below `most`."""
    if most <= 4 * len(codes):
        return np.bincount(codes, minlength=most)[wanted]
    given, counts = np.unique(codes, return_counts=True)
    places = np.minimum(np.searchsorted(given, wanted), len(given) - 1)
    return np.where(given[places] == wanted, counts[places], 0)
