"""Why samples were left out of both sides, in words that every rendering shares."""

from __future__ import annotations

from kdeval.compare.comparison import Missing
from kdeval.gate.quantity import counted, left_out_words
from kdeval.store.reasons import alike

__all__ = ["left_out_reasons"]

_SHOWN = 3
_LONGEST = 120
_LONGEST_BRIEF = 40


def left_out_reasons(missing: Missing, *, brief: bool = False) -> str:
    """Whose failures they were, then what was recorded as the reason, the most frequent first.

    Args:
        missing: the counts; its reasons are empty in a report without text.
        brief: the reasons alone, cut shorter, where any is known.
    """
    words = left_out_words(missing, zeros=not brief)
    most = _LONGEST_BRIEF if brief else _LONGEST
    reasons = alike(missing.reasons, most=_SHOWN)
    told = [f"{count:,} x {_cut(reason, most)}" for reason, count in reasons.items()]
    if not told:
        return words
    more = f"; {counted(len(told) - _SHOWN, 'more reason')}" if len(told) > _SHOWN else ""
    shown = f"{'; '.join(told[:_SHOWN])}{more}"
    return shown if brief else f"{words}: {shown}"


def _cut(reason: str, most: int) -> str:
    return reason if len(reason) <= most else f"{reason[:most]}…"
