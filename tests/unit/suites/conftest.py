"""A small suite on disk, to be changed by each test."""

from __future__ import annotations

import json

import pytest
import yaml

from kdeval.suites import load_suite

CONFIG = {
    "name": "sentiment",
    "kind": "classification",
    "data": "eval.jsonl",
    "id": "id",
    "input": "{{ text }}",
    "reference": "{{ label }}",
    "labels": ["negative", "positive"],
}
ROWS = [
    {"id": "a", "text": "good", "label": "positive", "domain": "movies", "doc": 1},
    {"id": "b", "text": "bad", "label": "negative", "domain": "tweets", "doc": 1},
    {"id": "c", "text": "fine", "label": "positive", "domain": None, "doc": None},
]


class SuiteFiles:
    """Writes `suite.yaml` and its data, and loads them."""

    config = CONFIG
    rows = tuple(ROWS)

    def __init__(self, folder):
        self.path = folder / "suite.yaml"
        self.data = folder / "eval.jsonl"

    def write(self, rows=tuple(ROWS), **changes):
        if isinstance(rows, str):
            self.data.write_text(rows, encoding="utf-8")
        else:
            lines = (json.dumps(row) + "\n" for row in rows)
            self.data.write_text("".join(lines), encoding="utf-8")
        config = {key: v for key, v in {**CONFIG, **changes}.items() if v is not None}
        self.path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    def load(self, rows=tuple(ROWS), **changes):
        self.write(rows, **changes)
        return load_suite(self.path)


@pytest.fixture
def files(tmp_path):
    return SuiteFiles(tmp_path)
