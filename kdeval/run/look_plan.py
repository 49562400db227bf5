"""The samples that each look at a growing run is to have, fixed before the first one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from kdeval.records import Sample
from kdeval.run.prepare import RunInputs
from kdeval.store.fingerprints import value_digest
from kdeval.store.looks import LookKind, Looks
from kdeval.suites.look_order import look_order

__all__ = ["LookPlan", "plan_looks"]

ALL = "all"
_FIRST, _STEP, _GROWTH = 50, 25, 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class LookPlan:
    """The looks, with the samples behind their counts.

    Attributes:
        inputs: everything that may be asked.
        orders: suite to its units (positions of samples) in the order in which looks take them.
    """

    inputs: RunInputs
    looks: Looks
    orders: Mapping[str, tuple[tuple[int, ...], ...]]

    def at(self, look: int) -> RunInputs:
        """What is to be asked up to that look (from 1), in the suites' own order."""
        suites = []
        for suite in self.inputs.suites:
            units = self.looks.units[suite.name][ALL][look - 1]
            positions = sorted(p for unit in self.orders[suite.name][:units] for p in unit)
            suites.append(suite.restricted([suite.samples[p] for p in positions]))
        return replace(self.inputs, suites=tuple(suites), look=look)


def plan_looks(
    inputs: RunInputs,
    *,
    kind: LookKind,
    looks: int,
    policy: str,
    policy_name: str,
    student: str,
    earlier: Looks | None = None,
    asked: Mapping[str, Collection[str]] | None = None,
) -> LookPlan:
    """The plan of a run over `inputs`, with no look taken.

    Args:
        inputs: everything that may be asked.
        kind: obrien_fleming: `looks` equal parts. betting: 50 units, then a tenth more each time
            (at least 25), to the end of the largest suite.
        looks: number of looks of an O'Brien-Fleming design.
        policy: digest of what is to be decided.
        policy_name: its file.
        student: whom it judges.
        earlier: a betting plan whose suites have grown since: its looks come first.
        asked: suite to the ids of the samples that it asked.
    """
    asked = asked or {}
    orders = {
        suite.name: look_order(suite.samples, inputs.config.seed, first=asked.get(suite.name, ()))
        for suite in inputs.suites
    }
    totals = {name: len(order) for name, order in orders.items()}
    if kind == "betting":
        steps = _betting_steps(totals, earlier)
    else:
        steps = {
            name: tuple(math.ceil(k * total / looks) for k in range(1, looks + 1))
            for name, total in totals.items()
        }
    samples = {suite.name: suite.samples for suite in inputs.suites}
    plan = Looks(
        kind=kind,
        policy=policy,
        policy_name=policy_name,
        student=student,
        asked=_asked(inputs),
        samples={
            name: tuple(sum(map(len, order[:units])) for units in steps[name])
            for name, order in orders.items()
        },
        units={
            name: _units_by_slice(samples[name], order, steps[name])
            for name, order in orders.items()
        },
        largest_cluster={
            name: _largest_by_slice(samples[name], order) for name, order in orders.items()
        },
    )
    return LookPlan(inputs=inputs, looks=plan, orders=orders)


def _betting_steps(totals: Mapping[str, int], earlier: Looks | None) -> dict[str, tuple[int, ...]]:
    before: dict[str, tuple[int, ...]] = dict.fromkeys(totals, ())
    if earlier is not None:
        taken = len(earlier.taken)
        before = {name: earlier.units[name][ALL][:taken] for name in totals}
    done = {name: counts[-1] if counts else 0 for name, counts in before.items()}
    largest = max(totals, key=lambda name: totals[name] - done[name])
    size, end = done[largest], totals[largest]
    shares: list[float] = []
    while size < end:
        size = min(end, max(_FIRST, size + _STEP, math.ceil(size * _GROWTH)))
        shares.append((size - done[largest]) / (end - done[largest]))
    return {
        name: (
            *before[name],
            *(done[name] + math.ceil(share * (total - done[name]) - 1e-9) for share in shares),
        )
        for name, total in totals.items()
    }


def _asked(inputs: RunInputs) -> dict[str, str]:
    """Beside the policy and the looks themselves, what must stay as it is."""
    return {
        "models": value_digest(inputs.fingerprints),
        "suites": value_digest({suite.name: suite.fingerprint for suite in inputs.suites}),
        "seed": str(inputs.config.seed),
        "limit": "none" if inputs.limit is None else str(inputs.limit),
    }


def _slices_of(samples: Sequence[Sample], unit: tuple[int, ...]) -> Counter[str]:
    """How many of the unit's samples lie in each slice."""
    return Counter(name for position in unit for name in _names(samples[position]))


def _names(sample: Sample) -> set[str]:
    tags = {f"{key}={value}" for key, value in sample.slices.items()}
    return {ALL, f"task={sample.task}", *tags}


def _units_by_slice(
    samples: Sequence[Sample], order: Sequence[tuple[int, ...]], steps: Sequence[int]
) -> dict[str, tuple[int, ...]]:
    seen: Counter[str] = Counter()
    at_steps: list[Counter[str]] = []
    done = 0
    for step in steps:
        for unit in order[done:step]:
            seen.update(dict.fromkeys(_slices_of(samples, unit), 1))
        done = step
        at_steps.append(seen.copy())
    if len({sample.task for sample in samples}) == 1 and "task" not in samples[0].slices:
        del seen[f"task={samples[0].task}"]  # the whole suite is no slice of it
    names = [ALL, *sorted(name for name in seen if name != ALL)]
    return {name: tuple(counts[name] for counts in at_steps) for name in names}


def _largest_by_slice(
    samples: Sequence[Sample], order: Sequence[tuple[int, ...]]
) -> dict[str, int]:
    largest: Counter[str] = Counter()
    for unit in order:
        for name, count in _slices_of(samples, unit).items():
            largest[name] = max(largest[name], count)
    return dict(largest)
