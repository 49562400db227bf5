"""Pictures of image samples in a report."""

from __future__ import annotations

import base64
import hashlib
import io
from pathlib import Path

import pytest

from kdeval.records import Image
from kdeval.report.thumbnails import LONGEST_SIDE, thumbnail

PIL = pytest.importorskip("PIL.Image", reason="needs Pillow (extra hf)")


def _png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    PIL.new("RGB", (width, height), (200, 30, 30)).save(out, "png")
    return out.getvalue()


def _image(data: bytes, path: Path | None = None) -> Image:
    digest = hashlib.sha256(data).hexdigest()
    return Image(sha256=digest, data=data) if path is None else Image(sha256=digest, path=str(path))


def _size(uri: str) -> tuple[int, int]:
    body = base64.b64decode(uri.split(",", 1)[1])
    with PIL.open(io.BytesIO(body)) as picture:
        return picture.size


def test_a_large_image_is_scaled_down_and_a_small_one_is_not() -> None:
    """Proportions stay."""
    large, small = thumbnail(_image(_png(1600, 400))), thumbnail(_image(_png(8, 8)))
    assert large is not None
    assert small is not None
    assert large.startswith("data:image/jpeg;base64,")
    assert _size(large) == (LONGEST_SIDE, LONGEST_SIDE // 4)
    assert _size(small) == (8, 8)


def test_a_changed_or_lost_file_is_not_shown(tmp_path: Path) -> None:
    """A report never shows another image than the one that was asked about."""
    file = tmp_path / "a.png"
    file.write_bytes(_png(8, 8))
    image = _image(_png(8, 8), file)
    assert thumbnail(image) is not None
    file.write_bytes(_png(9, 9))
    assert thumbnail(image) is None
    file.unlink()
    assert thumbnail(image) is None


def test_what_is_no_image_is_not_shown() -> None:
    """Neither rubbish nor markup that a browser would run."""
    assert thumbnail(_image(b"rubbish")) is None
    assert thumbnail(_image(b"<svg onload='alert(1)'></svg>")) is None


def test_without_pillow_small_known_formats_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are, and never a large one."""
    small = _png(8, 8)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert thumbnail(_image(small)) == (
        "data:image/png;base64," + base64.b64encode(small).decode("ascii")
    )
    assert thumbnail(_image(small + b" " * 20_000)) is None
    assert thumbnail(_image(b"BM" + small)) is None
