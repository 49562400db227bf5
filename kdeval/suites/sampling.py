"""A smaller suite that keeps the proportions of the slices."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from kdeval.records import Sample

__all__ = ["stratified_sample"]


def stratified_sample(samples: Sequence[Sample], n: int, seed: int) -> tuple[Sample, ...]:
    """`n` of the samples (all, if there are no more), in their own order.

    A stratum is a combination of slice tags. Every stratum has one sample as long as `n` allows;
    the rest goes out in proportion to size by Webster's divisors (Sainte-Lague), which differ
    from exact proportion by less than one sample a stratum and never take back a seat. So a
    smaller `n` gives a subset of a larger one. Which samples of a stratum come first is decided by
    a hash of seed, suite and id: the same on every machine.

    Raises:
        ValueError: `n` is below 1.
    """
    if n < 1:
        raise ValueError(f"a sample needs at least 1 element, got {n!r}")
    if n >= len(samples):
        return tuple(samples)
    strata: dict[tuple[tuple[str, str], ...], list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        strata[tuple(sorted(sample.slices.items()))].append(index)
    keys = [_key(sample, seed) for sample in samples]
    queue: list[tuple[bool, float, bytes, int]] = []
    for members in strata.values():
        members.sort(key=keys.__getitem__)
        for rank, index in enumerate(members):
            queue.append((rank > 0, (rank + 0.5) / len(members), keys[index], index))
    queue.sort()
    return tuple(samples[index] for index in sorted(entry[-1] for entry in queue[:n]))


def _key(sample: Sample, seed: int) -> bytes:
    text = f"{seed}\0{sample.suite}\0{sample.id}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
