"""A file of recorded predictions to answers by sample id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kdeval.config.schema import RecordedColumnsConfig
from kdeval.config.yaml_file import nearest
from kdeval.errors import ConfigError, DataError
from kdeval.models.recorded_top import as_top_log_probs
from kdeval.models.recorded_values import (
    MOST,
    LogProbabilities,
    as_count,
    as_log_probabilities,
    as_number,
    as_recorded_calls,
    as_score,
)
from kdeval.records import Response, Timing
from kdeval.store.problems import RowProblems
from kdeval.store.tables import Row, has_empty_text, has_header, position, read_rows
from kdeval.store.templates import TextField, compile_field, is_template, to_text

__all__ = ["RecordedAnswer", "RecordedAnswers", "read_answers"]

_PARSERS: Mapping[str, Callable[[Any, str], Any]] = {
    "output": lambda value, name: to_text(value),
    "score": as_score,
    "confidence": partial(as_number, high=1.0),
    "cost_usd": partial(as_number, high=MOST),
    "latency_s": partial(as_number, high=MOST),
    "first_token_s": partial(as_number, high=MOST),
    "input_tokens": as_count,
    "output_tokens": as_count,
    "log_prob": partial(as_number, low=-MOST, high=0.0),
    "reasoning_tokens": as_count,
    "top_log_probabilities": as_top_log_probs,
    "tool_calls": as_recorded_calls,
    "error": lambda value, name: to_text(value),
}


_ABSENT = {"error": "none failed", "tool_calls": "nothing was called"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAnswers:
    """The answers of a file by id, and what is odd about its columns, a line each."""

    by_id: dict[str, RecordedAnswer]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAnswer:
    """One row: its response, and its probabilities in the file's own terms."""

    line: int
    response: Response
    probabilities: LogProbabilities | None

    @property
    def says_nothing(self) -> bool:
        """Neither an answer nor a failure is recorded."""
        found = self.response
        told = (found.output, found.score, found.mean_log_prob, found.error, self.probabilities)
        return all(value is None for value in told)

    def same_as(self, other: RecordedAnswer) -> bool:
        """True when both say the same, whatever their lines."""
        return self.response == other.response and self.probabilities == other.probabilities


def read_answers(path: Path, columns: RecordedColumnsConfig) -> RecordedAnswers:
    """Every row's answer by its id; a row that repeats another word for word counts once.

    JSONL has no header, and a key may be left out where there is nothing to say: one that no row
    has is a warning where it may be absent, unless its name looks like a slip.

    Raises:
        ConfigError: nothing is mapped, or a mapped column is not in the file.
        DataError: no rows, an id with two different answers, or values that cannot be read.
    """
    mapped = _mapped(path, columns)
    id_field = None if columns.id is None else compile_field(columns.id, what=f"{path}: id")
    reader = _AnswerReader(columns)
    problems = RowProblems(path)
    answers: dict[str, RecordedAnswer] = {}
    seen: dict[str, None] = {}
    for row in read_rows(path):
        if not seen.keys() >= row.values.keys():
            seen.update(dict.fromkeys(row.values))
        try:
            sample_id, answer = _id(row, id_field), reader.answer(row)
        except DataError as error:
            problems.add(row.line, str(error))
            continue
        other = answers.setdefault(sample_id, answer)
        if other is not answer and not other.same_as(answer):
            where = position(path, other.line)
            problems.add(row.line, f"id {sample_id!r} has another answer in {where}; keep one")
    if not seen:
        raise DataError(f"{path}: not one recorded prediction")
    failed = all(answer.response.error is not None for answer in answers.values())
    warnings = _check_columns(path, mapped, seen, all_failed=bool(answers) and failed)
    problems.raise_if_any()
    if columns.output is not None and not has_empty_text(path):
        warnings += _empty_outputs(path, answers.values())
    return RecordedAnswers(by_id=answers, warnings=warnings)


def _mapped(path: Path, columns: RecordedColumnsConfig) -> dict[str, str]:
    """Setting to column, for each column that must exist."""
    mapped = {}
    settings = columns.model_dump(exclude_none=True, exclude={"choice_form", "first_index"})
    for setting, value in settings.items():
        if isinstance(value, dict):
            mapped.update({f"{setting}.{key}": column for key, column in value.items()})
        elif not (setting == "id" and is_template(value)):
            mapped[setting] = value
    if not mapped.keys() - {"id"}:
        raise ConfigError(f"{path}: columns: map at least one of output, score, probabilities")
    if columns.probabilities is not None and columns.log_probabilities is not None:
        raise ConfigError(f"{path}: columns: give probabilities or log_probabilities, not both")
    return mapped


