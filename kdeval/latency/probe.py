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
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kdeval.models.protocols import Model, Request
from kdeval.records import Timing
from kdeval.run.executor import ask
from kdeval.store.fingerprints import value_digest

__all__ = ["probe", "probe_is_current"]

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


def probe_is_current(file: Path, settings: Mapping[str, object]) -> bool:
    """Whether `file` holds measurements of just these models, requests and settings."""
    try:
        metadata = pq.read_schema(file).metadata or {}
    except (OSError, pa.ArrowException):
        return False
    return bool(metadata.get(_SETTINGS) == value_digest(settings).encode())


def probe(
    models: Mapping[str, Model],
    requests: Sequence[Request],
    *,
    rounds: int,
    warmup: int,
    seed: int,
    file: Path,
    settings: Mapping[str, object],
    progress: Callable[[int, int], None],
) -> None:
    """Writes `file` with one row a measurement: round, model, seconds (wall clock).

    Where the model tells them, also the time to the first token and between tokens, and how many
    tokens it wrote.

    A round in which a model fails has no row of that model. The garbage collector rests while
    a request is in the air.

    Args:
        models: name to model, at least one.
        requests: what may be asked; drawn with `seed`, again from the start when they run out.
        rounds: measured requests of each model.
        warmup: rounds before measuring.
        seed: of the draw.
        file: where the measurements go, whole or not at all.
        settings: what `probe_is_current` compares later.
        progress: called with (done, total).
    """
    drawn = array("q", range(len(requests)))
    random.Random(seed).shuffle(drawn)
    names = list(models)
    rows: list[dict[str, object]] = []
    for index in range(-warmup, rounds):
        request = requests[drawn[index % len(drawn)]]
        turn = index % len(names)
        for name in names[turn:] + names[:turn]:
            measured = _timed(models[name], request)
            if index >= 0 and measured is not None:
                rows.append({"round": index, "model": name, **measured})
        progress(index + warmup + 1, rounds + warmup)
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    table = table.replace_schema_metadata({_SETTINGS: value_digest(settings).encode()})
    partial = file.with_name(file.name + ".partial")
    pq.write_table(table, partial)
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
