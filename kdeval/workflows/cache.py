"""`kdeval cache`: what a shared cache holds, taking out of it, and checking it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kdeval.store.cache.contents import CachedModel, Prune, cached_models, opened, prune
from kdeval.store.cache.database import CACHE_FILE
from kdeval.store.cache.soundness import Soundness, rebuild, remove_damaged, verify

__all__ = ["Verified", "listed", "pruned", "verified"]

_MB = 1_000_000
_SHORT = 10
_COLUMNS = (
    "model", "type", "fingerprint", "answers", "MB", "cost when asked", "oldest", "last used",
    "suites",
)  # fmt: skip
_NUMBERS = (3, 4, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a verification says, a line each, and whether something damaged is left."""

    lines: tuple[str, ...]
    damage_left: bool


def listed(directory: Path) -> tuple[str, ...]:
    """The cache's models as a table, a line each, and a line on all of them."""
    with opened(directory) as connection:
        models = cached_models(connection)
    size = (directory / CACHE_FILE).stat().st_size
    answers = sum(model.answers for model in models)
    line = f"{_count(answers, 'answer')} in {directory}, {_mb(size)} on disk"
    return (*(_table([_COLUMNS, *map(_cells, models)]) if models else ()), line)


def _cells(model: CachedModel) -> tuple[str, ...]:
    return (
        model.name,
        model.type,
        model.fingerprint[:_SHORT],
        f"{model.answers:,}",
        f"{model.bytes / _MB:,.1f}",
        _cost(model),
        _day(model.oldest),
        _day(model.used),
        ", ".join(model.suites),
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows with their columns aligned, numbers to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if place in _NUMBERS else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def pruned(directory: Path, what: Prune, *, dry_run: bool) -> tuple[str, ...]:
    """What went, or would go, a line a model and one on all of them."""
    with opened(directory, writable=not dry_run) as connection:
        gone = prune(connection, what, dry_run=dry_run)
    verb = "would go" if dry_run else "removed"
    return (*(f"{verb}: {_described(model)}" for model in gone), _total(directory, gone, verb))


def _total(directory: Path, gone: Sequence[CachedModel], verb: str) -> str:
    if not gone:
        return "nothing to remove"
    answers = sum(model.answers for model in gone)
    size = sum(model.bytes for model in gone)
    left = (directory / CACHE_FILE).stat().st_size
    return f"{verb}: {_count(answers, 'answer')}, {_mb(size)}; now {_mb(left)} on disk"


def _described(model: CachedModel) -> str:
    return (
        f"{_count(model.answers, 'answer')} of {model.name} ({model.type}, "
        f"{model.fingerprint[:_SHORT]}), {_mb(model.bytes)}, cost when asked {_cost(model)}, "
        f"last used {_day(model.used)}"
    )


def verified(directory: Path, *, repair: bool) -> Verified:
    """Checks every answer; with `repair`, takes out what is damaged and saves the rest."""
    found = verify(directory)
    lines = list(_findings(directory, found))
    if found.is_sound or not repair:
        return Verified(lines=tuple(lines), damage_left=not found.is_sound)
    if found.structure:
        lines.append(f"rebuilt with {_count(rebuild(directory), 'sound answer')}")
    else:
        remove_damaged(directory, found)
        lines.append(f"removed {_count(len(found.damaged), 'damaged answer')}")
    after = verify(directory)
    lines += [] if after.is_sound else _findings(directory, after)
    return Verified(lines=tuple(lines), damage_left=not after.is_sound)


def _findings(directory: Path, found: Soundness) -> list[str]:
    if found.is_sound:
        return [f"{directory}: {_count(found.answers, 'answer')}, all as they were written"]
    lines = [f"{directory / CACHE_FILE}: {problem}" for problem in found.structure]
    if found.damaged:
        whose = ", ".join(f"{count:,} of {name}" for name, count in found.damaged_of.items())
        lines.append(
            f"{directory}: {len(found.damaged):,} of {_count(found.answers, 'answer')} damaged "
            f"({whose}): they are not served"
        )
    return lines


def _cost(model: CachedModel) -> str:
    if not model.priced:
        return "unknown"
    of = "" if model.priced == model.answers else f" (of {model.priced:,} answers)"
    return f"${model.cost_usd:,.2f}{of}"


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def _mb(size: int) -> str:
    return f"{size / _MB:,.1f} MB"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
