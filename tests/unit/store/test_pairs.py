"""Scored pairs are written as their schema says."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from kdeval.records import Prediction, Response, Sample, Score, ScoredPair
from kdeval.store import pairs
from kdeval.store.pairs import PAIRS_SCHEMA, SAMPLES_SCHEMA, write_pairs, write_samples

SAMPLE = Sample(
    id="1", suite="s", task="t", kind="classification", input="?", labels=("a", "b"),
    reference="a", content_hash="h",
)  # fmt: skip


def _pair(number: int) -> ScoredPair:
    def side(name: str, cost: float) -> Prediction:
        response = Response(output=name, log_probs={"a": -1.0, "b": -2.0}, cost_usd=cost)
        return Prediction(
            sample_id="1",
            response_keys=(f"{name}{number}", "more"),
            model_fingerprint=name,
            response=response,
        )

    return ScoredPair(
        sample=SAMPLE,
        student="student",
        teacher_prediction=side("a", 0.5),
        student_prediction=side("b", 0.25),
        teacher_score=Score(scorer="label", value=1.0),
        student_score=Score(scorer="label", value=0.0, reason="wrong", statistics=(1.0, 2.0)),
    )


def test_values_are_in_the_columns_of_their_names(tmp_path: Path) -> None:
    """Both sides, over several batches; the sides' values are in the order of the schema."""
    assert pairs._Side._fields == tuple(name for name, _ in pairs._SIDE)
    count = 2 * pairs._BATCH + 3
    assert write_pairs(tmp_path / "p", map(_pair, range(count))) == count
    table = pd.read_parquet(tmp_path / "p")
    assert list(table.columns) == PAIRS_SCHEMA.names
    last = table.iloc[-1]
    assert (last["teacher_key"], last["student_key"]) == (
        f"a{count - 1} more",
        f"b{count - 1} more",
    )
    assert (last["teacher_cost_usd"], last["student_cost_usd"]) == (0.5, 0.25)
    assert (last["student_score_reason"], last["teacher_output"]) == ("wrong", "a")
    assert last["student_statistics"].tolist() == [1.0, 2.0]
    assert last["teacher_log_probs"].tolist() == [-1.0, -2.0]


def test_nothing_to_write_is_a_file_without_rows(tmp_path: Path) -> None:
    """With all its columns."""
    assert write_pairs(tmp_path / "p", []) == 0
    assert list(pd.read_parquet(tmp_path / "p").columns) == PAIRS_SCHEMA.names
    assert write_samples(tmp_path / "s", [SAMPLE]) == 1
    table = pd.read_parquet(tmp_path / "s")
    assert list(table.columns) == SAMPLES_SCHEMA.names
    row = table.iloc[0]
    assert (row["sample_id"], row["labels"], row["reference_index"]) == ("1", '["a", "b"]', 0)
