"""`kdeval export`: one model's answers of a run as a file to commit, and to replay in CI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from kdeval.config.yaml_file import nearest
from kdeval.errors import RunError, UsageError
from kdeval.records import Response, Score
from kdeval.report.output_file import writing
from kdeval.store.export_file import KEY_DIGITS, ExportedRow, ExportHeader, write_export
from kdeval.store.predictions import PredictionStore
from kdeval.store.response_json import encode_response
from kdeval.store.run_directory import ModelEntry, RunDirectory, SuiteEntry

__all__ = ["Exported", "export_answers"]

_CHUNK = 5_000
_DESCRIBED = ("parameters", "bytes_on_disk", "dtype")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written.

    Attributes:
        failed: how many of the answers are recorded errors.
        without_text: how many answers a score stands for.
        left_out: suites that cannot be replayed from a file, to the reason.
        snippet: what a configuration says to use the file.
    """

    file: Path
    answers: int
    failed: int
    without_text: int
    left_out: Mapping[str, str]
    snippet: str


def export_answers(
    run: Path, out: Path, *, model: str | None = None, text: bool = True
) -> Exported:
    """Every answer of a model of the run in `run`, written to the file `out`.

    Args:
        run: directory of a finished run, its prediction store included.
        out: a name that ends in .jsonl or .jsonl.gz.
        model: which; None: the teacher.
        text: False leaves out what models wrote but for labels, choices and ranked ids; then the
            scores by the suite's present scorers stand for it.

    Raises:
        UsageError: there is no such model, or no suite that can be replayed, or `out` cannot be
            written.
        RunError: the run lacks what is needed.
    """
    if not out.name.endswith((".jsonl", ".jsonl.gz")):
        raise UsageError(f"--out {out}: give a name that ends in .jsonl or .jsonl.gz")
    if out.is_dir():
        raise UsageError(f"--out {out} is a directory: name a file in it")
    opened = RunDirectory.open(run)
    manifest = opened.manifest
    entry = _entry(opened, model)
    left_out = dict(_left_out(manifest.suites, entry, text=text))
    suites = {suite.name: suite for suite in manifest.suites if suite.name not in left_out}
    if not suites:
        raise UsageError(f"{run}: nothing can be replayed from a file: {_by_reason(left_out)}")
    answers = _Answers(opened, entry, suites, text=text)
    header = ExportHeader(
        model={"name": entry.name, "type": entry.type, "fingerprint": entry.fingerprint}
        | {name: getattr(entry, name) for name in _DESCRIBED if getattr(entry, name) is not None},
        run=manifest.name,
        asked=manifest.header.created,
        kdeval=manifest.header.kdeval,
        git_revision=manifest.header.git_revision,
        suites={name: suite.fingerprint for name, suite in suites.items()},
        text=text,
        answers=len(answers.table),
    )
    with writing(out):
        write_export(out, header, answers.rows())
    return Exported(
        file=out,
        answers=len(answers.table),
        failed=answers.failed,
        without_text=answers.without_text,
        left_out=left_out,
        snippet=_snippet(opened, entry, out),
    )


def _entry(run: RunDirectory, model: str | None) -> ModelEntry:
    if model is None:
        return run.manifest.teacher
    for entry in run.manifest.models:
        if entry.name == model:
            return entry
    names = [entry.name for entry in run.manifest.models]
    raise UsageError(f"--model: there is no {model!r} in the run; {nearest(model, names)}")


def _left_out(
    suites: Iterable[SuiteEntry], entry: ModelEntry, *, text: bool
) -> Iterator[tuple[str, str]]:
    """(suite, why lm-eval could not mark it again), of suites that cannot be replayed."""
    for suite in suites:
        if suite.benchmark is None:
            continue
        if suite.benchmark.settings.get("apply_chat_template") and entry.type == "causal_lm":
            yield suite.name, "prompts take the model's own chat template: share a --cache"
        elif suite.kind == "generation" and not text:
            yield suite.name, "lm-eval marks texts anew: export it with them"


def _by_reason(left_out: Mapping[str, str]) -> str:
    named = {
        reason: ", ".join(name for name, why in left_out.items() if why == reason)
        for reason in dict.fromkeys(left_out.values())
    }
    return "; ".join(f"{names}: {reason}" for reason, names in named.items())


def _snippet(run: RunDirectory, entry: ModelEntry, out: Path) -> str:
    settings = f"name: {entry.name}\n  type: recorded\n  path: {out.name}"
    if entry.name == run.manifest.teacher.name:
        return f"teacher:\n  {settings}"
    return "students:\n- " + settings