def _check_columns(
    path: Path, mapped: Mapping[str, str], seen: Mapping[str, None], *, all_failed: bool
) -> tuple[str, ...]:
    """What no row has and need not have; ConfigError for what must be there."""
    problems, warnings = [], []
    taken = set(mapped.values())
    for setting, column in mapped.items():
        if column in seen:
            continue
        hint = nearest(column, [name for name in seen if name not in taken])
        needed = setting == "id" or (not all_failed and _is_answer(setting, mapped))
        if needed or has_header(path) or hint.endswith("?"):
            hint = nearest(column, seen)
            problems.append(f"{path}: columns.{setting}: there is no column {column!r}; {hint}")
        else:
            unknown = _ABSENT.get(setting, "unknown for all")
            warnings.append(f"no row of {path.name} has {column!r} ({setting}): {unknown}")
    if problems:
        raise ConfigError(problems)
    return tuple(warnings)


def _empty_outputs(path: Path, answers: Iterable[RecordedAnswer]) -> tuple[str, ...]:
    """That empty cells are taken for failures, with their number; nothing where there are none."""
    empty = sum(answer.says_nothing for answer in answers)
    if not empty:
        return ()
    one = empty == 1
    return (
        f"{empty:,} output{'' if one else 's'} in {path.name} {'is' if one else 'are'} empty: CSV "
        f"and TSV cannot tell an empty answer from none, so {'it is' if one else 'they are'} "
        'missing, not wrong; where a model did answer nothing, write the log as JSONL, with "" for '
        "that answer",
    )


def _is_answer(setting: str, mapped: Mapping[str, str]) -> bool:
    """Whether a row without it says nothing; one of several probabilities may never lack alone."""
    alone = setting in ("probabilities", "log_probabilities", "log_prob")
    return setting in ("output", "score") or "." in setting or (alone and "output" not in mapped)


def _id(row: Row, field: TextField | None) -> str:
    found = str(row.number) if field is None else field.text(row.values, row.number)
    if not found:
        raise DataError("the id is missing")
    return found


class _AnswerReader:
    """The mapping, ready to be applied to row after row."""

    def __init__(self, columns: RecordedColumnsConfig) -> None:
        self._fields = [
            (setting, getattr(columns, setting), parse)
            for setting, parse in _PARSERS.items()
            if getattr(columns, setting) is not None
        ]
        self._calls, self._outputs = columns.tool_calls is not None, columns.output is not None
        self._logarithms = columns.log_probabilities is not None
        self._probabilities = (
            columns.log_probabilities if self._logarithms else columns.probabilities
        )

    def answer(self, row: Row) -> RecordedAnswer:
        """What the row says."""
        found: dict[str, Any] = {}
        for setting, column, parse in self._fields:
            value = row.values.get(column)
            if value is not None:
                found[setting] = parse(value, f"{setting} (column {column!r})")
        self._complete_calls(found)
        if "top_log_probabilities" in found:
            found["top_log_probs"] = found.pop("top_log_probabilities")
        nats, tokens = found.pop("log_prob", None), found.get("output_tokens")
        if nats is not None:
            if not tokens:
                raise DataError("log_prob: of how many tokens? map output_tokens, 1 or more")
            found["mean_log_prob"] = nats / tokens
        found["timing"] = _timing(
            found.pop("latency_s", None), found.pop("first_token_s", None), found
        )
        if found.get("error") is not None:
            found["output"] = found["score"] = found["tool_calls"] = None
            return RecordedAnswer(line=row.line, response=Response(**found), probabilities=None)
        probabilities = self._read_probabilities(row)
        return RecordedAnswer(
            line=row.line, response=Response(**found), probabilities=probabilities
        )

    def _complete_calls(self, found: dict[str, Any]) -> None:
        """Calls need no output, and a row that has an output and no list called nothing.

        So did one without a list where no output is mapped.
        """
        if self._calls and ("tool_calls" in found or not self._outputs):
            found.setdefault("output", "")
        if self._calls and "output" in found:
            found.setdefault("tool_calls", ())

    def _read_probabilities(self, row: Row) -> LogProbabilities | None:
        source = self._probabilities
        if source is None:
            return None
        name = "log_probabilities" if self._logarithms else "probabilities"
        if isinstance(source, str):
            value = row.values.get(source)
            name = f"{name} (column {source!r})"
        else:
            value = {label: row.values.get(column) for label, column in source.items()}
            absent = [label for label, item in value.items() if item is None]
            if len(absent) == len(value):
                return None
            if absent:
                raise DataError(
                    f"{name}: missing for {', '.join(map(repr, absent))} but not for all"
                )
        return (
            None
            if value is None
            else as_log_probabilities(value, name, logarithms=self._logarithms)
        )


def _timing(total: float | None, first: float | None, found: Mapping[str, Any]) -> Timing | None:
    """What the log tells of time; between tokens is the rest of it, shared by the tokens left."""
    if total is None and first is None:
        return None
    between = None
    if total is not None and first is not None:
        if first > total:
            raise DataError(f"first_token_s is {first:g}, later than latency_s, {total:g}")
        tokens = found.get("output_tokens")
        if tokens is not None and tokens > 1:
            between = (total - first) / (tokens - 1)
    return Timing(origin="recorded", total_s=total, first_token_s=first, between_tokens_s=between)
