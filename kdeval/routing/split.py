"""Four splits by hash, and the memory of what a router has seen.

A unit (a cluster, or a prompt where there is none) falls whole into one split, by the hash of
(seed, unit): the same unit does so in every run, whatever its position or id there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kdeval.routing.samples import RoutingSamples

__all__ = ["FRACTIONS", "SPLITS", "SplitName", "assign_splits", "seen_hashes", "unseen"]

SplitName = Literal["fit", "conform", "certify", "test"]
SPLITS: tuple[SplitName, ...] = ("fit", "conform", "certify", "test")
FRACTIONS: dict[SplitName, float] = {"fit": 0.40, "conform": 0.15, "certify": 0.30, "test": 0.15}


def assign_splits(
    units: Iterable[str], seed: int, fractions: dict[SplitName, float] = FRACTIONS
) -> NDArray[Any]:
    """The split of each unit, as an array of names; it depends on nothing but (seed, unit)."""
    draws = np.array([_digest("split", seed, unit) / 2.0**64 for unit in units])
    edges = np.cumsum([fractions[name] for name in SPLITS])
    places = np.minimum(np.searchsorted(edges, draws, side="right"), len(SPLITS) - 1)
    return np.array(SPLITS, dtype=object)[places]


def seen_hashes(samples: RoutingSamples, seed: int) -> NDArray[np.int64]:
    """Sorted hashes of the units and of the prompts of `samples`: what a router keeps of them."""
    keys = {_key(seed, unit) for unit in samples.units}
    keys |= {_key(seed, f"text\0{text}") for text in samples.texts}
    return np.array(sorted(keys), dtype=np.int64)


def unseen(samples: RoutingSamples, seen: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """True for the samples of which neither the unit nor the prompt is among `seen`."""
    units = np.array([_key(seed, unit) for unit in samples.units], dtype=np.int64)
    texts = np.array([_key(seed, f"text\0{text}") for text in samples.texts], dtype=np.int64)
    result: NDArray[np.bool_] = ~(np.isin(units, seen) | np.isin(texts, seen))
    return result


def _key(seed: int, unit: str) -> int:
    return _digest("seen", seed, unit) - 2**63


def _digest(purpose: str, seed: int, unit: str) -> int:
    text = f"{purpose}\0{seed}\0{unit}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