class _Answers:
    """The rows of the file, and counts of what went into it."""

    def __init__(
        self,
        run: RunDirectory,
        entry: ModelEntry,
        suites: Mapping[str, SuiteEntry],
        *,
        text: bool,
    ) -> None:
        self._store = run.path / "predictions.sqlite"
        if not self._store.is_file():
            raise RunError(f"{self._store} is missing: export where the run was made")
        self._suites = suites
        self._text = text
        self.failed = 0
        self.without_text = 0
        self._marks: dict[tuple[str, str], dict[str, Score]] = {}
        self.table = self._read(run, entry)

    def _read(self, run: RunDirectory, entry: ModelEntry) -> pd.DataFrame:
        """A row an answer, in the run's order: suite, sample_id, content_hash, choices, key.

        That is a row a sample, but for lm-eval's documents that took several requests.
        """
        side = "teacher" if entry.name == run.manifest.teacher.name else "student"
        columns = ["suite", "sample_id", "student", "metric", f"{side}_key"]
        marks = [] if self._text else [f"{side}_score", f"{side}_statistics"]
        try:
            pairs = run.pairs([*columns, *marks]).rename(
                columns={name: name.removeprefix(f"{side}_") for name in (*columns[4:], *marks)}
            )
        except RunError as error:
            raise RunError(
                f"{run.path} was made by an older kdeval, or is damaged: the same `kdeval run` "
                "writes it anew and asks nothing again"
            ) from error
        own = entry.name if side == "student" else run.manifest.students[0].name
        pairs = pairs[(pairs["student"] == own) & pairs["suite"].isin(list(self._suites))]
        if not self._text:
            self._marks = _marks(pairs)
        samples = run.samples(["suite", "sample_id", "content_hash", "choices"])
        keys = pairs.drop_duplicates(["suite", "sample_id"])[["suite", "sample_id", "key"]]
        names = {"suite": str, "sample_id": str}
        found = samples.astype(names).merge(keys.astype(names), on=["suite", "sample_id"])
        return found.assign(key=found["key"].str.split(" ")).explode("key", ignore_index=True)

    def rows(self) -> Iterator[ExportedRow]:
        """Every answer."""
        with PredictionStore(self._store) as store:
            for start in range(0, len(self.table), _CHUNK):
                part = self.table.iloc[start : start + _CHUNK]
                responses = store.get(list(dict.fromkeys(part["key"])))
                for row in part.to_dict("records"):
                    yield self._row(row, responses.get(row["key"], Response(error="not asked")))

    def _row(self, row: Mapping[Any, Any], response: Response) -> ExportedRow:
        suite = self._suites[row["suite"]]
        self.failed += response.error is not None
        if suite.benchmark is None and suite.kind == "likelihood":
            response = replace(response, output=None)
        elif suite.benchmark is None and not self._text:
            response = self._without_text(row, suite, response)
        if not self._text and response.error is not None:
            response = replace(response, error=_sort_of(response.error))
        return ExportedRow(
            suite=row["suite"],
            id=row["sample_id"],
            content_hash=row["content_hash"],
            key=row["key"][:KEY_DIGITS],
            response=encode_response(response),
        )

    def _without_text(
        self, row: Mapping[Any, Any], suite: SuiteEntry, response: Response
    ) -> Response:
        if response.error is not None or _is_choice(suite, row, response):
            return response
        self.without_text += 1
        return replace(
            response,
            output=None,
            tool_calls=None,
            samples=None,
            top_log_probs=None,
            marks=self._marks[row["suite"], row["sample_id"]],
        )


def _is_choice(suite: SuiteEntry, row: Mapping[Any, Any], response: Response) -> bool:
    """Whether the output is a label, an index or ids, and nothing that a model made up."""
    if response.tool_calls or response.output is None:
        return False
    if suite.kind == "retrieval":
        return True
    if suite.kind == "multiple_choice":
        return response.output.isascii() and response.output.isdigit()
    return suite.labels is not None and response.output in suite.labels


def _sort_of(error: str) -> str:
    """The kind of failure, without what it says of the request."""
    name, colon, _ = error.partition(":")
    return name if colon and name.isidentifier() else "failed"


def _marks(pairs: pd.DataFrame) -> dict[tuple[str, str], dict[str, Score]]:
    found: dict[tuple[str, str], dict[str, Score]] = {}
    for row in pairs.to_dict("records"):
        metric, value, statistics = str(row["metric"]), row["score"], row["statistics"]
        missing = pd.isna(value)
        found.setdefault((str(row["suite"]), str(row["sample_id"])), {})[metric] = Score(
            scorer=metric,
            value=None if missing else float(value),
            reason="not marked when it was exported" if missing else None,
            statistics=None if statistics is None else tuple(float(item) for item in statistics),
        )
    return found
