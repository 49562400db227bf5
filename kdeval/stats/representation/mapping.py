"""Which layer of one network goes with which layer of another."""

from __future__ import annotations

import numpy as np

from kdeval.stats.moments import FloatArray

__all__ = ["ordered_mapping"]


def ordered_mapping(similarity: FloatArray) -> list[int]:
    """For each row its column, none before that of the row above, with the largest sum.

    Order is kept because layers are computed in order; two rows may share a column, so that a
    network which lingers at one stage shows it.

    Args:
        similarity: shape (rows, columns), at least one of each.

    Source: dynamic programming over monotone paths (Bellman 1957).
    """
    rows = len(similarity)
    best = np.empty_like(similarity)
    best[0] = similarity[0]
    for row in range(1, rows):
        best[row] = similarity[row] + np.maximum.accumulate(best[row - 1])
    chosen = [int(np.argmax(best[-1]))]
    for row in range(rows - 2, -1, -1):
        chosen.append(int(np.argmax(best[row, : chosen[-1] + 1])))
    return chosen[::-1]
