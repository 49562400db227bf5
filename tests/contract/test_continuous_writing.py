"""Continuous batches write what plain batches write, or are not used."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from kdeval.config.transformers_models import GenerationSettings
from kdeval.models.causal.checked_writing import CheckedWriter
from kdeval.models.causal.padded_writing import PaddedWriter
from kdeval.models.causal.shared_headers import shared_headers
from kdeval.models.causal.slot_writing import SlotWriter
from kdeval.models.causal.token_choice import TokenChoice, draws
from kdeval.models.causal.writing import Job, Written
from kdeval.models.torch_hardware import HalvingBatches
from tests.contract.architectures import TURNING, VOCABULARY, random_model

pytestmark = pytest.mark.usefixtures("one_thread")

ENDS = frozenset({2, 17, 40, 77})


def _jobs(count: int = 7, *, header: int = 0, seed: int = 0) -> list[Job]:
    """Prompts of mixed lengths and limits, two of them the same, after one header."""
    chance = random.Random(seed)
    start = tuple(chance.randrange(90, VOCABULARY) for _ in range(header))
    prompts = [
        start + tuple(chance.randrange(90, VOCABULARY) for _ in range(chance.randint(1, 30)))
        for _ in range(count - 1)
    ]
    return [
        Job(
            prompt=prompt,
            uniform=draws(
                0, str(prompt), replicate=0, sample=0, count=1 + 3 * (index % 4)
            ).tolist(),
            finished=lambda tokens: tokens[-1] % 29 == 0,
        )
        for index, prompt in enumerate([*prompts, prompts[0]])
    ]  # fmt: skip


def _made(kind: Any, model: Any, limit: int, temperature: float = 0.0, **more: Any) -> Any:
    choice = TokenChoice(GenerationSettings(temperature=temperature))
    batches = HalvingBatches(limit, "cpu")
    return kind(model, choice, ends=ENDS, device="cpu", batches=batches, **more)


def _reread(model: Any, job: Job, text: Written) -> list[float]:
    """The highest log-probability after each token written, each text read anew and alone."""
    found = []
    for count in range(len(text.log_probs)):
        ids = torch.tensor([[*job.prompt, *text.tokens[:count]]])
        with torch.inference_mode():
            found.append(float(model(input_ids=ids).logits[0, -1].log_softmax(dim=-1).max()))
    return found


def _same(ours: Sequence[Written], plain: Sequence[Written]) -> None:
    assert [(a.tokens, a.ended) for a in ours] == [(b.tokens, b.ended) for b in plain]
    for one, other in zip(ours, plain, strict=True):
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "temperature"),
    [("llama", 0.0), ("llama", 1.0), ("gpt2", 0.0), ("mistral", 0.0), ("gemma2", 0.0),
     ("opt", 0.0), ("gpt_neox", 0.0)],
)  # fmt: skip
def test_rows_come_and_go_without_a_trace(kind: str, temperature: float) -> None:
    """Fewer slots than jobs, with and without a header, in any order: the texts of batch one."""
    settings = {"sliding_window": None} if kind == "mistral" else {}
    model = random_model(kind, **settings)
    writer = _made(SlotWriter, model, 3, temperature)
    for header in (0, 40):
        jobs = _jobs(header=header, seed=header)
        plain = _made(PaddedWriter, model, 1, temperature).write(jobs)
        assert len({len(text.log_probs) for text in plain}) > 2
        _same(writer.write(jobs), plain)
        _same(writer.write(jobs[::-1]), plain[::-1])
        _same(writer.write(jobs[4:5]), plain[4:5])


def test_a_header_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tokens, and those of no prompt twice; the next call has it still."""
    model = random_model("llama")
    read: list[tuple[int, int]] = []
    forward = model.forward

    def counted(**inputs: Any) -> Any:
        read.append(tuple(inputs["input_ids"].shape))
        return forward(**inputs)

    monkeypatch.setattr(type(model), "__call__", lambda self, **inputs: counted(**inputs))
    writer = _made(SlotWriter, model, 4)
    for headers in (1, 0):
        read.clear()
        writer.write(_jobs(header=100))
        assert [shape for shape in read if shape[1] > 60] == [(1, 100)] * headers
    read.clear()
    writer.write(_jobs(header=100)[:1])
    assert read[0][1] > 100


