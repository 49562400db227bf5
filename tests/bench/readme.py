"""Tables of the README that `make bench` writes, each between two marker comments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def markers(name: str) -> tuple[str, str]:
    """The comments before and after the table of this name."""
    return f"<!-- {name}: written by `make bench` -->", f"<!-- end of {name} -->"


def between(name: str, text: str) -> str:
    """What stands between the markers of `name`.

    Raises:
        ValueError: If the text does not hold each marker once, in order.
    """
    start, end = markers(name)
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise ValueError(f"the README needs {start!r} and {end!r}, once each and in this order")
    return text[text.index(start) + len(start) : text.index(end)]


def replaced(name: str, body: str, text: str) -> str:
    """The text with `body` between the markers of `name`."""
    start, end = markers(name)
    old = between(name, text)
    return text.replace(f"{start}{old}{end}", f"{start}\n\n{body.strip()}\n\n{end}")


def write(name: str, body: str) -> None:
    """Puts `body` between the README's markers of `name`."""
    README.write_text(replaced(name, body, README.read_text()))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(share: float, digits: int) -> str:
    """As the README writes it: 2.5 %."""
    return f"{100 * share:.{digits}f} %"


def rows_of(body: str) -> list[list[str]]:
    """Cells of a Markdown table's body, without its head."""
    lines = [line for line in body.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
