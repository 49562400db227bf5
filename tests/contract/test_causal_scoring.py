"""Choices and labels by their log-likelihoods, whatever the architecture, batch and padding."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from kdeval.models.causal.prompts import Split
from kdeval.models.protocols import ChoiceScorer, Classifier, Generator, Request
from kdeval.run.executor import ask
from tests.contract.causal_models import (
    CHOICES,
    CHOOSING,
    build,
    choosing,
    plain_log_prob,
    plain_model,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def test_it_keeps_the_protocols(checkpoint: Path) -> None:
    """It chooses among labels and among choices, and writes; without loading any weights yet."""
    model = build(checkpoint)
    assert isinstance(model, Classifier)
    assert isinstance(model, ChoiceScorer)
    assert isinstance(model, Generator)
    assert model.parameters is not None
    assert model.parameters > 1000
    assert model.bytes_on_disk > 4 * model.parameters
    assert "_loaded" not in model.__dict__


def test_log_likelihoods_equal_a_plain_forward_pass(checkpoint: Path) -> None:
    """To 1e-4 for every choice, in batches of mixed lengths, in any order."""
    model = build(checkpoint, batch_size=7)
    plain, _ = plain_model(checkpoint)
    splits = [
        split
        for request in CHOOSING
        for split in model._loaded.prompts.splits(
            model._loaded.prompts.for_choosing(request), [f" {choice}" for choice in CHOICES]
        )
    ]
    expected = [plain_log_prob(plain, split) for split in splits]
    for batch in (splits, splits[::-1], splits[3:4]):
        wanted = expected if batch is splits else expected[::-1]
        wanted = expected[3:4] if len(batch) == 1 else wanted
        found = model.score_continuations(batch)
        assert [score.log_prob for score in found] == pytest.approx(wanted, abs=1e-4)
        assert [score.tokens for score in found] == [len(split.continuation) for split in batch]


def test_greedy_is_told(checkpoint: Path) -> None:
    """The likeliest continuation is marked so, and no other."""
    model = build(checkpoint)
    plain, tokenizer = plain_model(checkpoint)
    context = tuple(tokenizer("The capital of France is")["input_ids"])
    with torch.inference_mode():
        best = int(plain(input_ids=torch.tensor([context])).logits[0, -1].argmax())
    right, wrong = model.score_continuations(
        [Split(context=context, continuation=(best,)),
         Split(context=context, continuation=((best + 1) % 400,))]
    )  # fmt: skip
    assert right.greedy
    assert not wrong.greedy


def test_choices_become_probabilities(checkpoint: Path) -> None:
    """Indices as keys, log-probabilities of the summed likelihoods, tokens counted."""
    model = build(checkpoint)
    plain, _ = plain_model(checkpoint)
    for request, response in zip(CHOOSING, ask(model, CHOOSING), strict=True):
        assert response.error is None
        assert response.log_probs is not None
        assert sum(map(math.exp, response.log_probs.values())) == pytest.approx(1)
        prompts = model._loaded.prompts
        prompt = prompts.for_choosing(request)
        options = [prompts.separated(prompt, choice) for choice in CHOICES]
        splits = prompts.splits(prompt, options)
        raw = torch.tensor([plain_log_prob(plain, split) for split in splits]).double()
        expected = raw.log_softmax(dim=0).tolist()
        assert list(response.log_probs.values()) == pytest.approx(expected, abs=1e-4)
        assert response.output == str(int(raw.argmax()))
        assert response.input_tokens == len(splits[0].context)
        assert response.output_tokens == len(splits[int(raw.argmax())].continuation)


def test_the_batch_does_not_matter_to_choices(checkpoint: Path) -> None:
    """Alone or in any batch: the same choice, log-probabilities within 1e-4."""
    together = ask(build(checkpoint, batch_size=32), CHOOSING)
    one = build(checkpoint, batch_size=1)
    for request, response in zip(CHOOSING, together, strict=True):
        alone = ask(one, [request])[0]
        assert alone.output == response.output
        assert alone.log_probs == pytest.approx(response.log_probs, abs=1e-4)
        assert alone.timing is not None
        assert alone.timing.origin == "wall"
        assert response.timing is not None
        assert response.timing.origin == "batch"


def test_labels_are_continuations(checkpoints: dict[str, Path]) -> None:
    """A classification has its labels, or the words given for them, scored."""
    labels = ("positive", "negative")
    request = Request(sample_id="s", suite="x", kind="classification", input="film: good",
                      labels=labels)  # fmt: skip
    response = ask(build(checkpoints["llama"]), [request])[0]
    assert response.log_probs is not None
    assert set(response.log_probs) == set(labels)
    as_choices = ask(build(checkpoints["llama"]), [choosing(0, "film: good", ("good", "bad"))])[0]
    words = {"positive": "good", "negative": "bad"}
    worded = ask(build(checkpoints["llama"], scoring={"label_words": words}), [request])[0]
    assert worded.log_probs is not None
    assert as_choices.log_probs is not None
    assert worded.log_probs["negative"] == pytest.approx(as_choices.log_probs["1"])


@pytest.mark.parametrize("normalize", ["tokens", "bytes"])
def test_length_normalisation(checkpoints: dict[str, Path], normalize: str) -> None:
    """The log-likelihood of each choice is divided by its tokens or by its UTF-8 bytes."""
    plain = build(checkpoints["llama"])
    prompt = "The capital of France is"
    splits = plain._loaded.prompts.splits(
        plain._loaded.prompts.content_free(prompt), [f" {choice}" for choice in CHOICES]
    )
    sizes = [
        len(choice.encode()) if normalize == "bytes" else len(split.continuation)
        for choice, split in zip(CHOICES, splits, strict=True)
    ]
    raw = torch.tensor([score.log_prob for score in plain.score_continuations(splits)]).double()
    expected = (raw / torch.tensor(sizes)).log_softmax(dim=0).tolist()
    model = build(checkpoints["llama"], scoring={"normalize": normalize})
    response = ask(model, [choosing(0, prompt, CHOICES)])[0]
    assert response.log_probs is not None
    assert list(response.log_probs.values()) == pytest.approx(expected, abs=1e-4)


def test_contextual_calibration(checkpoints: dict[str, Path]) -> None:
    """The prior after a prompt without content is divided out; on that prompt all are equal."""
    model = build(checkpoints["llama"], scoring={"content_free": "N/A"})
    blank = ask(model, [choosing(0, "N/A", CHOICES)])[0]
    assert blank.log_probs is not None
    assert list(blank.log_probs.values()) == pytest.approx([-math.log(5)] * 5, abs=1e-5)
    plain = build(checkpoints["llama"])
    values = [
        ask(plain, [choosing(0, prompt, CHOICES)])[0].log_probs for prompt in ("one two", "N/A")
    ]
    assert values[0] is not None
    assert values[1] is not None
    gain = [values[0][key] - values[1][key] for key in values[0]]
    expected = torch.tensor(gain).double().log_softmax(dim=0).tolist()
    found = ask(model, [choosing(0, "one two", CHOICES)])[0].log_probs
    assert found is not None
    assert list(found.values()) == pytest.approx(expected, abs=1e-4)
    by_suite = build(checkpoints["llama"], scoring={"content_free": {"other": "N/A"}})
    assert ask(by_suite, [choosing(0, "one two", CHOICES)])[0].log_probs == pytest.approx(values[0])


def test_tokens_that_span_the_boundary(checkpoints: dict[str, Path]) -> None:
    """All choices start at the same token, the last that the prompt shares with all joined texts;
    each split put together is the joined text's own tokenization.
    """
    prompts = build(checkpoints["llama"])._loaded.prompts
    tokenizer = build(checkpoints["llama"])._loaded.tokenizer
    prompt = prompts.content_free("The capital of Fra")
    options = ["nce", "m", " is"]
    splits = prompts.splits(prompt, options)
    assert len({split.context for split in splits}) == 1
    for split, option in zip(splits, options, strict=True):
        joined = tokenizer("The capital of Fra" + option)["input_ids"]
        assert [*split.context, *split.continuation] == joined
    assert len(splits[0].context) < len(tokenizer("The capital of Fra")["input_ids"])


def test_empty_choices_fail_alone(checkpoints: dict[str, Path]) -> None:
    """A choice without a token has no likelihood; other requests of the batch are answered."""
    bad, good = ask(
        build(checkpoints["llama"]), [choosing(0, "x", ("a", "")), choosing(1, "x", CHOICES)]
    )
    assert bad.error is not None
    assert "''" in bad.error
    assert good.error is None


def test_bfloat16(checkpoints: dict[str, Path]) -> None:
    """Weights in bfloat16, probabilities still in float32."""
    model = build(checkpoints["llama"], dtype="bfloat16")
    response = ask(model, CHOOSING[:2])[0]
    assert model._loaded.model.dtype == torch.bfloat16
    assert response.log_probs is not None
    assert sum(map(math.exp, response.log_probs.values())) == pytest.approx(1)
