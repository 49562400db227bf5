"""What an image classifier promises, and how images come out of a suite."""

from __future__ import annotations

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from kdeval.config.schema import ImageClassifierConfig, SequenceClassifierConfig
from kdeval.errors import ConfigError, DataError, ModelError
from kdeval.models.protocols import Classifier, Model, Request
from kdeval.models.request_keys import request_key
from kdeval.models.resolver import build_model
from kdeval.records import Image
from kdeval.run.executor import ask
from kdeval.run.requests import as_request
from kdeval.suites.read import Suite, load_suite

LABELS = ("cat", "dog", "bird")


def _png(seed: int, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer ViT of random weights with its image processor."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    found = tmp_path_factory.mktemp("vit")
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        image_size=8, patch_size=4, initializer_range=0.5,
        id2label=dict(enumerate(LABELS)), label2id={name: i for i, name in enumerate(LABELS)},
    )  # fmt: skip
    ViTForImageClassification(config).save_pretrained(found)
    ViTImageProcessor(size={"height": 8, "width": 8}).save_pretrained(found)
    return found


def _build(folder: Path, **settings: Any) -> Model:
    return build_model(
        ImageClassifierConfig.model_validate(
            {"name": "m", "type": "image_classifier", "path": str(folder), "device": "cpu",
             **settings}
        )
    )  # fmt: skip


def _requests(n: int = 9, labels: tuple[str, ...] = LABELS) -> list[Request]:
    return [
        Request(
            sample_id=f"s{index}", suite="x", kind="classification", input=f"[image {index}]",
            labels=labels, image=Image(sha256=str(index), data=_png(index)),
        )
        for index in range(n)
    ]  # fmt: skip


def test_it_is_a_classifier(folder: Path) -> None:
    """Probabilities over the labels, the same as a plain forward pass; nothing loaded before."""
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    model = _build(folder)
    assert isinstance(model, Classifier)
    plain = AutoModelForImageClassification.from_pretrained(folder).eval()
    processor = AutoImageProcessor.from_pretrained(folder)
    for index, response in enumerate(ask(model, _requests())):
        image = PIL.Image.open(io.BytesIO(_png(index)))
        with torch.inference_mode():
            logits = plain(**processor(image, return_tensors="pt")).logits[0]
        assert response.log_probs is not None
        expected = logits.log_softmax(dim=-1).tolist()
        assert list(response.log_probs.values()) == pytest.approx(expected, abs=1e-5)
        assert response.output == LABELS[int(logits.argmax())]
        assert response.confidence == pytest.approx(math.exp(max(expected)), abs=1e-5)


def test_the_batch_does_not_matter(folder: Path) -> None:
    """Alone or together, whatever the images' sizes and modes."""
    requests = _requests(4)
    for index, (size, mode) in enumerate([((40, 5), "L"), ((3, 9), "RGBA"), ((8, 8), "P")]):
        image = Image(sha256=mode, data=_png(index, size, mode))
        requests.append(
            Request(sample_id=mode, suite="x", kind="classification", input="", labels=LABELS,
                    image=image)
        )  # fmt: skip
    together = ask(_build(folder), requests)
    one = _build(folder, batch_size=1)
    for request, response in zip(requests, together, strict=True):
        assert response.error is None
        assert ask(one, [request])[0].log_probs == pytest.approx(response.log_probs, abs=1e-5)


def test_an_image_that_cannot_be_read_fails_alone(folder: Path) -> None:
    """The others of its batch are answered."""
    requests = _requests(3)
    bad = Request(sample_id="bad", suite="x", kind="classification", input="", labels=LABELS,
                  image=Image(sha256="b", data=_png(0)[:40]))  # fmt: skip
    gone = Request(sample_id="gone", suite="x", kind="classification", input="", labels=LABELS,
                   image=Image(sha256="g", path=str(folder / "gone.png")))  # fmt: skip
    answers = ask(_build(folder), [requests[0], bad, requests[1], gone, requests[2]])
    assert [answer.error is None for answer in answers] == [True, False, True, False, True]
    assert "cannot be read as an image" in (answers[1].error or "")
    assert "gone.png" in (answers[3].error or "")


