"""A pair in seconds, without torch or a download: scikit-learn's digits, recorded as predictions.

The tests run the whole chain on it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

__all__ = ["DigitsFiles", "image_text", "write_digits"]

Floats = NDArray[np.float64]

_LABELS = tuple("0123456789")
_TRAINING = 797
_NEGLIGIBLE = 1e-3
_CONFIG = """\
seed: {seed}
suites: [suite.yaml]
teacher:
  name: network
  type: recorded
  path: network.jsonl
  columns: {{id: id, output: output, probabilities: probabilities}}
students:
  - name: linear
    type: recorded
    path: linear.csv
    columns: {{id: id, output: output, probabilities: {columns}}}
  - name: row_sums
    type: recorded
    path: row_sums.csv
    columns: {{id: id, output: output, probabilities: {columns}}}
"""
_SUITE = """\
name: digits
kind: classification
data: data.jsonl
id: id
input: "{{ text }}"
reference: "{{ label }}"
labels: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
slices: [ink]
"""
_POLICY = """\
rules:
  - {metric: retention, min: 0.9}
  - {metric: error_share, max: 0.01}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsFiles:
    """What `write_digits` wrote: a run's configuration, a gate's policy, the suite, its data."""

    config: Path
    policy: Path
    suite: Path
    data: Path


def write_digits(out: Path, *, seed: int = 0) -> DigitsFiles:
    """1,000 digits with the recorded answers of a teacher and two students, into `out`.

    The teacher is a small neural network; `linear` is a logistic regression on a quarter of the
    resolution, distilled from the teacher's probabilities; `row_sums` sees eight numbers only.
    """
    out.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.data))
    training, asked = order[:_TRAINING], order[_TRAINING:]
    images, labels = digits.data / 16, digits.target
    network = MLPClassifier(
        hidden_layer_sizes=(32,), learning_rate_init=0.01, tol=1e-3, random_state=seed
    ).fit(images[training], labels[training])
    soft = network.predict_proba(images[training])
    ids = [f"digit-{index:04d}" for index in asked]
    _write_jsonl(out / "network.jsonl", ids, network.predict_proba(images[asked]))
    for name, view in (("linear", _quarter), ("row_sums", _row_sums)):
        student = _distil(view(images[training]), soft)
        _write_csv(out / f"{name}.csv", ids, student.predict_proba(view(images[asked])))
    _write_data(out / "data.jsonl", ids, images[asked], labels[asked])
    columns = "{" + ", ".join(f'"{label}": p{label}' for label in _LABELS) + "}"
    (out / "kdeval.yaml").write_text(_CONFIG.format(seed=seed, columns=columns), "utf-8")
    (out / "suite.yaml").write_text(_SUITE, "utf-8")
    (out / "gate.yaml").write_text(_POLICY, "utf-8")
    return DigitsFiles(
        config=out / "kdeval.yaml",
        policy=out / "gate.yaml",
        suite=out / "suite.yaml",
        data=out / "data.jsonl",
    )


def image_text(image: Floats) -> str:
    """Sixteen words, one for each half of a row: a letter for its place, four grey levels 0 to 2.

    A word thus says where it is, so that even a bag of words knows the image.
    """
    levels = np.digitize(image, (0.25, 0.7)).reshape(16, 4)
    return " ".join(
        chr(ord("a") + place) + "".join(map(str, half)) for place, half in enumerate(levels)
    )


def _quarter(images: Floats) -> Floats:
    pooled: Floats = images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    return pooled


def _row_sums(images: Floats) -> Floats:
    sums: Floats = images.reshape(-1, 8, 8).sum(axis=2)
    return sums / 4


def _distil(features: Floats, soft: Floats) -> LogisticRegression:
    """Cross-entropy with soft labels: every row once per likely class, weighted by its share."""
    rows, classes = np.nonzero(soft > _NEGLIGIBLE)
    return LogisticRegression(C=30.0, max_iter=1000).fit(
        features[rows], classes, sample_weight=soft[rows, classes]
    )


def _write_data(file: Path, ids: Sequence[str], images: Floats, labels: NDArray[np.int64]) -> None:
    typical = float(np.median(images.sum(axis=1)))
    with file.open("w", encoding="utf-8") as lines:
        for key, image, label in zip(ids, images, labels, strict=True):
            ink = "dark" if image.sum() > typical else "light"
            row = {"id": key, "text": image_text(image), "label": str(label), "ink": ink}
            lines.write(json.dumps(row) + "\n")


def _write_jsonl(file: Path, ids: Sequence[str], probabilities: Floats) -> None:
    with file.open("w", encoding="utf-8") as lines:
        for key, row in zip(ids, probabilities, strict=True):
            named = dict(zip(_LABELS, row.tolist(), strict=True))
            output = _LABELS[int(row.argmax())]
            lines.write(json.dumps({"id": key, "output": output, "probabilities": named}) + "\n")


def _write_csv(file: Path, ids: Sequence[str], probabilities: Floats) -> None:
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["id", "output", *(f"p{label}" for label in _LABELS)])
        for key, row in zip(ids, probabilities, strict=True):
            writer.writerow([key, _LABELS[int(row.argmax())], *row.tolist()])
