"""What a suite offers and asks beside the input: conversations, tools, and schemas of answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from kdeval.errors import ConfigError, DataError
from kdeval.records import Message
from kdeval.store.chat_messages import as_messages
from kdeval.store.templates import compile_field

__all__ = ["ColumnOrConstant", "MessagesField"]

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnOrConstant(Generic[Read]):
    """A setting that is the same for every row, or lies in a column.

    Attributes:
        column: the column, or None.
        constant: what every row has, where there is no column; None: nothing.
        read: makes of a column's value what it stands for; ValueError where it cannot.
        what: where the setting stands, for error messages.
    """

    column: str | None
    constant: Read | None
    read: Callable[[object], Read]
    what: str

    @classmethod
    def from_setting(
        cls, setting: object, *, read: Callable[[object], Read], folder: Path, what: str
    ) -> ColumnOrConstant[Read]:
        """A value in the YAML, a `.json` file in `folder`, or a column by its name.

        Raises:
            ConfigError: the value or file is not what it must be.
        """
        column = setting if isinstance(setting, str) and not setting.endswith(".json") else None
        if setting is None or column is not None:
            return cls(column=column, constant=None, read=read, what=what)
        if isinstance(setting, str):
            what, file = f"{what}: {setting}", folder / setting
            try:
                setting = file.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or error
                raise ConfigError(f"{what}: {reason} (looked for {file})") from error
        try:
            return cls(column=None, constant=read(setting), read=read, what=what)
        except ValueError as error:
            raise ConfigError(f"{what}: {error}") from error

    def of(self, values: Mapping[str, Any]) -> Read | None:
        """What the row with these values has; None where the column has no value.

        Raises:
            DataError: there is no such column, or its value is not what it must be.
        """
        if self.column is None:
            return self.constant
        value = _column(values, self.column, self.what)
        try:
            return None if value is None else self.read(value)
        except ValueError as error:
            raise DataError(f"{self.what}: column {self.column!r}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesField:
    """A column with the whole conversation that is asked."""

    column: str
    what: str

    def of(self, values: Mapping[str, Any]) -> tuple[Message, ...]:
        """The messages of a row with these values.

        Raises:
            DataError: there are none, or they end with an answer.
        """
        value = _column(values, self.column, self.what)
        if value is None:
            raise DataError(f"{self.what}: column {self.column!r}: the value is missing")
        try:
            found = as_messages(value)
        except ValueError as error:
            raise DataError(f"{self.what}: column {self.column!r}: {error}") from error
        if found[-1].role == "assistant":
            raise DataError(
                f"{self.what}: column {self.column!r}: the last message is the assistant's, so it "
                "is an answer: move it to a column of its own, for `reference`"
            )
        return found


def _column(values: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in values:
        compile_field(name, what=what).text(values, 0)
    return values[name]
