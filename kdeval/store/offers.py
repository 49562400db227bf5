"""What a run's samples offer and ask beside the input: tools, and the schema of the answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from kdeval.records import Sample
from kdeval.store.sample_columns import Place, sample_columns

__all__ = ["OFFER_FIELDS", "Offer", "offer_row", "read_offers"]

_TEXT = pa.dictionary(pa.int32(), pa.string())
OFFER_FIELDS = (("tools", _TEXT), ("response_schema", _TEXT))
"""Columns of `samples.parquet`: a JSON list of OpenAI-style definitions, and a JSON Schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Of one sample: tools as JSON texts, and the schema as JSON text or None."""

    tools: tuple[str, ...]
    response_schema: str | None


def offer_row(sample: Sample) -> dict[str, Any]:
    """What `OFFER_FIELDS` hold of a sample; missing where it offers no tools, has no schema."""
    return {
        "tools": f"[{','.join(sample.tools)}]" if sample.tools else None,
        "response_schema": sample.response_schema,
    }


def read_offers(samples: Path, wanted: Collection[Place]) -> Mapping[Place, Offer]:
    """(suite, sample id) to its offer, for those of `wanted` that have one.

    Args:
        samples: `samples.parquet` of a run; one of an older kdeval has no offers.
        wanted: suites and sample ids.
    """
    return {
        place: Offer(
            tools=tuple(
                json.dumps(tool, ensure_ascii=False) for tool in json.loads(row["tools"] or "[]")
            ),
            response_schema=row["response_schema"],
        )
        for place, row in sample_columns(samples, [name for name, _ in OFFER_FIELDS], wanted)
    }
