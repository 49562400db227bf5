"""A run in one process beside the same run in two Ray workers, one of them killed midway."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import torch
import yaml

from kdeval.config.schema import load_config
from kdeval.run.cluster import ray_cluster
from kdeval.run.ray_settings import RaySettings
from kdeval.workflows.evaluate import Evaluated, evaluate
from tests.contract.causal_models import save_tokenizer
from tests.contract.test_ray import worker_processes

SAMPLES = 800
CHOICES = ["one two three", "the capital of France", "a bad film", "neutral"]
WORKERS = 2


def bench_ray(directory: Path, *, samples: int = SAMPLES) -> None:
    """Multiple choice by a 20-million-weight Llama of random weights, one thread a process."""
    torch.set_num_threads(1)
    config = _project(directory, samples)
    alone = _Clock(samples)
    local = evaluate(load_config(config), directory / "local", progress=alone)
    print(f"  this process          {alone.wall():6.1f} s, {alone.rate():5.1f} answers a second")
    for name, kill in (("2 Ray workers", False), ("one of them killed", True)):
        clock = _Clock(samples, kill=kill)
        with ray_cluster(RaySettings(workers=WORKERS)) as cluster:
            spread = evaluate(
                load_config(config), directory / name, progress=clock, cluster=cluster
            )
        wall = clock.wall()
        assert bool(clock.killed) is kill
        print(
            f"  {name:20}  {wall:6.1f} s, {clock.rate():5.1f} answers a second"
            f"   x{alone.wall() / wall:.2f}, x{clock.rate() / alone.rate():.2f}"
            f"   {_difference(local, spread)}"
        )


class _Clock:
    """Progress that times a run: as a whole, and without what comes before a first answer."""

    def __init__(self, samples: int, *, kill: bool = False) -> None:
        self._samples, self._kill, self.killed = samples, kill, False
        self._start = self._last = time.perf_counter()
        self._first: dict[str, tuple[float, int]] = {}
        self._answering, self._answers = 0.0, 0

    def __call__(self, name: str, done: int, total: int) -> None:
        self._last = now = time.perf_counter()
        if done and name not in self._first:
            self._first[name] = (now, done)
        if done == total:
            since, before = self._first[name]
            self._answering += now - since
            self._answers += total - before
        if self._kill and not self.killed and done >= self._samples // 2:
            os.kill(worker_processes()[0], signal.SIGKILL)
            self.killed = True

    def wall(self) -> float:
        """Seconds to the last answer, start of the cluster and its workers included."""
        return self._last - self._start

    def rate(self) -> float:
        """Answers a second from each model's first answer to its last."""
        return self._answers / self._answering


def _project(directory: Path, samples: int) -> Path:
    from transformers import LlamaConfig, LlamaForCausalLM

    for seed, name in enumerate(("teacher", "student")):
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=512, hidden_size=448, intermediate_size=1344, num_hidden_layers=8,
            num_attention_heads=7, max_position_embeddings=512, initializer_range=0.1,
            bos_token_id=1, eos_token_id=0,
        )  # fmt: skip
        LlamaForCausalLM(config).save_pretrained(directory / name)
        save_tokenizer(directory / name)
    chance = np.random.default_rng(0)
    words = ["good", "bad", "film", "capital", "France", "one", "two", "the", "Answer", "neutral"]
    rows = [
        {"t": f"{n}: {' '.join(chance.choice(words, size=60))}", "o": CHOICES, "y": n % 4}
        for n in range(samples)
    ]
    (directory / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    suite = {"name": "choices", "kind": "multiple_choice", "data": "data.jsonl", "input": "t",
             "choices": "o", "reference": {"column": "y"}}  # fmt: skip
    (directory / "choices.yaml").write_text(yaml.safe_dump(suite))
    models = [{"name": name, "type": "causal_lm", "path": name, "device": "cpu"}
              for name in ("teacher", "student")]  # fmt: skip
    run = {"suites": ["choices.yaml"], "teacher": models[0], "students": models[1:],
           "latency_probe": False}  # fmt: skip
    (directory / "run.yaml").write_text(yaml.safe_dump(run))
    return directory / "run.yaml"


def _difference(local: Evaluated, spread: Evaluated) -> str:
    one, other = local.run.pairs(), spread.run.pairs()
    assert len(one) == len(other)
    assert not any(spread.failures.values())
    equal = all(
        one[column].equals(other[column])
        for column in ("teacher_output", "student_output", "teacher_score", "student_score")
    )
    largest = max(
        float(np.abs(np.stack(one[column]) - np.stack(other[column])).max())
        for column in ("teacher_log_probs", "student_log_probs")
    )
    counts = "the same" if equal else "OTHER"
    return f"{counts} answers and scores, log-probabilities within {largest:.0e}"
