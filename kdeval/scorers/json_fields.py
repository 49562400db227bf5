"""The share of a reference object's fields that the output's JSON has right."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from kdeval.records import Metric, Response, Sample, Score
from kdeval.scorers.protocol import unmarked

__all__ = ["JsonFields"]

_NOWHERE = object()
_FENCE = re.compile(r"```[A-Za-z]*[ \t]*\r?\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFields:
    """Fields right over fields expected, in [0, 1].

    A field is a leaf of the reference: "total", "seller.city", "items[0].price". It is right when
    the output has the same value at the same path: texts but for white space around, numbers
    within the tolerance, true and false never as numbers. A null in the reference is right where
    the output has the object that it belongs to, and there gives null or leaves it out; without
    that object, or that item of a list, it is wrong. Items of a list beyond the reference's are
    fields that are wrong, keys of an object beyond the reference's are not looked at unless
    `count_extra_fields`. An output that is no JSON, or no object where the reference is one (no
    list where it is a list), scores 0: that is the model's failure. One code fence is taken off.

    Attributes:
        required: paths that the output must have; without one of them it scores 0.
        tolerance: largest difference between numbers, relative to the reference's.
        ignore_case: compare texts without case.
        count_extra_fields: a key that the reference does not have is a wrong field.
        embedded: an object with words around it is read, as long as it is the only one that is
            not inside another; a text with several, or with one that is cut off, scores 0. False:
            the output must be JSON, or hold one code fence of it. Lists are never looked for in
            words.
    """

    name: str = "json_fields"
    required: tuple[str, ...] = ()
    tolerance: float = 0.0
    ignore_case: bool = False
    count_extra_fields: bool = False
    embedded: bool = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise ValueError(f"tolerance must be 0 or more, got {self.tolerance!r}")

    @property
    def metric(self) -> Metric:
        """Mean share of right fields."""
        return Metric(name=self.name)

    def reference_problem(self, sample: Sample) -> str | None:
        """Why the reference is no JSON object or list; None when it is."""
        reference = self._reference(sample)
        if isinstance(reference, (dict, list)):
            return None
        return (
            f"reference {str(sample.reference)[:60]!r} is no JSON object: "
            "give `reference: {column: NAME}` of a column that holds one"
        )

    def score(self, sample: Sample, response: Response) -> Score:
        """The share; 0 with a reason for an output that cannot be read as JSON."""
        missing = unmarked(self.metric, sample, response)
        if missing is not None:
            return missing
        problem = self.reference_problem(sample)
        if problem is not None:
            return Score(scorer=self.name, value=None, reason=problem)
        reference = self._reference(sample)
        try:
            output = self._output(str(response.output), reference)
        except (ValueError, RecursionError) as error:
            return self._zero(f"the output is not JSON: {str(error) or type(error).__name__}")
        for expected, name in ((dict, "object"), (list, "list")):
            if isinstance(reference, expected) and not isinstance(output, expected):
                return self._zero(f"the output is JSON, but no {name}, as the reference is")
        return self._compared(reference, output)

    def _zero(self, reason: str) -> Score:
        return Score(scorer=self.name, value=0.0, reason=reason)

    def _output(self, text: str, reference: Any) -> Any:
        try:
            return _parsed(text)
        except (ValueError, RecursionError):
            if not (self.embedded and isinstance(reference, dict)):
                raise
            found = _embedded(text)
            if not found:
                raise
        if len(found) > 1:
            raise ValueError(f"it holds {len(found)} objects, and nothing says which one counts")
        return found[0]

    def _reference(self, sample: Sample) -> Any:
        if not isinstance(sample.reference, str):
            return sample.reference
        try:
            return _parsed(sample.reference)
        except (ValueError, RecursionError):
            return None

    def _compared(self, reference: Any, output: Any) -> Score:
        lost = [path for path in self.required if not _has(output, path)]
        if lost:
            return self._zero(f"required fields are missing: {', '.join(lost)}")
        marks = list(self._marks(reference, output, ""))
        wrong = [path or "the whole" for path, right in marks if not right]
        value = (len(marks) - len(wrong)) / len(marks) if marks else 1.0
        told = f"wrong: {', '.join(wrong[:5])}" if wrong else None
        return Score(scorer=self.name, value=value, reason=told)

    def _marks(self, reference: Any, output: Any, path: str) -> Iterator[tuple[str, bool]]:
        """Each field's path, and whether it is right."""
        if isinstance(reference, dict) and reference:
            given = output if isinstance(output, dict) else {}
            absent = None if isinstance(output, dict) else _NOWHERE
            for key, value in reference.items():
                yield from self._marks(value, given.get(key, absent), _below(path, key))
            if self.count_extra_fields:
                for key in given.keys() - reference.keys():
                    yield from _all_wrong(given[key], _below(path, key))
        elif isinstance(reference, list) and reference:
            items = output if isinstance(output, list) else []
            for index, value in enumerate(reference):
                item = items[index] if index < len(items) else _NOWHERE
                yield from self._marks(value, item, f"{path}[{index}]")
            for index in range(len(reference), len(items)):
                yield from _all_wrong(items[index], f"{path}[{index}]")
        else:
            yield path, self._same(reference, output)

    def _same(self, reference: Any, output: Any) -> bool:
        if isinstance(reference, bool) or isinstance(output, bool):
            return reference is output
        if isinstance(reference, (int, float)) and isinstance(output, (int, float)):
            return reference == output or _close(reference, output, self.tolerance)
        if isinstance(reference, str) and isinstance(output, str):
            left, right = reference.strip(), output.strip()
            return left.casefold() == right.casefold() if self.ignore_case else left == right
        if reference == {} and not self.count_extra_fields:
            return isinstance(output, dict)
        return type(reference) is type(output) and bool(reference == output)


def _close(reference: float, output: float, tolerance: float) -> bool:
    try:
        return abs(reference - output) <= tolerance * abs(reference)
    except OverflowError:
        return False


def _all_wrong(value: Any, path: str) -> Iterator[tuple[str, bool]]:
    """A wrong field for each leaf of what should not be there; null is not there."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _all_wrong(item, _below(path, key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _all_wrong(item, f"{path}[{index}]")
    elif value is not None:
        yield path, False


def _has(output: Any, path: str) -> bool:
    """True when there is a value, null included, at a path such as "items[0].price"."""
    for part in re.findall(r"[^.\[\]]+|\[\d+\]", path):
        if part.startswith("["):
            index = int(part[1:-1])
            if not (isinstance(output, list) and index < len(output)):
                return False
            output = output[index]
        elif isinstance(output, dict) and part in output:
            output = output[part]
        else:
            return False
    return True


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _parsed(text: str) -> Any:
    fenced = _FENCE.findall(text)
    if len(fenced) == 1:
        text = fenced[0]
    return json.loads(text, parse_constant=_refuse)


def _embedded(text: str) -> list[Any]:
    """The JSON objects among the words of `text` that are in no other braces.

    Raises:
        ValueError: a brace is never closed.
    """
    found = []
    start = text.find("{")
    while start >= 0:
        try:
            value, end = _DECODER.raw_decode(text, start)
            found.append(value)
        except (ValueError, RecursionError):
            end = _after_braces(text, start)
        start = text.find("{", end)
    return found


def _after_braces(text: str, start: int) -> int:
    """Where the braces that open at `start` have closed."""
    depth = 0
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.end()
    raise ValueError("an object is not closed")


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
_BRACE = re.compile(r"[{}]")
