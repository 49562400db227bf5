"""What networks made of a run's samples inside: three Parquet files of a run.

- `hidden_samples.parquet`, one row a (suite, model, sample): tokens that the model reads of it and
  a digest of them, the same for two models that read the same tokens; or the reason why it was
  left out.
- `hidden_layers.parquet`, one row a (suite, model, layer): the inner products of the centred
  representations of the samples that were read, in the order of the first file: the triangle of
  the Gram matrix with its diagonal, row by row, in float64. Layer 0 is the embeddings. No vector
  and no text can be made of it.
- `hidden_attention.parquet`, one row a (suite, model, layer, sample): attention maps of shape
  (heads, places that look, tokens), flat, in float16, with these places; the first layer is 1.

Rows of one model lie in row groups of its own, so that a model that did not change is copied, and
one layer is read without the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

__all__ = ["HIDDEN_FILES", "HiddenTables", "HiddenWriter"]

HIDDEN_FILES = ("hidden_samples.parquet", "hidden_layers.parquet", "hidden_attention.parquet")

_KEY = [("suite", pa.string()), ("model", pa.string())]
_SETTINGS = b"kdeval.settings"

_SAMPLES = pa.schema(
    [
        *_KEY,
        ("sample_id", pa.string()),
        ("reason", pa.string()),
        ("tokens", pa.int32()),
        ("digest", pa.string()),
        ("attention_reason", pa.string()),
    ]
)
_LAYERS = pa.schema([*_KEY, ("layer", pa.int32()), ("gram", pa.list_(pa.float64()))])
_ATTENTION = pa.schema(
    [
        *_KEY,
        ("layer", pa.int32()),
        ("sample_id", pa.string()),
        ("digest", pa.string()),
        ("one_way", pa.bool_()),
        ("heads", pa.int32()),
        ("places", pa.list_(pa.int32())),
        ("maps", pa.list_(pa.float16())),
    ]
)
_SCHEMAS = (_SAMPLES, _LAYERS, _ATTENTION)


class HiddenWriter:
    """Writes the files of a directory; they appear whole when the block ends without an error."""

    def __init__(self, directory: Path, settings: Mapping[str, object]) -> None:
        self._files = tuple(directory / name for name in HIDDEN_FILES)
        self._metadata = {_SETTINGS: json.dumps(settings, sort_keys=True).encode()}

    def __enter__(self) -> HiddenWriter:
        """Opens them beside their place."""
        self._writers = tuple(
            pq.ParquetWriter(_partial(file), schema.with_metadata(self._metadata))
            for file, schema in zip(self._files, _SCHEMAS, strict=True)
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Puts them in their place, or takes them away after an error."""
        for writer, file in zip(self._writers, self._files, strict=True):
            writer.close()
            if error is None:
                _partial(file).replace(file)
            else:
                _partial(file).unlink(missing_ok=True)

    def add_samples(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Samples of one suite as one model read them."""
        self._write(0, rows)

    def add_layer(self, suite: str, model: str, layer: int, gram: NDArray[np.float64]) -> None:
        """The Gram matrix of one layer over the samples that were read."""
        triangle = gram[np.triu_indices(len(gram))]
        self._write(1, [{"suite": suite, "model": model, "layer": layer, "gram": triangle}])

    def add_attention(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Maps of one layer of one model over one suite; each of shape (heads, places, tokens)."""
        self._write(
            2,
            [
                {**row, "heads": len(row["maps"]), "maps": row["maps"].ravel().astype(np.float16)}
                for row in rows
            ],
        )

    def copy(self, known: HiddenTables, model: str) -> None:
        """All that is known of a model."""
        for writer, file, schema in zip(self._writers, known.files, _SCHEMAS, strict=True):
            for group, (_, name, _) in enumerate(known.groups(file)):
                if name == model:
                    writer.write_table(known.group(file, group).cast(schema))

    def _write(self, file: int, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            table = pa.Table.from_pylist(list(rows), schema=_SCHEMAS[file])
            self._writers[file].write_table(table, row_group_size=len(rows))


class HiddenTables:
    """The files of a directory, read layer by layer.

    Attributes:
        settings: what they were made with.
    """

    def __init__(self, directory: Path, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.files = tuple(directory / name for name in HIDDEN_FILES)
        self._groups: dict[Path, list[tuple[str, str, int]]] = {}
        self._opened: dict[Path, Any] = {}

    @classmethod
    def open(cls, directory: Path) -> HiddenTables | None:
        """Those of `directory`; None where they are missing or damaged."""
        try:
            found = [
                json.loads((pq.read_schema(directory / name).metadata or {})[_SETTINGS])
                for name in HIDDEN_FILES
            ]
        except (OSError, pa.ArrowException, KeyError, ValueError):
            return None
        same = all(item == found[0] for item in found) and isinstance(found[0], dict)
        return cls(directory, found[0]) if same else None

    def samples(self) -> pd.DataFrame:
        """One row a (suite, model, sample)."""
        frame: pd.DataFrame = pq.read_table(self.files[0]).to_pandas()
        return frame

    def layers(self, suite: str, model: str) -> list[int]:
        """The layers that were kept, in order."""
        return [layer for s, m, layer in self.groups(self.files[1]) if (s, m) == (suite, model)]

    def gram(self, suite: str, model: str, layer: int) -> NDArray[np.float64]:
        """Shape (n, n), over the samples that the model read."""
        group = self.groups(self.files[1]).index((suite, model, layer))
        table = self._open(self.files[1]).read_row_group(group, columns=["gram"])
        triangle = table["gram"].chunk(0).flatten().to_numpy()
        n = int((np.sqrt(8 * len(triangle) + 1) - 1) / 2)
        found = np.zeros((n, n))
        above = np.triu_indices(n)
        found[above] = triangle
        found.T[above] = triangle
        return found

    def attention(self, suite: str, model: str, layer: int) -> list[dict[str, Any]]:
        """One row a sample; maps of shape (heads, places, tokens), whose rows sum to 1.

        Empty where there are none.
        """
        known = self.groups(self.files[2])
        if (suite, model, layer) not in known:
            return []
        group = known.index((suite, model, layer))
        rows: Iterable[dict[str, Any]] = self._open(self.files[2]).read_row_group(group).to_pandas(
            ).to_dict(orient="records")  # fmt: skip
        return [{**row, "maps": _maps(row)} for row in rows]

    def group(self, file: Path, index: int) -> pa.Table:
        """The rows of a row group."""
        return self._open(file).read_row_group(index)

    def groups(self, file: Path) -> list[tuple[str, str, int]]:
        """(suite, model, layer) of each row group; layer -1 in the file that has none."""
        if file not in self._groups:
            opened = self._open(file)
            names = [name for name in ("suite", "model", "layer") if name in opened.schema.names]
            rows = opened.read(columns=names).to_pylist()
            found, start = [], 0
            for group in range(opened.metadata.num_row_groups):
                row = rows[start]
                found.append((row["suite"], row["model"], row.get("layer", -1)))
                start += opened.metadata.row_group(group).num_rows
            self._groups[file] = found
        return self._groups[file]

    def _open(self, file: Path) -> Any:
        if file not in self._opened:
            self._opened[file] = pq.ParquetFile(file)
        return self._opened[file]


def _maps(row: Mapping[str, Any]) -> NDArray[np.float64]:
    flat = np.asarray(row["maps"], dtype=np.float64)
    maps = flat.reshape(row["heads"], len(row["places"]), -1)
    return np.asarray(maps / maps.sum(axis=-1, keepdims=True))


def _partial(file: Path) -> Path:
    return file.with_name(file.name + ".partial")
