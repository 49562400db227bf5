"""The images of a run's samples: where they lie, or their bytes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from kdeval.records import Image, Sample
from kdeval.store.sample_columns import Place, sample_columns

__all__ = ["IMAGE_FIELDS", "image_row", "read_images"]

IMAGE_FIELDS = (
    ("image_sha256", pa.string()),
    ("image_path", pa.string()),
    ("image_data", pa.binary()),
)
"""Columns of `samples.parquet`; a file's bytes stay in the file."""


def image_row(sample: Sample) -> dict[str, Any]:
    """What `IMAGE_FIELDS` hold of a sample."""
    image = sample.image
    return {
        "image_sha256": None if image is None else image.sha256,
        "image_path": None if image is None else image.path,
        "image_data": None if image is None else image.data,
    }


def read_images(samples: Path, wanted: Collection[Place]) -> Mapping[Place, Image]:
    """(suite, sample id) to its image, for those of `wanted` that have one.

    Args:
        samples: `samples.parquet` of a run; one of an older kdeval has no images.
        wanted: suites and sample ids.
    """
    return {
        place: Image(sha256=row["image_sha256"], path=row["image_path"], data=row["image_data"])
        for place, row in sample_columns(samples, [name for name, _ in IMAGE_FIELDS], wanted)
    }
