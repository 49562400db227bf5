"""Reasons of failures in few lines: those that differ only in their numbers are one."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["alike", "reason_lines"]

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_LIKE = "such as "


def alike(reasons: Mapping[str, int], *, most: int) -> dict[str, int]:
    """Reason to its count, most frequent first; at most `most` are left as they are.

    Where there are more, those that read the same but for their numbers are counted together under
    "such as " and the most frequent of them.
    """
    in_order = sorted(reasons.items(), key=lambda item: -item[1])
    if len(in_order) <= most:
        return dict(in_order)
    forms: dict[str, list[tuple[str, int]]] = {}
    for reason, count in in_order:
        forms.setdefault(_NUMBER.sub("#", reason.removeprefix(_LIKE)), []).append((reason, count))
    together = {
        same[0][0] if len(same) == 1 else _LIKE + same[0][0].removeprefix(_LIKE): sum(
            count for _, count in same
        )
        for same in forms.values()
    }
    return dict(sorted(together.items(), key=lambda item: -item[1]))


def reason_lines(reasons: Mapping[str, int], *, most: int = 3) -> list[str]:
    """Each with its count, as "9 x timed out"; those beyond `most` are told by their number."""
    found = list(alike(reasons, most=most).items())
    lines = [f"{count:,} x {reason}" for reason, count in found[:most]]
    rest = sum(count for _, count in found[most:])
    return [*lines, f"and {rest:,} more for other reasons"] if rest else lines
