"""The image of a row: a file beside the data, a data URI, or a column of bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdeval.errors import DataError
from kdeval.records import Image
from kdeval.store.templates import TextField, compile_field, is_template

__all__ = ["ImageField"]

_MISSING = "the value is missing; every row of a suite with images needs one"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageField:
    """What the setting `image` makes of a row.

    A text is a path relative to the data file, or "data:image/png;base64,...". A column may also
    hold bytes, or a mapping with `bytes` or `path`, as Parquet files of image data sets have.

    Attributes:
        column: the column, or None where the setting is a template.
        field: the setting as a text.
        folder: what paths are relative to.
        what: where the setting stands, for error messages.
    """

    column: str | None
    field: TextField
    folder: Path
    what: str

    @classmethod
    def from_setting(cls, source: str, *, folder: Path, what: str) -> ImageField:
        """The column or template that the setting means.

        Raises:
            ConfigError: a template that is no valid jinja2.
        """
        column = None if is_template(source) else source
        return cls(column=column, field=compile_field(source, what=what), folder=folder, what=what)

    def image(self, values: Mapping[str, Any], number: int) -> Image:
        """The image of a row with these values and that number.

        Raises:
            DataError: it is missing, or there is no such file.
        """
        value = values.get(self.column) if self.column is not None else None
        if isinstance(value, Mapping):
            value = value.get("bytes") or value.get("path")
        if isinstance(value, (bytes, bytearray, memoryview)):
            return _of_bytes(bytes(value))
        text = value if isinstance(value, str) else self.field.text(values, number)
        if not text:
            raise DataError(f"{self.what}: {_MISSING}")
        if text.startswith("data:"):
            return _of_bytes(self._decoded(text))
        return self._of_file(self.folder / text)

    def _of_file(self, file: Path) -> Image:
        try:
            with file.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"{self.what}: {str(file)[:200]} cannot be read: {reason}") from error
        return Image(sha256=digest, path=str(file.resolve()))

    def _decoded(self, text: str) -> bytes:
        head, _, body = text.partition(",")
        if not head.endswith(";base64"):
            raise DataError(f"{self.what}: a data URI must be base64, this is {head[:60]!r}")
        try:
            return base64.b64decode("".join(body.split()), validate=True)
        except binascii.Error as error:
            raise DataError(f"{self.what}: not valid base64: {error}") from error


def _of_bytes(data: bytes) -> Image:
    return Image(sha256=hashlib.sha256(data).hexdigest(), data=data)
