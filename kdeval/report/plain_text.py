"""Foreign text made safe to show: what models, data and logs say never steers a rendering.

Control characters, bidirectional marks and other invisible characters are shown by their code
point, so nothing hides, recolours a terminal or reverses a line. The zero-width joiner and
non-joiner stay: emoji and some scripts are written with them.
"""

from __future__ import annotations

import re

__all__ = ["one_line", "visible"]

_INVISIBLE = re.compile(
    "["
    "\u0000-\u0008\u000b-\u001f\u007f-\u009f"  # C0 and C1 controls, but tab and newline
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufffe\uffff"  # lone surrogates and non-characters
    "\U000e0000-\U000e0fff"  # tags and variation selectors: invisible text
    "]"
)


def visible(text: str) -> str:
    """`text` with every invisible character but tab and newline as its code point: <U+202E>."""
    return _INVISIBLE.sub(lambda match: f"<U+{ord(match.group()):04X}>", text.replace("\r\n", "\n"))


def one_line(text: str, limit: int | None = None) -> str:
    """`text` made visible, its line breaks and runs of blanks one blank, cut at `limit`."""
    flat = " ".join(visible(text).split())
    if limit is None or len(flat) <= limit:
        return flat
    return f"{flat[:limit]}… [{len(flat) - limit:,} more characters]"
