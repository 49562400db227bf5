"""What is particular to a transformers sequence classifier."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdeval.config.schema import SequenceClassifierConfig
from kdeval.errors import ModelError
from kdeval.models.protocols import Model, Request
from kdeval.models.resolver import build_model
from kdeval.run.executor import ask
from tests.contract.conftest import LABELS, WORDS

TEXTS = [" ".join(WORDS[: 1 + index % len(WORDS)]) * (1 + index % 3) for index in range(40)]


def _requests(labels: tuple[str, ...] = LABELS) -> list[Request]:
    return [
        Request(sample_id=f"s{index}", suite="x", kind="classification", input=text, labels=labels)
        for index, text in enumerate(TEXTS)
    ]


def test_the_fingerprint_follows_what_answers_depend_on(tmp_path: Path, tiny_bert: Path) -> None:
    """Weights, truncation and label mapping are in it; batch size and device are not."""

    def fingerprint(**changes: object) -> str:
        settings = {"name": "m", "type": "sequence_classifier", "path": str(tiny_bert),
                    "device": "cpu", **changes}  # fmt: skip
        return build_model(SequenceClassifierConfig.model_validate(settings)).fingerprint

    base = fingerprint()
    assert fingerprint(batch_size=3) == base
    assert fingerprint(max_length=8) != base
    assert fingerprint(dtype="bfloat16") != base
    assert fingerprint(labels={"negative": "no"}) != base
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in tiny_bert.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert fingerprint(path=str(copy)) == base
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(bytes(weights))
    assert fingerprint(path=str(copy)) != base


def test_labels_the_classifier_does_not_have(tiny_bert: Path) -> None:
    """The error says which, and how to map them."""
    model = build_model(
        SequenceClassifierConfig(
            name="m", type="sequence_classifier", path=str(tiny_bert), device="cpu"
        )
    )
    with pytest.raises(ModelError, match=r"no label 'bad'.*labels: \{model label: suite label\}"):
        ask(model, _requests(labels=("bad", "good")))


def test_labels_are_mapped_and_reordered(tiny_bert: Path) -> None:
    """The same probabilities under the suite's names, in whatever order it lists them."""
    plain = build_model(
        SequenceClassifierConfig(
            name="m", type="sequence_classifier", path=str(tiny_bert), device="cpu"
        )
    )
    mapped = build_model(
        SequenceClassifierConfig(
            name="m", type="sequence_classifier", path=str(tiny_bert), device="cpu",
            labels={"negative": "bad", "positive": "good"},
        )
    )  # fmt: skip
    for one, other in zip(
        ask(plain, _requests()), ask(mapped, _requests(labels=("good", "bad"))), strict=True
    ):
        assert one.log_probs is not None
        assert other.log_probs is not None
        assert one.log_probs["positive"] == pytest.approx(other.log_probs["good"])


def test_out_of_memory_halves_the_batch(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that does not fit is halved until it does; the answers are the same."""
    import torch
    from transformers import BertForSequenceClassification

    def build() -> Model:
        return build_model(
            SequenceClassifierConfig(
                name="m", type="sequence_classifier", path=str(tiny_bert), device="cpu"
            )
        )

    expected = ask(build(), _requests())
    forward = BertForSequenceClassification.forward
    sizes: list[int] = []

    def limited(self: object, input_ids: torch.Tensor, **rest: object) -> object:
        sizes.append(len(input_ids))
        if len(input_ids) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, input_ids=input_ids, **rest)

    monkeypatch.setattr(BertForSequenceClassification, "forward", limited)
    found = ask(build(), _requests())
    assert [response.output for response in found] == [response.output for response in expected]
    assert sizes[:4] == [40, 20, 10, 5]
    assert max(sizes[4:]) <= 5
