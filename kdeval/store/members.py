"""What the members of a run's ensembles answered, as Parquet: `members.parquet`.

One row per (suite, ensemble, member, sample, metric): output, score (missing where the request
failed or could not be marked), log_probs (in the order of the suite's labels, or of the choices).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["MEMBERS_FILE", "write_members"]

MEMBERS_FILE = "members.parquet"
_BATCH = 5_000
_NAME = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema(
    [
        ("suite", _NAME),
        ("ensemble", _NAME),
        ("member", _NAME),
        ("sample_id", pa.string()),
        ("metric", _NAME),
        ("output", pa.string()),
        ("score", pa.float64()),
        ("log_probs", pa.list_(pa.float64())),
    ]
)


def write_members(folder: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes the file into `folder`, whole or not at all; without rows, removes an old one."""
    file = folder / MEMBERS_FILE
    rows = iter(rows)
    batch = list(islice(rows, _BATCH))
    if not batch:
        file.unlink(missing_ok=True)
        return
    partial = file.with_name(file.name + ".partial")
    with pq.ParquetWriter(partial, _SCHEMA, compression="zstd") as writer:
        while batch:
            writer.write_table(pa.Table.from_pylist(batch, schema=_SCHEMA))
            batch = list(islice(rows, _BATCH))
    partial.replace(file)
