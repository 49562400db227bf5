"""The distribution before every token of a given text, by any kind of causal model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from kdeval.models.causal.prompts import Split
from kdeval.models.causal.teacher_forcing import forced_logits
from kdeval.models.white_box import TokenScorer
from tests.contract.architectures import TURNING, random_model
from tests.contract.causal_models import (
    asking,
    build,
    save_gpt2,
    save_llama,
    save_mamba,
    save_tokenizer,
)

SAVERS = {"llama": save_llama, "gpt2": save_gpt2, "mamba": save_mamba}


@pytest.fixture(params=list(SAVERS))
def model(request: pytest.FixtureRequest, tmp_path: Path):
    SAVERS[request.param](tmp_path)
    save_tokenizer(tmp_path)
    return build(tmp_path)


def test_it_is_a_capability(model) -> None:
    """A causal language model scores tokens; the check of the protocol says so."""
    assert isinstance(model, TokenScorer)


@pytest.mark.parametrize("tokens", [1, 3, 1000])
def test_pieces_together_are_one_plain_forward(model, tokens: int) -> None:
    """Whatever the size of the pieces, the logits are those of the whole text at once."""
    [split] = model.answer_splits([asking(0, "The capital of France is")], [" Paris, good or bad"])
    assert isinstance(split, Split)
    ids = torch.tensor([[*split.context, *split.continuation]])
    with torch.inference_mode():
        whole = model._loaded.model(input_ids=ids).logits[0]
    expected = whole[len(split.context) - 1 : -1]
    pieces = list(model.teacher_forced(split, most_logits=tokens * len(model.vocabulary())))
    assert max(len(piece) for piece in pieces) <= tokens
    torch.testing.assert_close(torch.cat(pieces), expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize(("kind", "settings"), [("jamba", {}), ("phi3", TURNING)])
def test_pieces_of_models_that_read_them_otherwise(kind: str, settings: dict[str, Any]) -> None:
    """A state that is forgotten between pieces, positions that turn otherwise in a longer text."""
    model = random_model(kind, **settings)
    ids = tuple(range(5, 65))
    with torch.inference_mode():
        whole = model(input_ids=torch.tensor([ids])).logits[0, 29:-1]
    split = Split(context=ids[:30], continuation=ids[30:])
    pieces = list(forced_logits(model, split, tokens=7, device="cpu"))
    assert [len(piece) for piece in pieces] == [7, 7, 7, 7, 2]
    torch.testing.assert_close(torch.cat(pieces), whole, atol=2e-4, rtol=1e-4)


def test_token_log_probabilities_are_those_of_scoring(model) -> None:
    """Teacher forcing and scoring of continuations tell the same likelihood."""
    requests = [asking(0, "one two three"), asking(1, "")]
    splits = model.answer_splits(requests, ["four five", "Ünï 日本"])
    scores = model.score_continuations(splits)
    for split, score in zip(splits, scores, strict=True):
        logits = torch.cat(list(model.teacher_forced(split, most_logits=1)))
        chosen = torch.log_softmax(logits, -1)[range(len(logits)), list(split.continuation)]
        assert float(chosen.sum()) == pytest.approx(score.log_prob, abs=1e-3)


def test_the_answer_follows_the_prompt_as_it_was_written(tmp_path: Path) -> None:
    """The prompt has its template and its beginning; the answer's tokens are its own."""
    save_llama(tmp_path)
    tokenizer = save_tokenizer(tmp_path, chat=True)
    [split] = build(tmp_path).answer_splits([asking(0, "one")], ["two three"])
    assert isinstance(split, Split)
    assert tokenizer.decode(split.context).endswith("<|assistant|>")
    assert tokenizer.decode(split.continuation) == "two three"


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """An empty text and one that is too long come back as words."""
    save_llama(tmp_path, positions=32)
    save_tokenizer(tmp_path)
    empty, long = build(tmp_path).answer_splits([asking(0, "a"), asking(1, "a")], ["", "x " * 60])
    assert empty == "the text is empty"
    assert long == "longer than the 32 tokens that it takes"
