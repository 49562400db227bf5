"""Text from a row: a column by name, or a sandboxed jinja2 template over the row's columns.

A setting without "{{" and "{%" names a column; otherwise it is a template. Its variables are the
row's columns, `row` (the row's number from 1; a column of that name wins) and `columns` (all of
them, for names that are no identifiers: `{{ columns["gpt-4 answer"] }}`). A value is written as
JSON writes it (true, 1.5, ["a"]); a string as it is. An expression that is missing makes the
whole text missing; `{{ context or "" }}` says what to write instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jinja2
import jinja2.meta
import jinja2.sandbox

from kdeval.config.yaml_file import nearest
from kdeval.errors import ConfigError, DataError

__all__ = [
    "OUTPUT_LIMIT",
    "TextField",
    "compile_field",
    "compile_template",
    "is_template",
    "to_text",
]

OUTPUT_LIMIT = 10_000_000
_SIZE_LIMIT = 100_000
_ONE_VARIABLE = re.compile(r"\{\{-?\s*([A-Za-z_][A-Za-z0-9_]*)\s*-?\}\}")
_NOT_VARIABLES = frozenset(
    {"true", "false", "none", "True", "False", "None", "row", "columns", "self", "not"}
)
_PADDING = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs", "format", "format_map"})


class TextField(Protocol):
    """Something that makes a text of a row."""

    def text(self, values: Mapping[str, Any], number: int) -> str | None:
        """The text of a row with these values and that number; None when it is missing.

        Raises:
            DataError: saying why there is none, without the position, which the caller knows.
        """


def is_template(source: str) -> bool:
    """True when the setting is a template and not the name of a column."""
    return "{{" in source or "{%" in source


def to_text(value: Any) -> str | None:
    """A string as it is, anything else as JSON writes it; None stays None.

    Raises:
        DataError: bytes, which have no text.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise DataError("the value is bytes, which have no text; give a column of text")
    if isinstance(value, (bool, int, float, list, tuple, dict)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def compile_field(source: str, *, what: str) -> TextField:
    """The column or template that the setting `source` means.

    Args:
        source: a column's name, or a template.
        what: where the setting stands, for error messages: "suite.yaml: input".

    Raises:
        ConfigError: the template is no valid jinja2.
    """
    return compile_template(source, what=what) if is_template(source) else _Column(source, what)


def compile_template(source: str, *, what: str) -> TextField:
    """The template `source`; one without any variable is a constant text."""
    try:
        tree = _ENVIRONMENT.parse(source)
        template = _ENVIRONMENT.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise ConfigError(
            f"{what}: template {source!r} is not valid: {error.message} (its line {error.lineno})"
        ) from error
    one = _ONE_VARIABLE.fullmatch(source)
    if one and one[1] not in _NOT_VARIABLES:
        return _Column(one[1], what)
    names = frozenset(jinja2.meta.find_undeclared_variables(tree))
    return _Template(template=template, names=names, what=what)


@dataclass(frozen=True, slots=True)
class _Column:
    """The fast path: a column, or a template that is only one variable."""

    name: str
    what: str

    def text(self, values: Mapping[str, Any], number: int) -> str | None:
        try:
            value = values[self.name]
        except KeyError:
            raise DataError(_no_such_column(self.what, self.name, values)) from None
        try:
            return value if isinstance(value, str) else to_text(value)
        except DataError as error:
            raise DataError(f"{self.what}: column {self.name!r}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template:
    template: jinja2.Template
    names: frozenset[str]
    what: str

    def text(self, values: Mapping[str, Any], number: int) -> str | None:
        parts: list[str] = []
        length = 0
        context = self.template.new_context({"row": number, "columns": values, **values})
        try:
            for part in self.template.root_render_func(context):
                length += len(part)
                if length > OUTPUT_LIMIT:
                    raise DataError(f"the text passes {OUTPUT_LIMIT:,} characters")
                parts.append(part)
        except _MissingValueError:
            return None
        except DataError as error:
            raise DataError(f"{self.what}: {error}") from error
        except jinja2.UndefinedError as error:
            raise DataError(self._undefined(values, error)) from error
        except Exception as error:
            raise DataError(
                f"{self.what}: the template fails: {type(error).__name__}: {error}"
            ) from error
        return "".join(parts)

    def _undefined(self, values: Mapping[str, Any], error: jinja2.UndefinedError) -> str:
        missing = sorted(self.names - values.keys() - {"row", "columns"})
        if missing:
            return _no_such_column(self.what, missing[0], values)
        return f"{self.what}: {error.message}"


def _no_such_column(what: str, name: str, columns: Collection[str]) -> str:
    hint = nearest(name, columns)
    listed = "" if hint.startswith("valid") else f" (columns: {', '.join(list(columns)[:12])})"
    return f"{what}: there is no column {name!r}; {hint}{listed}"


class _MissingValueError(Exception):
    """An expression came out as None."""


def _finalize(value: Any) -> Any:
    if value is None:
        raise _MissingValueError
    if isinstance(value, (str, jinja2.Undefined)):
        return value
    if callable(value):
        raise DataError(f"{value!r} is a function, not a value")
    return to_text(value)


class _Environment(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """A sandbox that also refuses the short ways of filling the memory."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(
        self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any
    ) -> Any:
        if operator == "*":
            _check_product(left, right)
        if operator == "**" and isinstance(right, int) and isinstance(left, int):
            _limit(left.bit_length() * right)
        if operator == "%" and isinstance(left, str):
            _check_format(left)
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        padding = isinstance(obj, str) and attr in _PADDING
        return not padding and super().is_safe_attribute(obj, attr, value)


def _check_product(left: Any, right: Any) -> None:
    for repeated, number in ((left, right), (right, left)):
        if isinstance(number, int) and isinstance(repeated, (str, list, tuple)):
            _limit(len(repeated) * number)


def _limit(number: Any) -> None:
    if isinstance(number, (int, float)) and abs(number) > _SIZE_LIMIT:
        raise DataError(f"a template may not make that much: {number:,} is over {_SIZE_LIMIT:,}")


def _check_format(text: str) -> None:
    if re.search(r"%[^a-zA-Z%]*(\d{5,}|\*)", text):
        raise DataError(f"a template may not pad by that much: {text!r}")


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    def guard(value: Any, *args: Any, **kwargs: Any) -> Any:
        for number in (*args, *kwargs.values()):
            _limit(number)
        return function(value, *args, **kwargs)

    return guard


def _format_filter(text: Any, *args: Any, **kwargs: Any) -> str:
    _check_format(str(text))
    return str(text) % (kwargs or args)


def _environment() -> jinja2.Environment:
    environment = _Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        finalize=_finalize,
    )
    environment.globals = {"range": environment.globals["range"]}
    for name in ("center", "indent"):
        environment.filters[name] = _guarded(environment.filters[name])
    environment.filters["format"] = _format_filter
    return environment


_ENVIRONMENT = _environment()
