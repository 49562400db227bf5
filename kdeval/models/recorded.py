"""Answers that a file already holds, looked up by the sample's id."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from kdeval.config.schema import RecordedColumnsConfig, RecordedModelConfig
from kdeval.errors import DataError
from kdeval.models.protocols import Request
from kdeval.models.recorded_rows import RecordedAnswer, read_answers
from kdeval.models.recorded_values import ordered_log_probs
from kdeval.records import Response
from kdeval.store.choices import choice_readings, readings_text
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
        self._answers = read_answers(self.path, columns)
        file = files_digest([self.path], self.path.parent)
        mapping = columns.model_dump(mode="json", exclude_defaults=True)
        self._fingerprint = value_digest(["recorded", file, mapping, suite])

    @classmethod
    def from_config(cls, config: RecordedModelConfig) -> RecordedModel:
        """The model that a run's configuration describes."""
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
    def ids(self) -> frozenset[str]:
        """The sample ids it has an answer for."""
        return frozenset(self._answers)

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

    def _answer(self, request: Request, options: tuple[str, ...]) -> Response:
        if self.suite is not None and request.suite != self.suite:
            return Response(error=f"these predictions are recorded for suite {self.suite!r} only")
        answer = self._answers.get(request.sample_id)
        if answer is None:
            return Response(error=f"no recorded prediction for id {request.sample_id!r}")
        if request.kind not in ("classification", "multiple_choice") or answer.response.error:
            return _with_output(answer.response)
        try:
            return _with_output(_chosen(request, answer, options))
        except DataError as error:
            raise DataError(f"{position(self.path, answer.line)}: {error}") from error


def _with_output(response: Response) -> Response:
    if response.output is None and response.score is None and response.error is None:
        return dataclasses.replace(response, error="the recorded prediction has no output")
    return response


def _chosen(request: Request, answer: RecordedAnswer, options: tuple[str, ...]) -> Response:
    """The response with its output and probabilities in the request's own terms."""
    multiple = request.kind == "multiple_choice"
    keys = tuple(map(str, range(len(options)))) if multiple else options
    translate = _choice if multiple else _label
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
    return dataclasses.replace(response, output=output, log_probs=log_probs, confidence=confidence)


def _label(text: str, labels: tuple[str, ...]) -> str:
    """The label as the suite spells it; a text that is none of them stays as it is."""
    wanted = text.strip().casefold()
    return next((label for label in labels if label.strip().casefold() == wanted), text)


def _choice(text: str, choices: tuple[str, ...]) -> str:
    """The index, as text, of the choice that is meant; a text that names none stays as it is."""
    readings = choice_readings(text, choices)
    if len(readings) > 1:
        raise DataError(
            f"the recorded choice {text!r} is {readings_text(readings)}; "
            "record letters or indices that cannot be taken for a choice's text"
        )
    return str(next(iter(readings))) if readings else text
