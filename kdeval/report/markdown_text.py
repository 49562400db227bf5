"""The building blocks of Markdown that foreign text cannot break out of, within a size limit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kdeval.report.plain_text import one_line

__all__ = ["GITHUB_LIMIT", "Block", "code", "compose", "table", "text"]

GITHUB_LIMIT = 65_536
"""Characters that GitHub takes in one comment."""

_PLAIN = (
    r"(?<=[^\W_])_(?=[^\W_])"  # within a word it is no emphasis
    r"|\[(?:unknown|[-+]?\d[-+\d., ]*(?:over [\d,]+)?)\](?![(\[:])"  # an interval is no link
    r"|<(?=\s)"  # nor this a tag
)
_SPECIAL = re.compile(rf"""{_PLAIN}|([^\w\s.,;:?'"/=()%+–…-]|_)""")
_LINKED = re.compile(
    r"(?:&#64;|&#35;|(?<![^\W_])GH-)(?=\w)"  # mentions, issues
    r"|:(?=//|[a-z+-][\w+-]*:)"  # addresses, emoji by name
    r"|(?<![^\W_])www(?=\.)",
    re.IGNORECASE,
)
_DROPPED = "*{} more parts of this report left out: no room*"
_FRAME = 60  # characters around a block: blank lines, and the line that counts rows left out


def _inert(value: str) -> str:
    """One line that neither Markdown nor HTML reads as markup and in which nothing is linked.

    Characters that could be markup, where they stand, become character references, so that a page
    can be read as it is written, in the log of a job; an empty comment splits what
    GitHub would link after that: mentions, issue numbers, addresses, :emoji: names.
    """
    entities = _SPECIAL.sub(
        lambda match: f"&#{ord(match[1])};" if match[1] and match[1].isascii() else match[0],
        value,
    )
    return _LINKED.sub(r"\g<0><!-- -->", entities)


def text(value: str, limit: int | None = None) -> str:
    """Foreign text as one line of prose."""
    return _inert(one_line(value, limit))


def code(value: str, limit: int | None = None) -> str:
    """Foreign text as one line of code."""
    return f"<code>{_inert(one_line(value, limit)) or ' '}</code>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Part of a page: a head, rows that may be cut, and a tail that closes what the head opened.

    Attributes:
        what: what a row is, for the line that counts the rows left out: "slices".
    """

    head: str
    rows: tuple[str, ...] = ()
    tail: str = ""
    what: str = "rows"


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: int = 1,
    title: str = "",
    what: str = "rows",
) -> Block:
    """A table; cells are Markdown already. The first `left` columns are words, the rest figures."""
    rule = ["---"] * left + ["---:"] * (len(header) - left)
    head = f"{title}\n\n" if title else ""
    return Block(
        head=f"{head}| {' | '.join(header)} |\n| {' | '.join(rule)} |",
        rows=tuple(f"| {' | '.join(row)} |" for row in rows),
        what=what,
    )


def compose(blocks: Sequence[Block], *, limit: int = GITHUB_LIMIT) -> str:
    """The blocks one below the other in at most `limit` characters.

    Heads and tails are placed first, so that a long table does not push out what follows it; then
    rows, in the order of the blocks. What has no room is left out and counted.
    """
    room = limit - len(_DROPPED) - 8
    placed: list[Block] = []
    for block in blocks:
        frame = len(block.head) + len(block.tail) + len(block.what) + _FRAME
        if frame <= room:
            placed.append(block)
            room -= frame
    parts: list[str] = []
    for block in placed:
        kept = _fitting(block.rows, room)
        room -= sum(len(row) + 1 for row in block.rows[:kept])
        parts.append(_block_text(block, kept))
    if len(placed) < len(blocks):
        parts.append(_DROPPED.format(len(blocks) - len(placed)))
    return "\n\n".join(parts) + "\n"


def _block_text(block: Block, kept: int) -> str:
    lines = [block.head, *block.rows[:kept]]
    if kept < len(block.rows):
        lines += ["", f"*{len(block.rows) - kept:,} more {block.what} left out: no room*"]
    if block.tail:
        lines += ["", block.tail]
    return "\n".join(lines)


def _fitting(rows: Sequence[str], room: int) -> int:
    """How many of the first rows fit in `room` characters."""
    used = 0
    for index, row in enumerate(rows):
        used += len(row) + 1
        if used > room:
            return index
    return len(rows)
