"""Shared beginnings computed once give the plain computation's log-likelihoods, or are not used."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from kdeval.models.causal.checked_scoring import CheckedScorer
from kdeval.models.causal.obstacles import obstacle
from kdeval.models.causal.prefix_tree import groups, pack
from kdeval.models.causal.prompts import Split
from kdeval.models.causal.scoring import ContinuationScore, score_continuations
from kdeval.models.causal.shared_prefix import SharedPrefixScorer
from kdeval.models.torch_hardware import HalvingBatches
from tests.contract.architectures import TURNING, VOCABULARY, random_model


def _tokens(chance: random.Random, count: int) -> tuple[int, ...]:
    return tuple(chance.randrange(5, VOCABULARY) for _ in range(count))


def _world(
    seed: int, *, header: int, documents: int, context: int, choices: int, longest: int = 6
) -> list[Split]:
    """Documents after one header, choices of which two begin alike, a twin, a bare header."""
    chance = random.Random(seed)
    start = _tokens(chance, header)
    splits = []
    for _ in range(documents):
        prompt = start + _tokens(chance, chance.randint(1, context))
        alike = _tokens(chance, 1)
        splits += [
            Split(context=prompt, continuation=(alike if choice < 2 else ())
                  + _tokens(chance, chance.randint(1, longest)))
            for choice in range(choices)
        ]  # fmt: skip
    splits.append(Split(context=start or _tokens(chance, 2), continuation=_tokens(chance, 2)))
    splits.append(splits[0])
    chance.shuffle(splits)
    return splits


WORLDS = {
    "no header": {"header": 0, "documents": 5, "context": 30, "choices": 4},
    "a header": {"header": 100, "documents": 9, "context": 30, "choices": 4},
    "documents longer than a pass": {"header": 70, "documents": 2, "context": 200, "choices": 3},
    "choices longer than a pass": {
        "header": 0, "documents": 2, "context": 3, "choices": 3, "longest": 150,
    },
}  # fmt: skip


def _plain(model: Any, splits: Sequence[Split]) -> list[ContinuationScore]:
    return score_continuations(model, splits, batches=HalvingBatches(8, "cpu"), device="cpu")


def _same(ours: Sequence[ContinuationScore], plain: Sequence[ContinuationScore]) -> None:
    assert [(a.tokens, a.greedy) for a in ours] == [(b.tokens, b.greedy) for b in plain]
    assert max(abs(a.log_prob - b.log_prob) for a, b in zip(ours, plain, strict=True)) < 1e-4


@pytest.mark.parametrize(
    "kind",
    ["llama", "qwen2", "qwen3", "mistral", "gpt2", "gpt_neox", "opt", "gemma2", "phi3", "falcon",
     "mixtral", "cohere", "granite", "olmo2"],
)  # fmt: skip
def test_log_likelihoods_of_every_architecture(kind: str) -> None:
    """Whatever the header, the budget and the order; the header of one call serves the next."""
    settings = {"sliding_window": None} if kind == "mistral" else {}
    model = random_model(kind, **settings)
    assert obstacle(model, 400) is None
    for budget in (64, 768):
        scorer = SharedPrefixScorer(model, device="cpu", budget=budget)
        for seed, world in enumerate(WORLDS.values()):
            splits = _world(seed, **world)
            _same(scorer.score(splits), _plain(model, splits))


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("mistral", {"sliding_window": 16}, "reaches 16 tokens back"),
        ("mamba", {}, "no cache of keys and values"),
        ("bloom", {}, "position_ids"),
        ("gpt_neo", {}, "a mask of its own"),
        ("roberta", {}, "positions from another one"),
        ("phi3", TURNING, "turn otherwise beyond 40 tokens"),
    ],
)
def test_what_cannot_share_says_so(kind: str, settings: dict[str, Any], words: str) -> None:
    """Computed plainly, with a note."""
    model = random_model(kind, **settings)
    scorer = _checked(model)
    splits = [
        *_world(0, **WORLDS["no header"]),
        *_world(1, **WORLDS["documents longer than a pass"]),
    ]
    _same(scorer.score(splits), [_plain(model, [split])[0] for split in splits])
    assert scorer.note is not None
    assert words in scorer.note


def test_a_mismatch_stops_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that takes position ids and ignores them: found on the first documents."""
    model = random_model("llama")
    call = type(model).__call__

    def ignoring(self: Any, **inputs: Any) -> Any:
        return call(self, **{**inputs, "position_ids": None})

    monkeypatch.setattr(type(model), "__call__", ignoring)
    splits = _world(0, **WORLDS["a header"])
    scorer = _checked(model)
    _same(scorer.score(splits), _plain(model, splits))
    assert scorer.note is not None
    assert "differ by" in scorer.note
    _same(scorer.score(splits[:3]), _plain(model, splits[:3]))


@pytest.mark.parametrize(
    ("dtype", "rounding", "wrong"),
    [("float32", 5e-5, 3e-4), ("float16", 0.016, 0.05), ("bfloat16", 0.125, 0.3)],
)
def test_rounding_is_no_mismatch(
    monkeypatch: pytest.MonkeyPatch, dtype: str, rounding: float, wrong: float
) -> None:
    """The logit of a choice of one token moves by a step of its dtype; a wrong mask by more."""
    model = random_model("llama")
    splits = [Split(context=(5, token), continuation=(9,)) for token in range(10, 20)]
    plain = _plain(model, splits)
    for shift, kept in ((rounding, True), (wrong, False)):
        moved = [replace(score, log_prob=score.log_prob + shift) for score in plain]
        monkeypatch.setattr(SharedPrefixScorer, "score", lambda *_, moved=moved: moved)
        scorer = CheckedScorer(model, device="cpu", dtype=dtype, batches=HalvingBatches(8, "cpu"))
        assert (scorer.score(splits) == moved) is kept
        assert (scorer.note is None) is kept


