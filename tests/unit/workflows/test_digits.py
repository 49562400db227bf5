"""The small pair that the tests run the whole chain on."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kdeval.config.schema import load_config
from kdeval.gate.policy import load_policy
from kdeval.models.protocols import Request
from kdeval.models.recorded import RecordedModel
from kdeval.suites.read import load_suite
from kdeval.workflows.demo.digits import DigitsFiles, image_text, write_digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> DigitsFiles:
    """Written once."""
    return write_digits(tmp_path_factory.mktemp("digits"), seed=0)


def test_the_files_are_valid(digits: DigitsFiles) -> None:
    """Configuration, suite and policy load, and every sample can be asked."""
    config = load_config(digits.config)
    suite = load_suite(config.suites[0])
    assert len(suite.samples) == 1000
    assert {sample.slices["ink"] for sample in suite.samples} == {"dark", "light"}
    assert all(sample.cluster is None for sample in suite.samples)
    assert load_policy(digits.policy).rules
    assert [student.name for student in config.students] == ["linear", "row_sums"]


def test_recorded_models_answer_every_sample(digits: DigitsFiles) -> None:
    """With probabilities that add up to one; and the teacher knows more than the students."""
    config = load_config(digits.config)
    suite = load_suite(config.suites[0])
    requests = [
        Request(
            sample_id=sample.id,
            suite="digits",
            kind="classification",
            input=sample.text,
            labels=sample.labels or (),
        )
        for sample in suite.samples
    ]
    right = {}
    for model in config.models:
        answers = RecordedModel.from_config(model).classify(requests)
        assert not any(answer.error for answer in answers)
        for answer in answers:
            probabilities = np.exp(list((answer.log_probs or {}).values()))
            assert len(probabilities) == 10
            assert probabilities.sum() == pytest.approx(1.0, abs=1e-6)
        right[model.name] = np.mean(
            [a.output == s.reference for a, s in zip(answers, suite.samples, strict=True)]
        )
    assert right["network"] > right["linear"] > right["row_sums"] > 0.5


def test_the_same_seed_writes_the_same_files(digits: DigitsFiles, tmp_path: Path) -> None:
    """And another seed others."""
    first = {file.name: file.read_bytes() for file in digits.config.parent.iterdir()}
    again = write_digits(tmp_path / "again", seed=0).config.parent
    assert {file.name: file.read_bytes() for file in again.iterdir()} == first
    other = write_digits(tmp_path / "other", seed=1).data
    assert other.read_bytes() != first["data.jsonl"]


def test_no_answer_is_in_the_question(digits: DigitsFiles) -> None:
    """The text is the image only, the ids are no labels."""
    rows = [json.loads(line) for line in digits.data.read_text().splitlines()]
    with (digits.config.parent / "linear.csv").open(newline="") as lines:
        answered = [row["id"] for row in csv.DictReader(lines)]
    assert [row["id"] for row in rows] == answered
    assert len({row["text"] for row in rows}) > 990


def test_an_image_as_words() -> None:
    """Sixteen places, three levels of grey."""
    image = np.zeros(64)
    image[:4] = [0.0, 0.3, 0.7, 1.0]
    words = image_text(image).split()
    assert words[:2] == ["a0122", "b0000"]
    assert [word[0] for word in words] == list("abcdefghijklmnop")


def test_it_needs_no_torch() -> None:
    """So that it runs where only the core is installed."""
    code = (
        "import sys, kdeval.workflows.demo.digits\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
