"""The files beside models and data: configurations, suites, policy, and a word about origins."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["write_documents"]

_HEADER = (
    "# Written by `kdeval demo`, which writes it again when it runs again: copy it to change it.\n"
)

_MODELS = """\
teacher:
  name: teacher
  type: sequence_classifier
  path: models/teacher
students:
  - name: two_layer           # distilled from movie and Amazon texts only
    type: sequence_classifier
    path: models/two_layer
  - name: two_layer_tweets    # the same, and 800 unlabelled tweets
    type: sequence_classifier
    path: models/two_layer_tweets
  - name: static              # a class of one's own, as an example
    type: kdeval.workflows.demo.static_student:StaticClassifier
    options: {path: models/static}
# An example price of the machine, the same for all; requests per hour come from the latency probe.
costs:
  teacher: {usd_per_hour: 0.20}
  two_layer: {usd_per_hour: 0.20}
  two_layer_tweets: {usd_per_hour: 0.20}
  static: {usd_per_hour: 0.20}
"""

_SUITE = """\
name: sentiment
kind: classification
description: {description}
data: ../data/{data}
id: id
input: "{{{{ text }}}}"
reference: "{{{{ label }}}}"
labels: [negative, positive]
slices: [domain]              # compared one by one
task: domain                  # routed one by one
cluster: document             # sentences of one review or article are not independent
"""

_POLICY = """\
# What a student must keep before it may replace the teacher. All rules must pass.
confidence: 0.95   # one-sided, of every rule
min_n: 100
rules:
  - {metric: retention, min: 0.90}
  - {metric: retention, slice: domain=tweets, min: 0.92}
  - {metric: latency_ratio, max: 0.8, min_n: 50}
  - {metric: error_share, max: 0.01}
"""

_README = """\
# A distilled sentiment classifier, to try kdeval on

- `models/teacher`: a six-layer sentence encoder whose upper half was fine-tuned on labelled texts
  of four domains: movie reviews, Amazon reviews, tweets and newspaper editorials.
- `models/two_layer`: two of its layers, distilled from its answers to movie and Amazon texts.
- `models/two_layer_tweets`: the same, with unlabelled tweets among the texts.
- `models/static`: a bag of word vectors, distilled like `two_layer`.
- `data/eval.jsonl`, `data/heldout.jsonl`: labelled texts that no model was trained on; no document
  is in both. The label is the side the mean human rating is on; ratings within 0.5 of the middle
  are left out, and so are repeated texts.

The commands that were run, to be run again by hand in this directory:

    kdeval run kdeval.yaml --out runs/eval
    kdeval report runs/eval
    kdeval gate runs/eval --policy gate.yaml --student two_layer_tweets
    kdeval route fit runs/eval -o router
    kdeval run heldout.yaml --out runs/heldout
    kdeval route eval router runs/heldout

## Origins

Unless directories of your own were given: the encoder is all-MiniLM-L6-v2 (Apache-2.0) and the
texts are those of C. J. Hutto and E. Gilbert, VADER: A Parsimonious Rule-based Model for Sentiment
Analysis of Social Media Text, ICWSM 2014, as published with vaderSentiment 3.3.2 (MIT; the licence
is in `data/LICENSE.txt`). The texts were written by the public and some are coarse.
"""


def write_documents(out: Path, *, seed: int) -> None:
    """The YAML files and the README of the demonstration, into `out` and `out`/suites."""
    suites = out / "suites"
    suites.mkdir(exist_ok=True)
    evaluation = _SUITE.format(
        description="Texts for judging the students and fitting the router", data="eval.jsonl"
    )
    heldout = _SUITE.format(
        description="Texts kept back for trying the router", data="heldout.jsonl"
    )
    _write(suites / "sentiment.yaml", _HEADER + evaluation)
    _write(suites / "heldout.yaml", _HEADER + heldout)
    _write(out / "kdeval.yaml", _config("sentiment", seed))
    _write(out / "heldout.yaml", _config("heldout", seed))
    _write(out / "gate.yaml", _HEADER + _POLICY)
    _write(out / "README.md", _README)


def _config(suite: str, seed: int) -> str:
    return f"{_HEADER}name: demo-{suite}\nseed: {seed}\nsuites: [suites/{suite}.yaml]\n{_MODELS}"


def _write(file: Path, text: str) -> None:
    unfinished = file.with_name(f".{file.name}.tmp")
    unfinished.write_text(text, "utf-8")
    os.replace(unfinished, file)
