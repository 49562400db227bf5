"""Answers of a file that `kdeval export` wrote: a teacher's, replayed where it cannot be asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from kdeval.errors import DataError
from kdeval.models.protocols import Request
from kdeval.models.request_keys import possible_keys
from kdeval.records import Response
from kdeval.store.export_file import KEY_DIGITS, ExportedRow, read_export
from kdeval.store.fingerprints import files_digest, value_digest
from kdeval.store.response_json import decode_response

__all__ = ["AskedSuite", "ExportedModel"]

_NOT_THIS_REQUEST = (
    "lm-eval did not ask this when the answers were exported: other examples, settings, documents "
    "or another version of the task"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AskedSuite:
    """What of a suite an export must fit.

    Attributes:
        ids: of all its samples, whether they are asked or not.
        content_hashes: sample id to the hash of its content, of those that are asked.
        same_request: ids of samples that ask what they asked then, whatever is right now.
        scored_as: the suite's fingerprint over the samples that the export has, in its order: its
            own fingerprint only where the scorers are the same.
    """

    ids: Collection[str]
    content_hashes: Mapping[str, str]
    same_request: Collection[str]
    scored_as: str | None


class ExportedModel:
    """Gives each sample the very response that the exported run had, errors included.

    A sample that asks something else since, or that the run did not have, is a failed request: so
    missing, and never answered with what was said to something else. Where only the reference
    changed the answer holds, unless scores by the old reference stand for texts. What lm-eval asks
    is looked up by the whole request, since its documents take several.
    """

    answers_by_id = True
    batch_size = 1024
    has_scores = True
    tools_problem = None

    def __init__(self, path: Path, *, suite: str | None = None) -> None:
        """Reads the whole file.

        Args:
            path: the file.
            suite: the only suite it answers; None: every suite.

        Raises:
            DataError: it is no export, or damaged; with file and line.
        """
        self.path = Path(path)
        self.suite = suite
        self.header, rows = read_export(self.path)
        self._answers: dict[tuple[str, str], ExportedRow] = {}
        self._by_key: dict[str, ExportedRow] = {}
        for row in rows:
            if suite is None or row.suite == suite:
                self._answers[row.suite, row.id] = row
                self._by_key[row.key] = row
        self._changed: dict[tuple[str, str], None] = {}
        self._fingerprint = value_digest(
            ["exported", files_digest([self.path], self.path.parent), suite]
        )

    @property
    def fingerprint(self) -> str:
        """Digest of the file's bytes."""
        return self._fingerprint

    @property
    def parameters(self) -> int | None:
        """Number of weights of the model that answered."""
        return self.header.model.get("parameters")

    @property
    def bytes_on_disk(self) -> int | None:
        """Size of its weight files."""
        return self.header.model.get("bytes_on_disk")

    @property
    def dtype(self) -> str | None:
        """Of its weights."""
        return self.header.model.get("dtype")

    @property
    def suites(self) -> tuple[str, ...]:
        """The suites that it has answers to."""
        return tuple(dict.fromkeys(suite for suite, _ in self._answers))

    def has_task(self, name: str) -> bool:
        """Whether it has answers to that task of lm-eval, by itself or within a group."""
        return any(suite == name or id.startswith(f"{name}/") for suite, id in self._answers)

    def samples_of(self, suite: str) -> dict[str, ExportedRow]:
        """Sample id to what it has of a suite, in order."""
        return {row.id: row for (name, _), row in self._answers.items() if name == suite}

    def fit_to(self, suites: Mapping[str, AskedSuite]) -> tuple[str, ...]:
        """Notes which samples changed since the export; what does not fit, a line each.

        Args:
            suites: every suite of the run by name.

        Raises:
            DataError: it has no answer to any sample of a suite, or scores by other scorers in
                place of texts.
        """
        lines = []
        for name, asked in suites.items():
            if self.suite is None or name == self.suite:
                lines += self._fit_to_suite(name, asked)
        return tuple(lines)

    def _fit_to_suite(self, name: str, asked: AskedSuite) -> list[str]:
        known = self.samples_of(name)
        absent = [sample for sample in asked.content_hashes if sample not in known]
        if known.keys().isdisjoint(asked.ids):
            has = ", ".join(self.suites) or "none"
            raise DataError(
                f"{self.path}: no answer to any sample of suite {name!r}; it has answers to the "
                f"suites: {has}"
            )
        changed = [
            sample
            for sample, content in asked.content_hashes.items()
            if sample in known
            and known[sample].content_hash != content
            and not (self.header.text and sample in asked.same_request)
        ]
        self._changed.update(dict.fromkeys((name, sample) for sample in changed))
        if not self.header.text and asked.scored_as != self.header.suites.get(name):
            raise DataError(
                f"{self.path}: suite {name!r} is not marked as when this was exported, and without "
                "texts it cannot be marked again: export the run with its text, or run and export "
                "again"
            )
        lines = [_counted(absent, asked, name, "were not asked when it was exported")]
        lines += [_counted(changed, asked, name, "changed since it was exported")]
        return [f"{self.path.name}: {line}" for line in lines if line]

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        """The exported responses."""
        return [self._answer(request) for request in requests]

    score_choices = generate = rank = log_likelihoods = classify

    def score_texts(self, requests: Sequence[Request]) -> list[Response]:
        """The exported log-probabilities; the text is the suite's own."""
        return [
            answer
            if answer.error is not None
            else dataclasses.replace(answer, output=request.choices[0])
            for request, answer in zip(
                requests, (self._answer(request) for request in requests), strict=True
            )
        ]

    def _answer(self, request: Request) -> Response:
        found = self._found(request)
        if isinstance(found, str):
            return Response(error=found)
        try:
            return decode_response(found.response)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.path}: the answer to {request.sample_id!r} of suite {request.suite!r} "
                f"cannot be read ({error}): export the run again with this kdeval"
            ) from error

    def _found(self, request: Request) -> ExportedRow | str:
        """The row that answers the request, or why there is none."""
        if request.raw or request.kind == "loglikelihood":
            asked = possible_keys(str(self.header.model["fingerprint"]), request)
            rows = (self._by_key.get(key[:KEY_DIGITS]) for key in asked)
            return next((row for row in rows if row is not None), _NOT_THIS_REQUEST)
        place = (request.suite, request.sample_id)
        if place in self._changed:
            return "this sample changed since the answers were exported"
        return self._answers.get(place, "this sample was not asked when the answers were exported")


def _counted(samples: Sequence[str], asked: AskedSuite, suite: str, what: str) -> str:
    if not samples:
        return ""
    shown = ", ".join(map(repr, samples[:3])) + (", ..." if len(samples) > 3 else "")
    return (
        f"{len(samples)} of {len(asked.content_hashes)} samples of suite {suite!r} {what}, so have "
        f"no answer: {shown}"
    )
