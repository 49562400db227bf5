"""Whole runs of tiny transformers pairs: every kind of suite, images, and what is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
import yaml
from rich.console import Console

from kdeval.compare.compute import compare_run
from kdeval.config.schema import load_config
from kdeval.models.protocols import Unloadable
from kdeval.run.asking import ask_models
from kdeval.run.prepare import prepare
from kdeval.store.predictions import PredictionStore
from kdeval.workflows.evaluate import evaluate
from kdeval.workflows.reporting import write_report
from tests.contract.causal_models import save_llama, save_mamba, save_tokenizer
from tests.contract.digit_images import write_digits_run


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _suite(folder: Path, name: str, rows: list[dict[str, object]], **settings: object) -> None:
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {"name": name, "data": f"{name}.jsonl", **settings}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))


def test_a_causal_pair_on_every_kind_of_suite(tmp_path: Path) -> None:
    """Labels, choices, JSON and text in one run; a second run asks nothing; tokens, truncation
    and mean log-probability are in the pairs, and the probe knows the first token.
    """
    for seed, name in enumerate(("teacher", "student")):
        (tmp_path / name).mkdir()
        save_llama(tmp_path / name, seed=seed)
        save_tokenizer(tmp_path / name, chat=True)
    texts = [f"one two {number}" for number in range(6)]
    _suite(tmp_path, "labels", [{"t": text, "y": "good"} for text in texts], kind="classification",
           input="t", reference="y", labels=["good", "bad"])  # fmt: skip
    _suite(tmp_path, "choices", [{"t": text, "o": ["a", "b c"], "y": 1} for text in texts],
           kind="multiple_choice", input="t", choices="o", reference={"column": "y"})  # fmt: skip
    _suite(tmp_path, "fields", [{"t": text, "y": {"a": 1}} for text in texts], kind="extraction",
           input="t", reference={"column": "y"}, max_new_tokens=3)  # fmt: skip
    _suite(tmp_path, "texts", [{"t": text, "y": "x", "s": ["a", "e"]} for text in texts],
           kind="generation", input=[{"role": "user", "content": "{{ t }}"}], reference="y",
           scorers=["token_f1", {"type": "pass_at_k", "k": 2}], stop="s")  # fmt: skip
    generation = {"max_new_tokens": 5, "temperature": 1.0, "samples": 2}
    models = [
        {"name": name, "type": "causal_lm", "path": name, "device": "cpu",
         "generation": generation}
        for name in ("teacher", "student")
    ]  # fmt: skip
    config = {"suites": [f"{name}.yaml" for name in ("labels", "choices", "fields", "texts")],
              "teacher": models[0], "students": models[1:],
              "latency_probe": {"requests": 8, "warmup": 0}}  # fmt: skip
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    done = evaluate(load_config(tmp_path / "run.yaml"), tmp_path / "out")
    assert done.asked == {"teacher": 24, "student": 24}
    assert not any(done.failures.values())
    pairs = done.run.pairs()
    assert set(pairs["metric"]) >= {"label", "multiple_choice", "token_f1", "pass@2"}
    written = pairs[pairs["suite"].isin(["fields", "texts"])]
    assert (written["teacher_mean_log_prob"] < 0).all()
    assert (written["teacher_reasoning_tokens"] == 0).all()
    assert written["teacher_truncated"].notna().all()
    assert (pairs[pairs["suite"] == "fields"]["student_output_tokens"] <= 6).all()
    assert pairs["student_latency_s"].isna().all()
    entry = done.run.manifest.teacher
    assert entry.parameters is not None
    assert entry.parameters > 1000
    latencies = done.run.latencies()
    assert latencies is not None
    assert latencies["first_token_s"].notna().any()
    again = evaluate(load_config(tmp_path / "run.yaml"), tmp_path / "out")
    assert again.asked == {"teacher": 0, "student": 0}
    assert again.run.manifest.teacher.parameters == entry.parameters


def test_a_model_that_cannot_share_beginnings_says_so_after_the_run(tmp_path: Path) -> None:
    """A state space is computed choice by choice: the summary of the run tells it, and every form
    of the report; a rerun that asks nothing still knows it.
    """
    for name in ("teacher", "student"):
        (tmp_path / name).mkdir()
        save_tokenizer(tmp_path / name)
    save_llama(tmp_path / "teacher")
    save_mamba(tmp_path / "student")
    _suite(tmp_path, "choices", [{"t": f"one {n}", "o": ["a", "b c"], "y": 1} for n in range(4)],
           kind="multiple_choice", input="t", choices="o", reference={"column": "y"})  # fmt: skip
    models = [{"name": name, "type": "causal_lm", "path": name, "device": "cpu"}
              for name in ("teacher", "student")]  # fmt: skip
    config = {"suites": ["choices.yaml"], "teacher": models[0], "students": models[1:],
              "latency_probe": False}  # fmt: skip
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    out, words = tmp_path / "out", "choices were computed with their whole prompts"
    told = " ".join(evaluate(load_config(tmp_path / "run.yaml"), out).warnings)
    assert f"student: {words}" in told
    assert "teacher:" not in told
    again = evaluate(load_config(tmp_path / "run.yaml"), out)
    assert again.asked == {"teacher": 0, "student": 0}
    (note,) = again.run.manifest.students[0].notes
    assert note.startswith(words)
    assert again.run.manifest.teacher.notes == ()
    written = write_report(out, out=tmp_path / "report", formats=["html", "md", "json"])
    for file in written.files:
        assert words in file.read_text(), file
    console = Console(record=True, width=200, file=StringIO())
    written.show(console, full=True)
    assert f"student: {words}" in console.export_text()


def test_without_a_probe_one_model_after_the_other_is_in_memory(tmp_path: Path) -> None:
    """Its weights go once it was asked, what it noted stays, and the answers are the same."""
    for name, save in (("teacher", save_llama), ("student", save_mamba)):
        (tmp_path / name).mkdir()
        save_tokenizer(tmp_path / name)
        save(tmp_path / name)
    _suite(tmp_path, "choices", [{"t": f"one {n}", "o": ["a", "b c"], "y": 1} for n in range(4)],
           kind="multiple_choice", input="t", choices="o", reference={"column": "y"})  # fmt: skip
    models = [{"name": name, "type": "causal_lm", "path": name, "device": "cpu"}
              for name in ("teacher", "student")]  # fmt: skip
    config = {"suites": ["choices.yaml"], "teacher": models[0], "students": models[1:]}
    answers = []
    for probe in (False, {"requests": 8}):
        (tmp_path / "run.yaml").write_text(yaml.safe_dump({**config, "latency_probe": probe}))
        inputs = prepare(load_config(tmp_path / "run.yaml"))
        with PredictionStore(tmp_path / f"{bool(probe)}.sqlite") as store:
            asked = ask_models(inputs, store, progress=lambda *_: None)
            answers.append([
                replace(response, timing=None)
                for keyed in asked.of("student")
                for response in store.get(list(keyed)).values()
            ])  # fmt: skip
        for model in inputs.models.values():
            assert isinstance(model, Unloadable)
            assert model.in_memory == bool(probe)
        assert len(inputs.models["student"].notes) == 1  # type: ignore[attr-defined]
    assert answers[0] == answers[1]
    assert len(answers[0]) == 4


def test_an_image_pair(tmp_path: Path) -> None:
    """Images by path in a suite; a changed file is asked again, and only that one."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    labels = ["even", "odd"]
    for seed, name in enumerate(("teacher", "student")):
        torch.manual_seed(seed)
        ViTForImageClassification(
            ViTConfig(
                hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
                image_size=8, patch_size=4, initializer_range=0.5,
                id2label=dict(enumerate(labels)), label2id={"even": 0, "odd": 1},
            )
        ).save_pretrained(tmp_path / name)  # fmt: skip
        ViTImageProcessor(size={"height": 8, "width": 8}).save_pretrained(tmp_path / name)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(10):
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append({"file": f"{number}.png", "y": labels[number % 2]})
    _suite(tmp_path, "pictures", rows, kind="classification", image="file", reference="y",
           labels=labels)  # fmt: skip
    models = [{"name": name, "type": "image_classifier", "path": name, "device": "cpu"}
              for name in ("teacher", "student")]  # fmt: skip
    config = {"suites": ["pictures.yaml"], "teacher": models[0], "students": models[1:],
              "latency_probe": False}  # fmt: skip
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    done = evaluate(load_config(tmp_path / "run.yaml"), tmp_path / "out")
    assert done.asked == {"teacher": 10, "student": 10}
    assert done.run.pairs()["student_log_probs"].notna().all()
    PIL.Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / "3.png")
    again = evaluate(load_config(tmp_path / "run.yaml"), tmp_path / "out")
    assert again.asked == {"teacher": 1, "student": 1}


def test_digits_as_images_from_training_to_the_report(tmp_path: Path) -> None:
    """A distilled image classifier that really reads digits: measured, sliced and reported."""
    done = evaluate(load_config(write_digits_run(tmp_path, epochs=16)), tmp_path / "out")
    whole = compare_run(done.run).students[0].cell(suite="digits", metric="label")
    assert whole is not None
    assert whole.n == 400
    assert whole.teacher_score.estimate is not None
    assert whole.teacher_score.estimate > 0.85
    assert whole.student_score.estimate is not None
    assert 0.4 < whole.student_score.estimate < whole.teacher_score.estimate
    written = write_report(done.run.path, out=tmp_path / "report", formats=["html"])
    page = written.files[0].read_text()
    assert "shape=round" in page
    assert 'class="thumbnail"' in page
    assert "data:image/png;base64," in page
