"""Small files of recorded predictions, and what a model made of one answers."""

import json

from kdeval.config.schema import RecordedColumnsConfig
from kdeval.models.protocols import Request
from kdeval.models.recorded import RecordedModel

LABELS = ("negative", "positive")
FULL = {
    "id": "a",
    "out": "positive",
    "ok": True,
    "conf": 0.9,
    "usd": 0.002,
    "sec": 0.25,
    "in": 12,
    "gen": 3,
}


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def jsonl(path, *rows):
    return write(path, "".join(json.dumps(row) + "\n" for row in rows))


def ask(model, sample_id="a", kind="classification", **more):
    """The response to one request of that kind."""
    defaults = {"classification": {"labels": LABELS}, "multiple_choice": {"choices": ("x", "y")}}
    request = Request(
        **{
            "sample_id": sample_id,
            "suite": "s",
            "kind": kind,
            "input": "text",
            **defaults.get(kind, {}),
            **more,
        }
    )
    method = {"classification": model.classify, "multiple_choice": model.score_choices}
    return method.get(kind, model.generate)([request])[0]


def model(path, **columns):
    """The model of the file at `path`: setting to column."""
    return RecordedModel(path, columns=RecordedColumnsConfig(**columns))
