"""A teacher and a student that really tell digits: small vision transformers on 8 x 8 images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import torch
import yaml
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

LABELS = [str(digit) for digit in range(10)]
TEST = 400


def write_digits_run(folder: Path, *, epochs: int) -> Path:
    """The configuration of a run whose teacher was trained on the labels and whose student, with
    a third of its layers and a third of its width, on the teacher's probabilities.
    """
    torch.manual_seed(0)
    digits = load_digits()
    pixels = np.repeat((digits.images / 16 * 255).astype(np.uint8)[..., None], 3, axis=-1)
    order = np.random.default_rng(0).permutation(len(pixels))
    test, train = order[:TEST], order[TEST:]
    processor = ViTImageProcessor(size={"height": 8, "width": 8})
    inputs = processor(list(pixels[train]), return_tensors="pt")["pixel_values"]
    truth = torch.nn.functional.one_hot(torch.tensor(digits.target[train]), 10).float()
    teacher, student = _vit(layers=3, width=48), _vit(layers=1, width=16)
    _fit(teacher, inputs, truth, epochs)
    with torch.inference_mode():
        soft = teacher(inputs).logits.softmax(-1).clone()
    _fit(student, inputs, soft, epochs)
    for name, model in (("teacher", teacher), ("student", student)):
        model.save_pretrained(folder / name)
        processor.save_pretrained(folder / name)
    return _run_config(folder, pixels[test], digits.target[test])


def _vit(*, layers: int, width: int) -> ViTForImageClassification:
    config = ViTConfig(
        hidden_size=width, num_hidden_layers=layers, num_attention_heads=4,
        intermediate_size=2 * width, image_size=8, patch_size=2, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )  # fmt: skip
    return ViTForImageClassification(config)


def _fit(model: ViTForImageClassification, inputs: torch.Tensor, targets: torch.Tensor,
         epochs: int) -> None:  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(64):
            loss = torch.nn.functional.cross_entropy(model(inputs[rows]).logits, targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()


def _run_config(folder: Path, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> Path:
    rows = []
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        PIL.Image.fromarray(image).save(folder / f"{number}.png")
        rows.append({"file": f"{number}.png", "digit": str(label)})
    (folder / "digits.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    suite = {"name": "digits", "kind": "classification", "data": "digits.jsonl", "image": "file",
             "reference": "digit", "labels": LABELS,
             "slices": {"shape": "{{ 'round' if digit in '0689' else 'open' }}"}}  # fmt: skip
    (folder / "digits.yaml").write_text(yaml.safe_dump(suite))
    models = [{"name": name, "type": "image_classifier", "path": name, "device": "cpu"}
              for name in ("teacher", "student")]  # fmt: skip
    config = {"suites": ["digits.yaml"], "teacher": models[0], "students": models[1:],
              "latency_probe": {"requests": 8, "warmup": 1}}  # fmt: skip
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    return folder / "run.yaml"
