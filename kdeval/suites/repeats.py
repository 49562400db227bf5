"""Samples that ask the very same question: they are one cluster, whatever their ids are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kdeval.records import Sample
from kdeval.suites.spool import spooled

__all__ = ["QuestionDigests", "distinct_clusters", "repeat_notes", "without_lone_clusters"]

DIGEST_SIZE = 16


class QuestionDigests:
    """What each sample asks, noted while a suite is read; 16 bytes a sample are kept."""

    def __init__(self) -> None:
        self._digests = bytearray()

    def add(self, digest: bytes) -> None:
        """Notes the digest (of `DIGEST_SIZE` bytes) of what the next sample asks."""
        self._digests += digest

    def clustered(self, samples: Sequence[Sample]) -> Sequence[Sample]:
        """The samples added, each in the cluster of its question; as they are where none repeats.

        Repeats of a prompt are no new evidence: Miller, "Adding Error Bars to Evals",
        arXiv:2411.00640.
        """
        digests = np.sort(np.frombuffer(self._digests, dtype=f"S{DIGEST_SIZE}"))
        if not (digests[1:] == digests[:-1]).any():
            return samples
        return spooled(
            replace(sample, cluster=f"prompt {self._digest(place).hex()}")
            for place, sample in enumerate(samples)
        )

    def _digest(self, place: int) -> bytearray:
        return self._digests[place * DIGEST_SIZE : (place + 1) * DIGEST_SIZE]


def without_lone_clusters(samples: Sequence[Sample]) -> Sequence[Sample]:
    """The samples; without clusters where each has one of its own."""
    if distinct_clusters(samples) < len(samples):
        return samples
    return tuple(replace(sample, cluster=None) for sample in samples)


def distinct_clusters(samples: Sequence[Sample]) -> int:
    """How many clusters the samples are; each has one. Memory holds 8 bytes of each."""
    hashes = np.fromiter((hash(sample.cluster) for sample in samples), dtype=np.int64)
    return len(np.unique(hashes))


def repeat_notes(suite: str, samples: int, prompts: int | None) -> tuple[str, ...]:
    """What a reader must know of a suite whose clusters are its distinct prompts, if they are."""
    if prompts is None or prompts == samples:
        return ()
    return (
        f"{suite}: {samples:,} samples ask {prompts:,} distinct prompts: samples of one prompt "
        "count as one cluster",
    )