def test_which_beginnings_are_headers() -> None:
    """The longest that save enough; every prompt keeps a token of its own."""
    a, b = tuple(range(20)), tuple(range(50, 70))
    prompts = [(*a, *b, 1), (*a, 99), (*a, *b, 2), (*a, *b, 3, 4), (7,), (*a, *b)]
    assert shared_headers(prompts, least=30) == [39, 20, 39, 39, 0, 39]
    assert shared_headers(prompts, least=70) == [20, 20, 20, 20, 0, 20]
    assert shared_headers(prompts, least=1000) == [0] * 6
    assert shared_headers([(1, 2, 3)] * 3, least=1) == [2, 2, 2]
    assert shared_headers([], least=1) == []


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("mistral", {"sliding_window": 16}, "reaches 16 tokens back"),
        ("mamba", {}, "no cache of keys and values"),
        ("bloom", {}, "position_ids"),
        ("gpt_neo", {}, "a mask of its own"),
        ("jamba", {}, "no cache of keys and values"),
        ("roberta", {}, "positions from another one"),
        ("phi3", TURNING, "turn otherwise beyond 40 tokens"),
    ],
)
def test_what_cannot_says_so(kind: str, settings: dict[str, Any], words: str) -> None:
    """Written in plain batches, the same texts as one by one, with a note."""
    model = random_model(kind, **settings)
    writer = _made(CheckedWriter, model, 4, dtype="float32")
    jobs = _jobs(header=20)
    found = writer.write(jobs)
    assert len({len(text.log_probs) for text in found}) > 2
    for job, text in zip(jobs, found, strict=True):
        assert text.log_probs == pytest.approx(_reread(model, job, text), abs=1e-4)
    assert words in writer.note


def test_a_mismatch_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that takes position ids and ignores them in a step: found on the first texts."""
    model = random_model("llama")
    call = type(model).__call__
    jobs = _jobs()
    plain = _made(PaddedWriter, model, 1).write(jobs)

    def wrong(self: Any, **inputs: Any) -> Any:
        mask = inputs.get("attention_mask")
        if mask is not None and mask.dim() == 4:
            inputs["position_ids"] = torch.zeros_like(inputs["position_ids"])
        return call(self, **inputs)

    monkeypatch.setattr(type(model), "__call__", wrong)
    writer = _made(CheckedWriter, model, 4, dtype="float32")
    _same(writer.write(jobs), plain)
    assert "differed by" in writer.note
    _same(writer.write(jobs[:3]), plain[:3])


def test_a_model_whose_code_fails_is_written_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Falcon's position biases are built from a mask of two dimensions."""
    model = random_model("falcon", alibi=True, new_decoder_architecture=False)
    writer = _made(CheckedWriter, model, 4, dtype="float32")
    jobs = _jobs()
    _same(writer.write(jobs), _made(PaddedWriter, model, 1).write(jobs))
    assert "takes no slots" in writer.note


def test_memory_that_runs_out_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of the texts the limit is halved; rows under way begin anew, and what was
    written stays.
    """
    model = random_model("llama")
    jobs = _jobs()
    plain, forward = _made(PaddedWriter, model, 1).write(jobs), model.forward
    rows: list[int] = []

    def limited(**inputs: Any) -> Any:
        if len(rows) > 3 and len(inputs["input_ids"]) > 3:
            raise torch.OutOfMemoryError("out of memory")
        rows.append(len(inputs["input_ids"]))
        return forward(**inputs)

    monkeypatch.setattr(type(model), "__call__", lambda self, **inputs: limited(**inputs))
    writer = _made(SlotWriter, model, 6)
    _same(writer.write(jobs), plain)
    assert max(rows[:4]) == 6
    assert max(rows[4:]) <= 3


def test_numbers_that_are_none_stay_in_their_row() -> None:
    """A prompt whose keys are not finite fails alone; the rows beside it, and the one that has
    its slot next, are as ever.
    """
    model = random_model("llama")
    jobs = _jobs()
    poisoned = 85
    model.get_input_embeddings().weight.data[poisoned] = math.nan
    fine = _made(PaddedWriter, model, 1).write(jobs)
    bad = Job(prompt=(poisoned, 91), uniform=[0.5] * 9, finished=lambda tokens: False)
    found = _made(SlotWriter, model, 3).write([bad, *jobs, bad])
    _same(found[1:-1], fine)
    for text in (found[0], found[-1]):
        assert not math.isfinite(text.log_probs[-1])
        assert len(text.log_probs) == 1


def test_clocks() -> None:
    """Work on a row begins, its first token comes, its last one; a row that had to wait began
    after another had ended.
    """
    found = _made(SlotWriter, random_model("llama"), 2).write(_jobs())
    for text in found:
        assert text.started_at < text.first_at <= text.last_at
    assert max(text.started_at for text in found) > min(text.last_at for text in found)
