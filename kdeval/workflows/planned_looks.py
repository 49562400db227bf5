"""The plan of looks in a run's directory: made once, kept, and refused when something changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kdeval.errors import RunError
from kdeval.gate.baseline import Baseline
from kdeval.gate.looking import policy_digest
from kdeval.gate.policy import GatePolicy
from kdeval.run.look_plan import LookPlan, plan_looks
from kdeval.run.prepare import RunInputs
from kdeval.store.looks import LookKind, Looks, read_looks, write_looks
from kdeval.store.pairs import read_table

__all__ = ["Question", "planned_looks"]

_SUITES = "the suites"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be decided; fixed before the first look.

    Attributes:
        policy_name: file name of the policy, for messages.
    """

    policy: GatePolicy
    policy_name: str
    student: str
    baseline: Baseline | None


def planned_looks(
    inputs: RunInputs, out: Path, question: Question, *, kind: LookKind, looks: int
) -> LookPlan:
    """The plan in `out` with the looks it took, or a new one, written there.

    Raises:
        RunError: `out` holds a run without looks, or looks that were planned for something else.
    """
    earlier = read_looks(out)
    begun = (out / "run.json").exists() or (earlier is not None and bool(earlier.taken))
    if begun and earlier is None:
        raise RunError(
            f"{out} holds a finished run: its results could be seen before the first look, so "
            "give another --out"
        )
    new = plan_looks(
        inputs,
        kind=kind,
        looks=looks,
        policy=policy_digest(question.policy, question.student, question.baseline),
        policy_name=question.policy_name,
        student=question.student,
    )
    if earlier is None or not begun:
        write_looks(out, new.looks)
        return new
    changed = _changed(earlier, new.looks)
    if kind == "betting" and earlier.taken and changed == [_SUITES]:
        grown = _grown(inputs, out, earlier, looks)
        write_looks(out, grown.looks)
        return grown
    if changed:
        raise RunError(
            f"{out}: looks were planned before, and since then this changed: {'; '.join(changed)}. "
            "What is judged may not change once there was something to see: put it back, or give "
            "another --out"
        )
    return replace(new, looks=earlier)


def _changed(earlier: Looks, now: Looks) -> list[str]:
    """What is not as it was before the first look, in words.

    Where another part of the suites is drawn, whether they changed themselves cannot be told.
    """
    before, after = earlier.asked, now.asked
    differs = {name for name in after if before.get(name) != after[name]}
    changed = []
    if earlier.policy != now.policy:
        changed.append(f"the policy (it was {earlier.policy_name}), its student or baseline")
    if "models" in differs:
        changed.append("the models")
    changed += [
        f"{words} (it was {before.get(name)})"
        for name, words in (("seed", "the seed"), ("limit", "--limit"))
        if name in differs
    ]
    if earlier.kind != now.kind:
        changed.append(f"--sequential (it was {earlier.kind.replace('_', '-')})")
    elif earlier.kind != "betting" and earlier.planned != now.planned:
        changed.append(f"--looks (it was {earlier.planned})")
    if "suites" in differs and not differs & {"seed", "limit"}:
        changed.append(_SUITES)
    return changed


def _grown(inputs: RunInputs, out: Path, earlier: Looks, looks: int) -> LookPlan:
    """The betting plan over suites that have more samples now; the looks taken stay as they were.

    Raises:
        RunError: what was asked changed, or a cluster is larger than was allowed for.
    """
    taken = len(earlier.taken)
    plan = plan_looks(
        inputs,
        kind="betting",
        looks=looks,
        policy=earlier.policy,
        policy_name=earlier.policy_name,
        student=earlier.student,
        earlier=earlier,
        asked=_asked_before(inputs, out),
    )
    now = plan.looks
    same = all(now.samples[name][taken - 1] == earlier.samples[name][taken - 1]
               for name in earlier.samples)  # fmt: skip
    larger = any(
        size > earlier.largest_cluster[suite].get(name, size)
        for suite, slices in now.largest_cluster.items()
        for name, size in slices.items()
    )
    if not same or larger:
        raise RunError(
            f"{out}: samples were added to clusters that were asked already (repeats of a prompt "
            "are one, too), or make a larger cluster than any before: add samples in clusters of "
            "their own, or give another --out"
        )
    none = (0,) * taken
    looked = replace(
        now,
        taken=earlier.taken,
        largest_cluster={
            suite: {**slices, **earlier.largest_cluster[suite]}
            for suite, slices in now.largest_cluster.items()
        },
        samples={
            suite: (*earlier.samples[suite][:taken], *counts[taken:])
            for suite, counts in now.samples.items()
        },
        units={
            suite: {
                name: (*earlier.units[suite].get(name, none)[:taken], *counts[taken:])
                for name, counts in slices.items()
            }
            for suite, slices in now.units.items()
        },
    )
    return replace(plan, looks=looked)


def _asked_before(inputs: RunInputs, out: Path) -> Mapping[str, frozenset[str]]:
    """Suite to the ids that the run in `out` asked; each must still be there, unchanged."""
    frame = read_table(out / "samples.parquet", ["suite", "sample_id", "content_hash"])
    present = {
        (suite.name, sample.id): sample.content_hash
        for suite in inputs.suites
        for sample in suite.samples
    }
    asked: dict[str, set[str]] = {suite.name: set() for suite in inputs.suites}
    for suite, sample, content in frame.itertuples(index=False):
        if present.get((str(suite), str(sample))) != content:
            raise RunError(
                f"{out}: sample {sample!r} of {suite} was asked and is gone or changed since: "
                "samples may be added between looks, not taken away"
            )
        asked[str(suite)].add(str(sample))
    return {name: frozenset(ids) for name, ids in asked.items()}
