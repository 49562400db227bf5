"""Reasoning left out, stop strings, votes and draws, without any weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from kdeval.config.schema import CausalLMConfig
from kdeval.models.causal.answers import AnswerReader, majority
from kdeval.models.causal.fitting import TooLongError, fit_prompt, fit_splits
from kdeval.models.causal.prompts import Split
from kdeval.models.causal.token_choice import TokenChoice, draws

TAGS = ("<think>", "</think>")


class _Characters:
    """A tokenizer whose tokens are characters."""

    def decode(self, tokens: Sequence[int], **options: Any) -> str:
        return "".join(map(chr, tokens))


def _reader(**settings: Any) -> AnswerReader:
    given = {"hidden": frozenset({ord("#")}), "tags": TAGS, "stop": (), **settings}
    return AnswerReader(tokenizer=_Characters(), **given)


def _tokens(text: str) -> list[int]:
    return [ord(character) for character in text]


@pytest.mark.parametrize(
    ("text", "opened", "answer", "reasoning"),
    [
        ("42", False, "42", 0),
        (" 42\n", False, " 42\n", 0),
        ("<think>6 x 7</think>\n\n42", False, "42", len("<think>6 x 7</think>")),
        ("6 x 7</think> 42", True, "42", len("6 x 7</think>")),
        ("6 x 7</think> 42", False, "42", len("6 x 7</think>")),
        ("6 x 7", True, "", len("6 x 7")),
        ("<think>6 x 7", False, "", len("<think>6 x 7")),
        ("<think>a</think>4<think>b</think>2", False, "42", 2 * len("<think>a</think>")),
        ("a</think>4<think>b</think>2", True, "42", len("a</think><think>b</think>")),
        ("", False, "", 0),
    ],
)
def test_reasoning_is_left_out_and_counted(
    text: str, opened: bool, answer: str, reasoning: int
) -> None:
    """Between the tags, from the start where the prompt opened it, to the end where it is open."""
    found = _reader(opened=opened).read(_tokens(text))
    assert found.text == answer
    assert found.reasoning_tokens == reasoning


def test_without_tags_nothing_is_reasoning() -> None:
    """The text stays as it is, and the count is unknown rather than zero."""
    found = _reader(tags=None).read(_tokens("<think>a</think>b"))
    assert found.text == "<think>a</think>b"
    assert found.reasoning_tokens is None


def test_stop_strings() -> None:
    """The first of any counts; not inside of reasoning; not the white space after it."""
    reader = _reader(stop=("\n\n", "STOP"))
    assert reader.read(_tokens("a STOP b\n\nc")).text == "a "
    assert reader.read(_tokens("<think>x\n\ny</think>\n\nanswer\n\nmore")).text == "answer"
    assert not reader.finished(_tokens("<think>STOP"))
    assert not reader.finished(_tokens("<think>STOP</think>\n\n"))
    assert reader.finished(_tokens("<think>STOP</think>\n\na STOP"))
    assert not _reader().finished(_tokens("anything"))


def test_a_stop_string_is_looked_for_where_it_may_be() -> None:
    """Only the last tokens are read while none of them end it, however long the text is."""

    class Counting(_Characters):
        longest = 0

        def decode(self, tokens: Sequence[int], **options: Any) -> str:
            self.longest = max(self.longest, len(tokens))
            return super().decode(tokens, **options)

    tokenizer = Counting()
    reader = AnswerReader(tokenizer=tokenizer, hidden=frozenset({ord("#")}), tags=None,
                          stop=("END", "\n\n"))  # fmt: skip
    text = "long text " * 40 + "E####################N#D"
    for length in range(1, len(text)):
        assert not reader.finished(_tokens(text[:length]))
    assert tokenizer.longest < 20
    assert reader.finished(_tokens(text))


def test_hidden_tokens_write_nothing() -> None:
    """Special tokens are no part of the answer."""
    assert _reader().read(_tokens("4#2")).text == "42"


def test_the_majority() -> None:
    """Case and white space are forgiven, JSON compares as values, ties go to the first."""
    assert majority(["Rome", " paris\n", "Paris"], None) == (1, pytest.approx(2 / 3))
    assert majority(['{"a": 1, "b": 2}', "x", '{"b":2,"a":1}'], None) == (0, pytest.approx(2 / 3))
    assert majority(["a", "b", "c"], None) == (0, pytest.approx(1 / 3))
    assert majority(["", ""], None) == (0, 1.0)


def test_the_majority_of_a_pattern() -> None:
    """The last match counts, its group where it has one; without a match the whole text."""
    answers = ["so 3, no: answer 42", "answer 41", "it is ANSWER 42 or answer 42"]
    assert majority(answers, r"answer (\d+)") == (0, pytest.approx(2 / 3))
    assert majority(answers, r"\d+") == (0, pytest.approx(2 / 3))
    assert majority(["none", "answer 1", "none"], r"answer (\d+)") == (0, pytest.approx(2 / 3))


def test_draws_depend_on_nothing_but_their_arguments() -> None:
    """Seed, prompt, replicate and sample each change them; more of them begin the same."""
    base = draws(0, "p", replicate=0, sample=0, count=8)
    assert np.array_equal(base, draws(0, "p", replicate=0, sample=0, count=20)[:8])
    for other in (
        draws(1, "p", replicate=0, sample=0, count=8),
        draws(0, "q", replicate=0, sample=0, count=8),
        draws(0, "p", replicate=1, sample=0, count=8),
        draws(0, "p", replicate=0, sample=1, count=8),
    ):
        assert not np.array_equal(base, other)
    assert base.min() >= 0
    assert base.max() < 1


def _choice(**settings: Any) -> TokenChoice:
    config = CausalLMConfig(name="m", type="causal_lm", path=".", generation=settings)
    return TokenChoice(config.generation)


def test_sampling_follows_the_probabilities() -> None:
    """20,000 draws match softmax(logits / temperature) within 4 standard errors."""
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]])
    n = 20_000
    uniform = np.random.default_rng(0).random(n).tolist()
    tokens, log_probs = _choice(temperature=0.7).choose(logits.expand(n, 4), uniform)
    expected = torch.softmax(logits[0] / 0.7, dim=0)
    for token in range(4):
        share = tokens.count(token) / n
        p = float(expected[token])
        assert abs(share - p) < 4 * (p * (1 - p) / n) ** 0.5
    assert log_probs[0] == pytest.approx(float(logits[0].log_softmax(dim=0)[tokens[0]]))


def test_top_k_and_top_p() -> None:
    """Only the likeliest k, and the smallest set that reaches p; the first of it always counts."""
    logits = torch.log(torch.tensor([[0.1, 0.5, 0.15, 0.25]]))
    grid = np.linspace(0, 0.999, 200).tolist()

    def reached(**settings: Any) -> set[int]:
        return set(_choice(temperature=1.0, **settings).choose(logits.expand(200, 4), grid)[0])

    assert reached() == {0, 1, 2, 3}
    assert reached(top_k=2) == {1, 3}
    assert reached(top_k=9) == {0, 1, 2, 3}
    assert reached(top_p=0.1) == {1}
    assert reached(top_p=0.5) == {1}
    assert reached(top_p=0.6) == {1, 3}
    assert reached(top_p=0.8) == {1, 2, 3}


def test_prompts_are_cut_or_refused() -> None:
    """A cut keeps the end and leaves room; a refusal says how long it was."""
    ids = list(range(10))
    assert fit_prompt(ids, limit=5, longest=None, policy="error") == (tuple(ids), 5)
    assert fit_prompt(ids, limit=5, longest=12, policy="error") == (tuple(ids), 2)
    assert fit_prompt(ids, limit=4, longest=10, policy="truncate") == (tuple(ids[4:]), 4)
    assert fit_prompt(ids, limit=50, longest=10, policy="truncate") == (tuple(ids[5:]), 5)
    with pytest.raises(TooLongError, match="10 tokens, and the model takes 10"):
        fit_prompt(ids, limit=1, longest=10, policy="error")


def test_choices_lose_the_same_of_their_context() -> None:
    """As much as the longest has to, so that all follow the same words."""
    splits = [Split(context=(1, 2, 3), continuation=ids) for ids in ((4, 5), (6,))]
    assert fit_splits(splits, 5, "error") == tuple(splits)
    assert [split.context for split in fit_splits(splits, 4, "truncate")] == [(2, 3), (2, 3)]
    with pytest.raises(TooLongError, match="5 tokens, and the model takes 4"):
        fit_splits(splits, 4, "error")
    with pytest.raises(TooLongError):
        fit_splits(splits, 2, "truncate")
