"""Columns of `samples.parquet` that few samples have a value in, read of those that are wanted."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["Place", "sample_columns"]

Place = tuple[str, str]
"""A suite and a sample's id."""


def sample_columns(
    samples: Path, columns: Collection[str], wanted: Collection[Place]
) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Those of `wanted` that have a value in some of the columns, with all of these.

    Args:
        samples: the file; none has a value where an older kdeval wrote it without the columns.
        columns: their names.
        wanted: suites and sample ids.
    """
    if not wanted or not set(columns) <= set(pq.read_schema(samples).names):
        return
    ids = pa.array(sorted({sample for _, sample in wanted}))
    has_value = reduce(operator.or_, (pc.field(name).is_valid() for name in columns))
    table = pq.read_table(
        samples,
        columns=["suite", "sample_id", *columns],
        filters=pc.field("sample_id").isin(ids) & has_value,
    )
    for row in table.to_pylist():
        place = row["suite"], row["sample_id"]
        if place in wanted:
            yield place, row
