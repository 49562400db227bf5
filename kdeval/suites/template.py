"""The settings of a suite that make something of a row, compiled once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdeval.errors import DataError
from kdeval.records import Image, Message
from kdeval.store.json_schemas import as_schema
from kdeval.store.templates import TextField, compile_field, compile_template, to_text
from kdeval.store.tool_definitions import as_tools
from kdeval.suites.images import ImageField
from kdeval.suites.schema import MessageColumn, SuiteConfig
from kdeval.suites.tools import ColumnOrConstant, MessagesField

__all__ = ["SuiteFields"]

_NO_SLICES: Mapping[str, str] = {}
_MISSING_INPUT = 'the value is missing; write {{ column or "" }} where it may be'


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFields:
    """Everything that a suite reads off a row."""

    id: TextField | None
    input: TextField | tuple[tuple[str, TextField], ...] | MessagesField | None
    tools: ColumnOrConstant[tuple[str, ...]]
    response_schema: ColumnOrConstant[str]
    image: ImageField | None
    reference: TextField | str | None
    choices: tuple[TextField, ...] | str | None
    stop: tuple[str, ...] | str
    task: TextField | None
    slices: tuple[tuple[str, TextField], ...]
    cluster: TextField | None
    what: str

    @classmethod
    def from_config(cls, config: SuiteConfig, path: Path) -> SuiteFields:
        """The fields of that suite.

        Raises:
            ConfigError: a template that is no valid jinja2.
        """

        def field(source: str | None, name: str) -> TextField | None:
            return None if source is None else compile_field(source, what=f"{path}: {name}")

        reference = config.reference
        choices = config.choices
        return cls(
            id=field(config.id, "id"),
            input=_input(config, path),
            tools=ColumnOrConstant.from_setting(
                config.tools, read=as_tools, folder=path.parent, what=f"{path}: tools"
            ),
            response_schema=ColumnOrConstant.from_setting(
                config.response_schema,
                read=as_schema,
                folder=path.parent,
                what=f"{path}: response_schema",
            ),
            image=(
                None
                if config.image is None
                else ImageField.from_setting(
                    config.image, folder=(path.parent / config.data).parent, what=f"{path}: image"
                )
            ),
            stop=config.stop if isinstance(config.stop, str) else tuple(config.stop or ()),
            reference=(
                field(reference, "reference")
                if reference is None or isinstance(reference, str)
                else reference.column
            ),
            choices=(
                tuple(compile_template(item, what=f"{path}: choices") for item in choices)
                if isinstance(choices, list)
                else choices
            ),
            task=field(config.task, "task"),
            slices=tuple(
                (tag, compile_field(source, what=f"{path}: slices.{tag}"))
                for tag, source in config.slice_sources.items()
            ),
            cluster=field(config.cluster, "cluster"),
            what=str(path),
        )

    def image_of(self, values: Mapping[str, Any], number: int) -> Image | None:
        """The image that is asked about; None in a suite without images.

        Raises:
            DataError: it is missing.
        """
        return None if self.image is None else self.image.image(values, number)

    def input_of(
        self, values: Mapping[str, Any], number: int, image: Image | None = None
    ) -> str | tuple[Message, ...]:
        """What is asked; where there is only an image, a text that stands for it.

        Raises:
            DataError: a value in it is missing.
        """
        if self.input is None:
            return f"[image {image.sha256[:12]}]" if image is not None else ""
        if isinstance(self.input, MessagesField):
            return self.input.of(values)
        if not isinstance(self.input, tuple):
            text = self.input.text(values, number)
            if text is None:
                raise DataError(f"{self.what}: input: {_MISSING_INPUT}")
            return text
        messages = []
        for index, (role, field) in enumerate(self.input):
            content = field.text(values, number)
            if content is None:
                raise DataError(f"{self.what}: input.{index}: {_MISSING_INPUT}")
            messages.append(Message(role=role, content=content))
        return tuple(messages)

    def reference_of(self, values: Mapping[str, Any], number: int) -> Any:
        """The right answer: a text, or a column's value; None when it is missing."""
        if self.reference is None:
            return None
        if isinstance(self.reference, str):
            return _column(values, self.reference, f"{self.what}: reference")
        return self.reference.text(values, number)

    def choices_of(self, values: Mapping[str, Any], number: int) -> tuple[str, ...] | None:
        """The choices in order.

        Raises:
            DataError: fewer than two, or a missing one.
        """
        if self.choices is None:
            return None
        what = f"{self.what}: choices"
        if isinstance(self.choices, str):
            items = _listed(_column(values, self.choices, what), what, self.choices)
            texts = [to_text(item) for item in items]
        else:
            texts = [field.text(values, number) for field in self.choices]
        found = tuple(text for text in texts if text is not None)
        if len(found) < len(texts) or len(found) < 2:
            raise DataError(
                f"{what}: expected at least two choices and none missing, got {texts!r}"
            )
        return found

    def stop_of(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """What ends an answer.

        Raises:
            DataError: the column does not hold a list of texts.
        """
        if not isinstance(self.stop, str):
            return self.stop
        what = f"{self.what}: stop"
        value = _column(values, self.stop, what)
        found = [] if value is None else _listed(value, what, self.stop)
        if not all(isinstance(item, str) and item for item in found):
            raise DataError(f"{what}: expected a list of texts that are not empty, got {found!r}")
        return tuple(found)

    def slices_of(self, values: Mapping[str, Any], number: int) -> Mapping[str, str]:
        """Tag to value; a tag whose value is missing or empty is left out."""
        found = {}
        for tag, field in self.slices:
            text = field.text(values, number)
            if text:
                found[tag] = text
        return found or _NO_SLICES


def _input(
    config: SuiteConfig, path: Path
) -> TextField | tuple[tuple[str, TextField], ...] | MessagesField | None:
    if config.input is None:
        return None
    if isinstance(config.input, MessageColumn):
        return MessagesField(column=config.input.messages, what=f"{path}: input.messages")
    if isinstance(config.input, str):
        return compile_field(config.input, what=f"{path}: input")
    return tuple(
        (item.role, compile_template(item.content, what=f"{path}: input.{index}"))
        for index, item in enumerate(config.input)
    )


def _column(values: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in values:
        compile_field(name, what=what).text(values, 0)
    return values[name]


def _listed(value: Any, what: str, column: str) -> list[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, (list, tuple)):
        raise DataError(
            f"{what}: column {column!r} must hold a list, or a JSON list as text; "
            "or give a list of templates"
        )
    return list(value)
