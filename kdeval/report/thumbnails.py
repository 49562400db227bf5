"""Small pictures of image samples, inside the report itself."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
from pathlib import Path

from kdeval.records import Image

__all__ = ["LONGEST_SIDE", "thumbnail"]

LONGEST_SIDE = 160
"""Pixels; a larger image is scaled down."""

_MOST_BYTES = 12_000
_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}


def thumbnail(image: Image) -> str | None:
    """A data URI of PNG, JPEG or GIF that a page may show; None where there is none to show.

    None too when the file is gone or has changed since the run. Without Pillow (extra `hf`) only
    images of at most 12 kB are shown, as they are.
    """
    data = _content(image)
    if data is None:
        return None
    if importlib.util.find_spec("PIL") is None:
        kind = next((kind for mark, kind in _SIGNATURES.items() if data.startswith(mark)), None)
        return None if kind is None or len(data) > _MOST_BYTES else _uri(kind, data)
    return _scaled(data)


def _content(image: Image) -> bytes | None:
    """The bytes that the run saw, if they can still be had."""
    if image.data is not None:
        return image.data
    try:
        data = Path(image.path or "").read_bytes()
    except (OSError, ValueError):
        return None
    return data if hashlib.sha256(data).hexdigest() == image.sha256 else None


def _scaled(data: bytes) -> str | None:
    from PIL import Image as Picture

    out = io.BytesIO()
    try:
        with Picture.open(io.BytesIO(data)) as opened:
            picture = opened.convert("RGB")
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    except (OSError, ValueError, SyntaxError, Picture.DecompressionBombError):
        return None
    kind = "png" if max(picture.size) <= LONGEST_SIDE // 2 else "jpeg"
    picture.save(out, kind, **({} if kind == "png" else {"quality": 75}))
    return _uri(kind, out.getvalue())


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
