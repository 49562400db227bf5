"""What every backend promises, whatever it is made of."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from kdeval.config.schema import (
    EchoModelConfig,
    RecordedColumnsConfig,
    RecordedModelConfig,
    SequenceClassifierConfig,
)
from kdeval.errors import ModelError
from kdeval.models.protocols import Classifier, Model, Request
from kdeval.models.resolver import build_model
from kdeval.records import Message
from kdeval.run.executor import ask
from tests.contract.conftest import LABELS, WORDS

TEXTS = [" ".join(WORDS[: 1 + index % len(WORDS)]) * (1 + index % 3) for index in range(40)]


def _requests(labels: tuple[str, ...] = LABELS) -> list[Request]:
    return [
        Request(sample_id=f"s{index}", suite="x", kind="classification", input=text, labels=labels)
        for index, text in enumerate(TEXTS)
    ]


def _echo(folder: Path, bert: Path) -> Model:
    return build_model(EchoModelConfig(name="m", type="echo", seed=3))


def _recorded(folder: Path, bert: Path) -> Model:
    rows = [
        {"id": f"s{index}", "p": {"negative": 0.25, "positive": 0.75}}
        for index in range(len(TEXTS))
    ]
    (folder / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = RecordedColumnsConfig(id="id", probabilities="p")
    return build_model(
        RecordedModelConfig(name="m", type="recorded", path=str(folder / "p.jsonl"),
                            columns=columns)
    )  # fmt: skip


def _transformers(folder: Path, bert: Path) -> Model:
    return build_model(
        SequenceClassifierConfig(name="m", type="sequence_classifier", path=str(bert), device="cpu")
    )


BACKENDS: dict[str, Callable[[Path, Path], Model]] = {
    "echo": _echo,
    "recorded": _recorded,
    "sequence_classifier": _transformers,
}


@pytest.fixture(params=BACKENDS)
def model(request: pytest.FixtureRequest, tmp_path: Path, tiny_bert: Path) -> Model:
    return BACKENDS[request.param](tmp_path, tiny_bert)


def test_it_keeps_the_protocol(model: Model) -> None:
    """A capability is an isinstance; the fingerprint is a stable string."""
    assert isinstance(model, Classifier)
    assert model.fingerprint == model.fingerprint
    assert len(model.fingerprint) >= 16


def test_one_response_each_in_order(model: Model) -> None:
    """Outputs are labels, log-probabilities cover them and sum to one, confidence fits."""
    responses = ask(model, _requests())
    assert len(responses) == len(TEXTS)
    for response in responses:
        assert response.error is None
        assert response.output in LABELS
        assert response.log_probs is not None
        assert set(response.log_probs) == set(LABELS)
        assert sum(map(math.exp, response.log_probs.values())) == pytest.approx(1, abs=1e-6)
        assert response.output == max(response.log_probs, key=response.log_probs.__getitem__)
        assert response.confidence == pytest.approx(math.exp(response.log_probs[response.output]))


def test_the_batch_does_not_matter(model: Model) -> None:
    """Alone, in another order, or all at once: the same labels, probabilities within 1e-5."""
    requests = _requests()
    together = ask(model, requests)
    backwards = ask(model, requests[::-1])[::-1]
    alone = [ask(model, [request])[0] for request in requests]
    for one, two, three in zip(together, backwards, alone, strict=True):
        assert one.output == two.output == three.output
        assert one.log_probs == pytest.approx(two.log_probs, abs=1e-5)
        assert one.log_probs == pytest.approx(three.log_probs, abs=1e-5)


def test_chat_messages_are_read(model: Model) -> None:
    """A conversation is an input like any other."""
    request = Request(
        sample_id="s0", suite="x", kind="classification", labels=LABELS,
        input=(Message(role="user", content="good film"),),
    )  # fmt: skip
    assert ask(model, [request])[0].output in LABELS


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