def test_a_model_whose_code_fails_on_a_tree_is_computed_plainly() -> None:
    """Falcon's position biases are built from a mask of two dimensions."""
    model = random_model("falcon", alibi=True, new_decoder_architecture=False)
    splits = _world(0, **WORLDS["a header"])
    scorer = _checked(model)
    _same(scorer.score(splits), _plain(model, splits))
    assert scorer.note is not None
    assert "takes no tree (ValueError)" in scorer.note


def test_code_that_fails_later_is_computed_plainly_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trusted after its first texts, it has still to take longer ones."""
    model = random_model("llama")
    splits = _world(0, **WORLDS["a header"])
    plain, scorer = _plain(model, splits), _checked(model)
    _same(scorer.score(splits[:3]), plain[:3])
    assert scorer.note is None
    call = type(model).__call__

    def failing(self: Any, **inputs: Any) -> Any:
        if inputs["attention_mask"].dim() == 4:
            raise RuntimeError("the size of tensor a must match the size of tensor b")
        return call(self, **inputs)

    monkeypatch.setattr(type(model), "__call__", failing)
    _same(scorer.score(splits), plain)
    assert "takes no tree (RuntimeError)" in str(scorer.note)


def _checked(model: Any) -> CheckedScorer:
    return CheckedScorer(model, device="cpu", dtype="float32", batches=HalvingBatches(8, "cpu"))


def test_memory_that_runs_out_halves_the_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups become smaller until they fit; every score is there, and none computed twice."""
    model = random_model("llama")
    splits = _world(0, **WORLDS["a header"])
    plain, forward, widths = _plain(model, splits), model.forward, list[int]()

    def limited(**inputs: Any) -> Any:
        width = inputs["input_ids"].shape[1]
        if width > 128:
            raise torch.OutOfMemoryError("out of memory")
        widths.append(width)
        return forward(**inputs)

    scorer = SharedPrefixScorer(model, device="cpu", budget=2048)
    monkeypatch.setattr(type(model), "__call__", lambda self, **inputs: limited(**inputs))
    _same(scorer.score(splits), plain)
    assert max(widths) <= 128


def test_a_context_alone_is_computed_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is what a request takes that nobody has made before."""
    model, read = random_model("llama"), list[int]()
    forward = model.forward

    def counted(**inputs: Any) -> Any:
        read.append(inputs["input_ids"].shape[1])
        return forward(**inputs)

    monkeypatch.setattr(type(model), "__call__", lambda self, **inputs: counted(**inputs))
    chance = random.Random(0)
    context = _tokens(chance, 90)
    splits = [Split(context=context, continuation=_tokens(chance, 3)) for _ in range(4)]
    scorer = SharedPrefixScorer(model, device="cpu", budget=64)
    sums = []
    for _ in range(2):
        read.clear()
        scorer.score(splits)
        sums.append(sum(read))
    assert sums == [90 + 4 * 2, 90 + 4 * 2]


def test_each_shared_token_is_computed_once() -> None:
    """A tree of header, documents and choices has as many nodes as there are different tokens."""
    splits = _world(3, **WORLDS["a header"])
    prefixes = {
        (*split.context, *split.continuation)[:length]
        for split in splits
        for length in range(1, len(split.context) + len(split.continuation))
    }
    found = list(groups(splits, budget=10_000, least_header=64))
    assert [group.header for group in found] == [()]
    assert sum(len(pack(splits, group).tokens) for group in found) == len(prefixes)
    small = list(groups(splits, budget=100, least_header=64))
    assert len(small) > 1
    assert {group.header for group in small} == {small[0].header}
    assert len(small[0].header) + sum(len(pack(splits, g).tokens) for g in small) == len(prefixes)
    assert sorted(i for group in small for i in group.members) == list(range(len(splits)))
    assert all(len(pack(splits, group).tokens) == group.tokens <= 100 for group in small)


def test_a_long_text_needs_no_square_of_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone in its pass it is read by the kernel's own mask, after a header or without."""
    model, shapes = random_model("llama"), list[tuple[int, ...]]()
    chance = random.Random(5)
    header = _tokens(chance, 70)
    splits = [Split(context=header + _tokens(chance, 90), continuation=_tokens(chance, 9))
              for _ in range(2)] + [Split(context=header, continuation=header)]  # fmt: skip
    plain, forward = _plain(model, splits), model.forward

    def seen(**inputs: Any) -> Any:
        shapes.append(tuple(inputs["attention_mask"].shape))
        return forward(**inputs)

    monkeypatch.setattr(type(model), "__call__", lambda self, **inputs: seen(**inputs))
    for long, dimensions in ((50, {2}), (500, {2, 4})):
        monkeypatch.setattr("kdeval.models.causal.shared_prefix._LONG", long)
        shapes.clear()
        _same(SharedPrefixScorer(model, device="cpu", budget=64).score(splits), plain)
        _same(SharedPrefixScorer(model, device="cpu", budget=64).score(splits[:1]), plain[:1])
        assert {len(shape) for shape in shapes} == dimensions


def test_nothing_to_score() -> None:
    """No splits, no work."""
    assert SharedPrefixScorer(random_model("llama"), device="cpu").score([]) == []
