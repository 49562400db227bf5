"""The files of hidden states: what is written is read, layer by layer and model by model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdeval.store.hidden import HIDDEN_FILES, HiddenTables, HiddenWriter


def gram(seed: int, n: int = 5) -> Any:
    vectors = np.random.default_rng(seed).normal(size=(n, 3))
    return vectors @ vectors.T


def maps(seed: int, heads: int = 2) -> Any:
    found = np.random.default_rng(seed).random((heads, 3, 6)).astype(np.float32)
    return found / found.sum(-1, keepdims=True)


def add(writer: HiddenWriter, model: str, seed: int) -> None:
    writer.add_layer("x", model, 0, gram(seed))
    writer.add_layer("x", model, 1, gram(seed + 1))
    writer.add_attention([
        {"suite": "x", "model": model, "layer": 1, "sample_id": f"s{index}", "digest": "d",
         "one_way": True, "places": [2, 3, 5], "maps": maps(seed + index)}
        for index in range(2)
    ])  # fmt: skip
    writer.add_samples([
        {"suite": "x", "model": model, "sample_id": f"s{index}", "tokens": 6, "digest": "d"}
        for index in range(5)
    ] + [{"suite": "x", "model": model, "sample_id": "s5", "reason": "too long"}])  # fmt: skip


def test_layers_and_maps_come_back(tmp_path: Path) -> None:
    """Gram matrices exactly, maps to half precision with rows that sum to 1."""
    with HiddenWriter(tmp_path, {"version": 1}) as writer:
        add(writer, "big", 0)
        add(writer, "small", 10)
    found = HiddenTables.open(tmp_path)
    assert found is not None
    assert found.settings == {"version": 1}
    assert found.layers("x", "small") == [0, 1]
    assert found.layers("y", "small") == []
    np.testing.assert_array_equal(found.gram("x", "small", 1), gram(11))
    rows = found.attention("x", "small", 1)
    assert [row["sample_id"] for row in rows] == ["s0", "s1"]
    np.testing.assert_allclose(rows[1]["maps"], maps(11), atol=1e-3)
    np.testing.assert_allclose(rows[1]["maps"].sum(-1), 1, atol=1e-12)
    assert list(rows[0]["places"]) == [2, 3, 5]
    assert found.attention("x", "small", 2) == []
    samples = found.samples()
    assert len(samples) == 12
    assert samples["reason"].dropna().tolist() == ["too long"] * 2


def test_a_model_is_copied_whole(tmp_path: Path) -> None:
    """And no other with it."""
    with HiddenWriter(tmp_path, {"version": 1}) as writer:
        add(writer, "big", 0)
        add(writer, "small", 10)
    known = HiddenTables.open(tmp_path)
    assert known is not None
    with HiddenWriter(tmp_path, {"version": 2}) as writer:
        writer.copy(known, "big")
        add(writer, "smaller", 20)
    found = HiddenTables.open(tmp_path)
    assert found is not None
    assert set(found.samples()["model"]) == {"big", "smaller"}
    np.testing.assert_array_equal(found.gram("x", "big", 1), gram(1))
    assert len(found.attention("x", "big", 1)) == 2
    np.testing.assert_array_equal(found.gram("x", "smaller", 0), gram(20))


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    """Unfinished files are taken away, finished ones stay."""
    with HiddenWriter(tmp_path, {"version": 1}) as writer:
        add(writer, "big", 0)
    with pytest.raises(KeyError), HiddenWriter(tmp_path, {"version": 2}):
        raise KeyError
    found = HiddenTables.open(tmp_path)
    assert found is not None
    assert found.settings == {"version": 1}
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(HIDDEN_FILES)


@pytest.mark.parametrize("name", HIDDEN_FILES)
def test_a_damaged_file_counts_as_none(tmp_path: Path, name: str) -> None:
    """So does one of three from another run: then the same run reads the models again."""
    with HiddenWriter(tmp_path, {"version": 1}) as writer:
        add(writer, "big", 0)
    kept = (tmp_path / name).read_bytes()
    with HiddenWriter(tmp_path, {"version": 2}) as writer:
        add(writer, "big", 0)
    (tmp_path / name).write_bytes(kept)
    assert HiddenTables.open(tmp_path) is None
    (tmp_path / name).write_bytes(b"no parquet")
    assert HiddenTables.open(tmp_path) is None
