"""The order in which looks at growing data take the samples of a suite."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence

from kdeval.records import Sample

__all__ = ["look_order"]

Unit = tuple[int, ...]


def look_order(
    samples: Sequence[Sample], seed: int, *, first: Collection[str] = ()
) -> tuple[Unit, ...]:
    """Positions of the samples by unit (a whole cluster, or a sample of its own), in order.

    Every beginning of the order is a fair sample of the suite: each unit is among the first share t
    with probability t, whatever its slices, and each combination of task and slice tags keeps its
    proportion within one unit. So looks estimate one thing, and what a look adds is new. (A limited
    suite favours small slices, and a limit may cut through clusters; a look may do neither.)

    Args:
        samples: of one suite.
        seed: decides the order, by a hash: the same on every machine.
        first: ids of samples whose units come before all others, since they were asked before.
    """
    units = _units(samples)
    strata: dict[tuple[str, ...], list[Unit]] = defaultdict(list)
    for unit in units:
        strata[_tags(samples, unit)].append(unit)
    queue: list[tuple[bool, float, bytes, Unit]] = []
    known = frozenset(first)
    for tags, members in strata.items():
        start = _uniform(f"{seed}\0{samples[0].suite}\0{tags!r}")
        ranked = sorted(members, key=lambda unit: _digest(samples, unit, seed))
        for rank, unit in enumerate(ranked):
            asked = any(samples[index].id in known for index in unit)
            position = (rank + start) / len(ranked)
            queue.append((not asked, position, _digest(samples, unit, seed), unit))
    return tuple(entry[-1] for entry in sorted(queue))


def _units(samples: Sequence[Sample]) -> list[Unit]:
    clusters: dict[str, list[int]] = defaultdict(list)
    units: list[Unit] = []
    for index, sample in enumerate(samples):
        if sample.cluster is None:
            units.append((index,))
        else:
            clusters[sample.cluster].append(index)
    return units + [tuple(members) for members in clusters.values()]


def _tags(samples: Sequence[Sample], unit: Unit) -> tuple[str, ...]:
    members = (samples[index] for index in unit)
    return tuple(sorted({repr((item.task, sorted(item.slices.items()))) for item in members}))


def _digest(samples: Sequence[Sample], unit: Unit, seed: int) -> bytes:
    sample = samples[unit[0]]
    name = f"cluster {sample.cluster}" if sample.cluster is not None else f"sample {sample.id}"
    return _hash(f"look\0{seed}\0{sample.suite}\0{name}")


def _uniform(text: str) -> float:
    return int.from_bytes(_hash(text)[:7], "big") / 2.0**56


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
