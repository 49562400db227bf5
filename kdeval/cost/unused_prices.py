"""Configured prices that say nothing, because answers tell what they cost."""

from __future__ import annotations

from kdeval.store.run_directory import ModelEntry, RunDirectory

__all__ = ["unused_price_lines"]


def unused_price_lines(run: RunDirectory) -> tuple[str, ...]:
    """A line a model whose recorded costs come before its price under `costs`."""
    teacher, students = run.manifest.teacher, run.manifest.students
    names = ["teacher", *(["student"] * len(students))]
    return tuple(
        f"{entry.name}: its price under `costs` is not used, for its answers tell what they cost "
        "(cost_usd); to use the price, leave the recorded costs out"
        for entry, side in zip((teacher, *students), names, strict=True)
        if entry.price and entry.price_source is None and _has_costs(run, entry, side)
    )


def _has_costs(run: RunDirectory, entry: ModelEntry, side: str) -> bool:
    table = run.pairs(["student", f"{side}_cost_usd"])
    own = table if side == "teacher" else table[table["student"] == entry.name]
    return bool(own[f"{side}_cost_usd"].notna().any())
