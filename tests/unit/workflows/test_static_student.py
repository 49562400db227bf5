"""The static student, the worked example of a model of one's own."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from kdeval.errors import ModelError
from kdeval.models.protocols import Classifier, Request
from kdeval.workflows.demo.static_student import StaticClassifier

LABELS = ("negative", "positive")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two known words: good leads to (0, 2), bad to (0, -2); the hidden layer adds one."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "good": 1, "bad": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    weights = {
        "vectors": [[0.0], [1.0], [-1.0]],
        "hidden.weight": [[2.0], [-2.0]],
        "hidden.bias": [0.0, 0.0],
        "output.weight": [[0.0, 0.0], [1.0, -1.0]],
        "output.bias": [0.0, 0.0],
    }
    arrays = {name: np.array(value, dtype=np.float32) for name, value in weights.items()}
    save_file(arrays, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"labels": LABELS}))
    return tmp_path


def _request(text: str, labels: tuple[str, ...] = LABELS) -> Request:
    return Request(sample_id="s", suite="t", kind="classification", input=text, labels=labels)


def test_it_computes_what_is_stored(folder: Path) -> None:
    """The mean vector through one hidden layer; log-probabilities that add up to one."""
    model = StaticClassifier(str(folder))
    good, mixed, empty = model.classify(
        [_request("good good unheard"), _request("bad good"), _request("")]
    )
    positive = 1 / (1 + math.exp(-2 * 2 / 3))
    assert good.output == "positive"
    assert good.confidence == pytest.approx(positive, abs=1e-6)
    assert good.log_probs == {
        "negative": pytest.approx(math.log(1 - positive), abs=1e-6),
        "positive": pytest.approx(math.log(positive), abs=1e-6),
    }
    assert good.input_tokens == 3
    assert mixed.confidence == empty.confidence == pytest.approx(0.5)
    assert empty.input_tokens == 0


def test_labels_come_in_the_requests_order(folder: Path) -> None:
    """The suite's order decides, not the model's."""
    (answer,) = StaticClassifier(str(folder)).classify([_request("bad", LABELS[::-1])])
    assert answer.output == "negative"
    assert list(answer.log_probs or ()) == ["positive", "negative"]


def test_an_unknown_label_is_an_error(folder: Path) -> None:
    """Not a probability of zero."""
    with pytest.raises(ModelError, match="no label 'neutral'"):
        StaticClassifier(str(folder)).classify([_request("good", (*LABELS, "neutral"))])


def test_it_is_a_classifier_with_a_fingerprint(folder: Path) -> None:
    """Which changes with any of its files."""
    model = StaticClassifier(str(folder))
    assert isinstance(model, Classifier)
    assert model.fingerprint == StaticClassifier(str(folder)).fingerprint
    (folder / "config.json").write_text(json.dumps({"labels": LABELS[::-1]}))
    assert StaticClassifier(str(folder)).fingerprint != model.fingerprint


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_broken_directory_is_told(folder: Path, file: str) -> None:
    """Which file it is, whether it is missing or spoilt."""
    (folder / file).write_bytes(b"{}")
    with pytest.raises(ModelError, match="cannot be loaded"):
        StaticClassifier(str(folder))
    (folder / file).unlink()
    with pytest.raises(ModelError, match=f"has no {file}"):
        StaticClassifier(str(folder))


def test_labels_must_fit_the_weights(folder: Path) -> None:
    """A third label has no output."""
    (folder / "config.json").write_text(json.dumps({"labels": [*LABELS, "neutral"]}))
    with pytest.raises(ModelError, match="names 3 labels"):
        StaticClassifier(str(folder))


def test_it_needs_no_torch() -> None:
    """Importing it loads neither torch nor transformers."""
    code = (
        "import sys, kdeval.workflows.demo.static_student\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