def test_out_of_memory_halves_the_batch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that does not fit is halved until it does; the answers are the same."""
    from transformers import ViTForImageClassification

    expected = [response.output for response in ask(_build(folder), _requests())]
    forward = ViTForImageClassification.forward
    sizes: list[int] = []

    def limited(self: Any, pixel_values: torch.Tensor) -> Any:
        sizes.append(len(pixel_values))
        if len(pixel_values) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, pixel_values=pixel_values)

    monkeypatch.setattr(ViTForImageClassification, "forward", limited)
    assert [response.output for response in ask(_build(folder), _requests())] == expected
    assert sizes[:3] == [9, 4, 2]


def test_the_fingerprint(folder: Path, tmp_path: Path) -> None:
    """Weights, processor, dtype and label mapping are in it; batch size is not."""
    base = _build(folder).fingerprint
    assert _build(folder, batch_size=2).fingerprint == base
    assert _build(folder, dtype="bfloat16").fingerprint != base
    assert _build(folder, labels={"cat": "kitten"}).fingerprint != base
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert _build(tmp_path).fingerprint == base
    processor = json.loads((tmp_path / "preprocessor_config.json").read_text())
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**processor, "resample": 0}))
    assert _build(tmp_path).fingerprint != base


def test_what_it_cannot_answer(folder: Path, tiny_bert: Path, tmp_path: Path) -> None:
    """A suite without images, a label it lacks, a directory without a processor; and a text
    model is not asked about images.
    """
    plain = Request(sample_id="s", suite="x", kind="classification", input="text", labels=LABELS)
    with pytest.raises(ModelError, match="set `image` in the suite 'x'"):
        ask(_build(folder), [plain])
    with pytest.raises(ModelError, match="no label 'fish'"):
        ask(_build(folder), _requests(1, labels=("fish", "cat")))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"no preprocessor_config\.json"):
        _build(tmp_path)
    text = build_model(
        SequenceClassifierConfig(
            name="t", type="sequence_classifier", path=str(tiny_bert), device="cpu"
        )
    )
    with pytest.raises(ModelError, match="no images"):
        ask(text, _requests(1))


def _suite(folder: Path, data: str, image: str | None, **settings: Any) -> Suite:
    config = {"name": "pets", "kind": "classification", "data": data, "image": image,
              "labels": list(LABELS), "reference": "label", **settings}  # fmt: skip
    (folder / "suite.yaml").write_text(json.dumps(config))
    return load_suite(folder / "suite.yaml")


def test_images_of_a_suite(folder: Path, tmp_path: Path) -> None:
    """Paths beside the data, data URIs, bytes and mappings of bytes are the same image: the same
    content hash, the same key, the same answer.
    """
    (tmp_path / "data" / "pictures").mkdir(parents=True)
    (tmp_path / "data" / "pictures" / "1.png").write_bytes(_png(1))
    row = {"file": "1.png", "label": "cat", "encoded": base64.b64encode(_png(1)).decode()}
    (tmp_path / "data" / "rows.jsonl").write_text(json.dumps(row) + "\n")
    table = {"raw": [_png(1)], "nested": [{"bytes": _png(1), "path": None}], "label": ["cat"]}
    pq.write_table(pa.table(table), tmp_path / "data" / "rows.parquet")
    suites = [
        _suite(tmp_path, "data/rows.jsonl", "pictures/{{ file }}"),
        _suite(tmp_path, "data/rows.jsonl", "data:image/png;base64,{{ encoded }}"),
        _suite(tmp_path, "data/rows.parquet", "raw"),
        _suite(tmp_path, "data/rows.parquet", "nested"),
    ]
    model = _build(folder)
    assert len({suite.fingerprint for suite in suites}) == 1
    samples = [suite.samples[0] for suite in suites]
    assert len({sample.content_hash for sample in samples}) == 1
    assert samples[0].text.startswith("[image ")
    requests = [as_request(sample) for sample in samples]
    assert len({request_key(model, model.fingerprint, request) for request in requests}) == 1
    answers = ask(model, requests)
    assert len({answer.output for answer in answers}) == 1
    assert all(answer.error is None for answer in answers)


def test_a_changed_image_is_another_sample(folder: Path, tmp_path: Path) -> None:
    """The same path with other bytes has another content hash and another key."""
    model = _build(folder)
    (tmp_path / "rows.jsonl").write_text(json.dumps({"file": "1.png", "label": "cat"}) + "\n")
    found = []
    for seed in (1, 2):
        (tmp_path / "1.png").write_bytes(_png(seed))
        sample = _suite(tmp_path, "rows.jsonl", "file", input="{{ file }}").samples[0]
        key = request_key(model, model.fingerprint, as_request(sample))
        found.append((sample.content_hash, key))
    assert found[0][0] != found[1][0]
    assert found[0][1] != found[1][1]


def test_images_that_are_missing(tmp_path: Path) -> None:
    """The suite is refused with the line of every row whose image is missing."""
    rows = [{"file": "gone.png"}, {"file": None}, {"file": "data:image/png,xx"},
            {"file": "data:image/png;base64,x"}]  # fmt: skip
    lines = [json.dumps({**row, "label": "cat"}) + "\n" for row in rows]
    (tmp_path / "rows.jsonl").write_text("".join(lines))
    with pytest.raises(DataError) as caught:
        _suite(tmp_path, "rows.jsonl", "file")
    message = str(caught.value)
    for part in (
        "gone.png cannot be read",
        "value is missing",
        "must be base64",
        "not valid base64",
    ):
        assert part in message
    with pytest.raises(ConfigError, match="input is required, unless there is `image`"):
        _suite(tmp_path, "rows.jsonl", None)
