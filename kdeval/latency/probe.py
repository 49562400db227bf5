"""A closed-loop latency probe at batch 1: teacher and students take turns on the same inputs.

Every round asks each model the same request, in an order that rotates from round to round, so
that a drift of the machine's speed meets all of them alike. One request is in the air at a time:
what comes out is the latency an idle server would give, not that of a loaded one.
"""

from __future__ import annotations

import gc
import random
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kdeval.latency.rounds import KeptRounds
from kdeval.models.protocols import Model, Request
from kdeval.records import Timing
from kdeval.run.executor import ask
from kdeval.store.fingerprints import value_digest

__all__ = ["ProbePlan", "probe", "probe_is_current", "write_measured"]

_SCHEMA = pa.schema(
    [
        ("round", pa.int32()),
        ("model", pa.string()),
        ("seconds", pa.float64()),
        ("first_token_s", pa.float64()),
        ("between_tokens_s", pa.float64()),
        ("output_tokens", pa.int64()),
    ]
)
_SETTINGS = b"kdeval.settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePlan:
    """What is measured.

    Attributes:
        rounds: measured requests of each model.
        warmup: rounds before measuring, of each command that measures.
        seed: of the draw of requests.
        settings: all that the measurements depend on.
    """

    rounds: int
    warmup: int
    seed: int
    settings: Mapping[str, object]

    @property
    def digest(self) -> str:
        """Of the settings."""
        return value_digest(self.settings)


def probe_is_current(file: Path, plan: ProbePlan) -> bool:
    """Whether `file` holds all measurements of just that plan."""
    try:
        metadata = pq.read_schema(file).metadata or {}
    except (OSError, pa.ArrowException):
        return False
    return bool(metadata.get(_SETTINGS) == plan.digest.encode())


def probe(
    models: Mapping[str, Model],
    requests: Sequence[Request],
    plan: ProbePlan,
    *,
    file: Path,
    kept: KeptRounds | None = None,
    progress: Callable[[int, int], None],
) -> None:
    """Writes `file` with one row a measurement: round, model, seconds (wall clock).

    Where the model tells them, also the time to the first token and between tokens, and how many
    tokens it wrote.

    A round in which a model fails has no row of that model. The garbage collector rests while
    a request is in the air.

    Args:
        models: name to model, at least one.
        requests: what may be asked; drawn with the plan's seed, again from the start when they run
            out.
        plan: what is measured.
        file: where the measurements go, whole or not at all.
        kept: rounds of an earlier command, to go on with, and where each further one is kept;
            None: all are measured now.
        progress: called with (done, total) of the rounds that are left.
    """
    drawn = array("q", range(len(requests)))
    random.Random(plan.seed).shuffle(drawn)
    names = list(models)
    rounds = [] if kept is None else list(kept.rounds)
    first, last = len(rounds), plan.rounds
    places = (*range(-plan.warmup if first < last else 0, 0), *range(first, last))
    for done, index in enumerate(places, 1):
        request = requests[drawn[index % len(drawn)]]
        turn = index % len(names)
        rows: list[Mapping[str, object]] = []
        for name in names[turn:] + names[:turn]:
            measured = _timed(models[name], request)
            if measured is not None:
                rows.append({"round": index, "model": name, **measured})
        if index >= 0:
            rounds.append(rows)
            if kept is not None:
                kept.add(rows)
        progress(done, len(places))
    _write(file, rounds, {_SETTINGS: plan.digest.encode()})
    if kept is not None:
        kept.forget()


def write_measured(file: Path, kept: KeptRounds) -> None:
    """Writes the rounds of an interrupted probe in the place of all, to be gone on with later."""
    _write(file, kept.rounds, {})


def _write(
    file: Path, rounds: Sequence[Sequence[Mapping[str, object]]], metadata: Mapping[bytes, bytes]
) -> None:
    table = pa.Table.from_pylist([row for rows in rounds for row in rows], schema=_SCHEMA)
    partial = file.with_name(file.name + ".partial")
    pq.write_table(table.replace_schema_metadata(dict(metadata)), partial)
    partial.replace(file)


def _timed(model: Model, request: Request) -> dict[str, object] | None:
    enabled = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        response = ask(model, [request])[0]
        elapsed = time.perf_counter() - start
    finally:
        if enabled:
            gc.enable()
    if response.error is not None:
        return None
    timing = response.timing or Timing(origin="wall")
    return {
        "seconds": elapsed,
        "first_token_s": timing.first_token_s,
        "between_tokens_s": timing.between_tokens_s,
        "output_tokens": response.output_tokens,
    }
