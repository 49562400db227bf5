"""Answers that a file already holds, looked up by the sample's id."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from kdeval.config.schema import RecordedColumnsConfig, RecordedModelConfig
from kdeval.errors import DataError
from kdeval.models.protocols import Request
from kdeval.models.recorded_checks import contradiction_warning, id_warnings
from kdeval.models.recorded_rows import RecordedAnswer, read_answers
from kdeval.models.recorded_values import ordered_log_probs
from kdeval.records import Response
from kdeval.store.choices import choice_readings, looks_counted_from_1, readings_text
from kdeval.store.fingerprints import files_digest, value_digest
from kdeval.store.tables import position

__all__ = ["RecordedModel"]


class RecordedModel:
    """A model whose answers were recorded earlier: JSONL, CSV, TSV (also .gz) or Parquet.

    An id that the file does not have is a failed request, so missing and never wrong. What is not
    mapped, or empty in a row, stays unknown.
    """

    answers_by_id = True
    batch_size = 1024

    def __init__(
        self, path: Path, *, columns: RecordedColumnsConfig, suite: str | None = None
    ) -> None:
        """Reads the whole file, keeping only what is mapped.

        Args:
            path: the file.
            columns: which column holds what.
            suite: the only suite it answers; None: every suite.

        Raises:
            ConfigError: a mapped column is not in the file.
            DataError: the file cannot be read, or a value cannot be what its column is mapped to;
                with file and line.
        """
        self.path = Path(path)
        self.columns = columns
        self.suite = suite
        read = read_answers(self.path, columns)
        self._answers, self._warnings = read.by_id, read.warnings
        file = files_digest([self.path], self.path.parent)
        mapping = columns.model_dump(mode="json", exclude_defaults=True)
        self._fingerprint = value_digest(["recorded", file, mapping, suite])

    @classmethod
    def from_config(cls, config: RecordedModelConfig) -> RecordedModel:
        """The model that a run's configuration describes."""
        assert config.columns is not None
        return cls(Path(config.path), columns=config.columns, suite=config.suite)

    @property
    def fingerprint(self) -> str:
        """Digest of the file's bytes and of the mapping."""
        return self._fingerprint

    @property
    def has_scores(self) -> bool:
        """Whether a score column is mapped."""
        return self.columns.score is not None

    @property
    def tools_problem(self) -> str | None:
        """That no tool calls are mapped; None where they are."""
        if self.columns.tool_calls is not None:
            return None
        return "its tool calls are not known: map `tool_calls` in its columns"

    @property
    def ids(self) -> frozenset[str]:
        """The sample ids it has an answer for."""
        return frozenset(self._answers)

    def unmatched(
        self,
        suites: Mapping[str, Collection[str]],
        labels: Mapping[str, Sequence[str]] | None = None,
    ) -> tuple[str, ...]:
        """What does not fit together, one line each; nothing to say: empty.

        Mapped columns that no row of a JSONL file has, ids on one side only, and recorded outputs
        that are not the likeliest label of their own row's probabilities: an answer may be
        sampled, but columns may be mixed up too.

        Args:
            suites: the ids of every sample of each suite of the run, by the suite's name; all of
                them, also where the run asks only a part.
            labels: the labels of a suite that has some, by its name. Probabilities recorded as a
                list cannot be compared with the outputs without.

        Raises:
            DataError: no id is one of a suite that it should answer.
        """
        if self.suite is not None:
            suites = {name: ids for name, ids in suites.items() if name == self.suite}
        lines = id_warnings(self.path, self.columns.id, self._answers, suites)
        contradictions = contradiction_warning(self.path, self._answers, suites, labels or {})
        return (*self._warnings, *lines, *([contradictions] if contradictions else []))

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        """The recorded labels as the suite spells them; without an output, the likeliest."""
        return [self._answer(request, request.labels) for request in requests]

    def score_choices(self, requests: Sequence[Request]) -> list[Response]:
        """The recorded choices as indices; letters and choice texts are translated.

        Raises:
            DataError: a recorded choice can be read as two different ones.
        """
        return [self._answer(request, request.choices) for request in requests]

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """The recorded texts."""
        return [self._answer(request, ()) for request in requests]

    def score_texts(self, requests: Sequence[Request]) -> list[Response]:
        """The recorded log-probabilities of the texts."""
        answers = (self._answer(request, ()) for request in requests)
        return [
            dataclasses.replace(answer, output=request.choices[0])
            if answer.error is None or answer.mean_log_prob is not None
            else answer
            for request, answer in zip(requests, answers, strict=True)
        ]

    def rank(self, requests: Sequence[Request]) -> list[Response]:
        """The recorded rankings: JSON lists of document ids."""
        return [self._answer(request, ()) for request in requests]

    def _answer(self, request: Request, options: tuple[str, ...]) -> Response:
        if self.suite is not None and request.suite != self.suite:
            return Response(error=f"these predictions are recorded for suite {self.suite!r} only")
        answer = self._answers.get(request.sample_id)
        if answer is None:
            return Response(error="no recorded prediction for its id")
        if request.kind not in ("classification", "multiple_choice") or answer.response.error:
            return _with_output(answer.response)
        try:
            return _with_output(self._chosen(request, answer, options))
        except DataError as error:
            raise DataError(f"{position(self.path, answer.line)}: {error}") from error

    def _chosen(
        self, request: Request, answer: RecordedAnswer, options: tuple[str, ...]
    ) -> Response:
        """The response with its output and probabilities in the request's own terms."""
        multiple = request.kind == "multiple_choice"
        keys = tuple(map(str, range(len(options)))) if multiple else options
        translate = self._choice if multiple else _label
        response, named = answer.response, answer.probabilities
        output = None if response.output is None else translate(response.output, options)
        if named is None or not keys:
            return dataclasses.replace(response, output=output)
        if isinstance(named, Mapping):
            translated = {translate(key, options): value for key, value in named.items()}
            if len(translated) < len(named):
                raise DataError(f"two of the probabilities {', '.join(named)} mean the same option")
            named = translated
        log_probs = ordered_log_probs(named, keys)
        if output is None:
            output = max(keys, key=log_probs.__getitem__)
        confidence = response.confidence
        if confidence is None and output in log_probs:
            confidence = math.exp(log_probs[output])
        return dataclasses.replace(
            response, output=output, log_probs=log_probs, confidence=confidence
        )

    def _choice(self, text: str, choices: tuple[str, ...]) -> str:
        """The index from 0, as text, of the choice that is meant.

        A text that names none stays as it is, but never digits that another model's index from 0
        could be taken for.
        """
        first, form = self.columns.first_index, self.columns.choice_form
        readings = choice_readings(text, choices, form=form, first_index=first or 0)
        if len(readings) > 1:
            raise DataError(
                f"the recorded choice {text!r} is {readings_text(readings)}; say which with "
                f"`columns: {{choice_form: {next(iter(readings.values()))}}}`"
            )
        if readings:
            return str(next(iter(readings)))
        if form in ("auto", "index"):
            if first is None and looks_counted_from_1(text, choices):
                raise DataError(
                    f"the recorded choice {text!r} is no index of {len(choices)} choices counted "
                    "from 0; where the first choice is 1 in this file, set `columns: "
                    "{first_index: 1}`, else `first_index: 0`, and it is a wrong answer"
                )
            if first == 1 and text.strip() == "0":
                raise DataError("the recorded choice '0' cannot be: columns.first_index is 1")
        return f"no choice: {text}" if choice_readings(text, choices) else text


def _with_output(response: Response) -> Response:
    told = (response.output, response.score, response.mean_log_prob, response.error)
    if all(value is None for value in told):
        return dataclasses.replace(response, error="the recorded prediction has no output")
    return response


def _label(text: str, labels: tuple[str, ...]) -> str:
    """The label as the suite spells it; a text that is none of them stays as it is."""
    wanted = text.strip().casefold()
    return next((label for label in labels if label.strip().casefold() == wanted), text)
