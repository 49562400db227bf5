"""The half of the samples that calibrators are fitted on; the other half judges them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["fitting_half"]

_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def fitting_half(units: NDArray[Any], seed: int) -> NDArray[np.bool_]:
    """Whether each sample belongs to it: settled by hash of the seed and the sample's unit.

    So a cluster lies on one side as a whole, and the order of samples changes nothing.

    Args:
        units: ids (texts) or cluster codes (integers), shape (n,).
        seed: of the run.
    """
    if np.issubdtype(units.dtype, np.integer):
        keys = units.astype(np.uint64)
    else:
        keys = pd.util.hash_array(units.astype(object), categorize=False)
    with np.errstate(over="ignore"):
        keys = keys + _ODD * np.uint64((seed + 1) % 2**64)
        keys = (keys ^ (keys >> np.uint64(30))) * _MIX[0]
        keys = (keys ^ (keys >> np.uint64(27))) * _MIX[1]
    half: NDArray[np.bool_] = (keys >> np.uint64(63)) == 0
    return half
