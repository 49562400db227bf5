"""Texts that a causal language model writes, whatever the architecture, batch and padding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from kdeval.records import Response
from kdeval.run.executor import ask
from tests.contract.causal_models import (
    PROMPTS,
    WRITING,
    asking,
    build,
    plain_model,
    texts_of,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def test_generation_is_the_plain_greedy_loop(checkpoint: Path) -> None:
    """Token for token what a loop without cache, padding or batch writes."""
    model = build(checkpoint, batch_size=8)
    plain, tokenizer = plain_model(checkpoint)
    for request, response in zip(WRITING, ask(model, WRITING), strict=True):
        ids = tokenizer(request.input)["input_ids"] or [1]
        start = len(ids)
        limit = request.max_new_tokens or 0
        log_probs = []
        while len(log_probs) < limit and (len(ids) == start or ids[-1] != 0):
            with torch.inference_mode():
                row = plain(input_ids=torch.tensor([ids])).logits[0, -1]
            ids.append(int(row.argmax()))
            log_probs.append(float(row.double().log_softmax(dim=-1).max()))
        text = tokenizer.decode(ids[start:], skip_special_tokens=True)
        assert response.output == text
        assert response.output_tokens == len(log_probs)
        assert response.truncated == (ids[-1] != 0)
        assert response.mean_log_prob == pytest.approx(sum(log_probs) / len(log_probs), abs=1e-4)
        assert response.input_tokens == start


@pytest.mark.parametrize("sampling", [{}, {"temperature": 1.0}, {"temperature": 0.8, "top_p": 0.9},
                                      {"temperature": 1.3, "top_k": 7, "samples": 3}])  # fmt: skip
def test_the_batch_does_not_matter_to_generation(
    checkpoint: Path, sampling: dict[str, Any]
) -> None:
    """Batch 1 and batch 8, forwards and backwards: the same texts, greedy and sampled."""
    settings = {"max_new_tokens": 20, "seed": 5, **sampling}
    eight = build(checkpoint, batch_size=8, generation=settings)
    one = build(checkpoint, batch_size=1, generation=settings)
    requests = [asking(index, prompt) for index, prompt in enumerate(PROMPTS)]
    together = ask(eight, requests)
    assert texts_of(ask(eight, requests[::-1])[::-1]) == texts_of(together)
    assert texts_of([ask(one, [request])[0] for request in requests]) == texts_of(together)


def test_seeds(checkpoints: dict[str, Path]) -> None:
    """The seed, the replicate and the sample each draw anew; the same ones draw the same."""

    def written(seed: int = 0, replicate: int = 0) -> Response:
        settings = {"temperature": 1.0, "samples": 4, "seed": seed, "max_new_tokens": 12}
        model = build(checkpoints["llama"], generation=settings)
        return ask(model, [asking(0, "one two", replicate=replicate)])[0]

    assert written().samples == written().samples
    assert written(seed=1).samples != written().samples
    assert written(replicate=1).samples != written().samples
    samples = written().samples
    assert samples is not None
    assert len(set(samples)) > 1


def test_stop_strings_per_row(checkpoints: dict[str, Path]) -> None:
    """Each row ends before its own stop string, and the others are as they were without it."""
    model = build(checkpoints["llama"], generation={"max_new_tokens": 30})
    requests = [asking(index, prompt) for index, prompt in enumerate(PROMPTS)]
    free = ask(model, requests)
    texts = [response.output or "" for response in free]
    stops = [(text[len(text) // 2 :][:2],) if index % 2 else () for index, text in enumerate(texts)]
    stopped = ask(
        model,
        [asking(i, prompt, stop=stop)
         for i, (prompt, stop) in enumerate(zip(PROMPTS, stops, strict=True))],
    )  # fmt: skip
    for text, stop, before, after in zip(texts, stops, free, stopped, strict=True):
        expected = text[: text.index(stop[0])] if stop else text
        assert after.output == expected
        assert before.output_tokens is not None
        assert after.output_tokens is not None
        assert (after.output_tokens < before.output_tokens) == bool(stop)
        assert after.truncated == (before.truncated and not stop)


def test_timing_of_one_request(checkpoints: dict[str, Path]) -> None:
    """Alone: wall clock, first token and between tokens. In a batch: a share, and no latency."""
    model = build(checkpoints["llama"], generation={"max_new_tokens": 10})
    alone = ask(model, [asking(0, "one two")])[0].timing
    assert alone is not None
    assert alone.origin == "wall"
    assert alone.total_s is not None
    assert alone.first_token_s is not None
    assert alone.between_tokens_s is not None
    assert 0 < alone.first_token_s < alone.total_s
    shared = ask(model, [asking(0, "one two"), asking(1, "x")])[0].timing
    assert shared is not None
    assert shared.origin == "batch"
    assert shared.first_token_s is None
    assert shared.between_tokens_s is None


def test_samples_and_votes(checkpoints: dict[str, Path]) -> None:
    """All samples are kept; the output is what most agree with, its share the confidence."""
    settings = {"temperature": 0.3, "samples": 6, "max_new_tokens": 3, "vote_pattern": "^."}
    response = ask(build(checkpoints["llama"], generation=settings), [asking(0, "one two")])[0]
    assert response.samples is not None
    assert len(response.samples) == 6
    firsts = [sample[:1] for sample in response.samples]
    best = max(firsts, key=firsts.count)
    assert response.output is not None
    assert response.output[:1] == best
    assert response.confidence == pytest.approx(firsts.count(best) / 6)
    assert 6 <= (response.output_tokens or 0) <= 18
    first = build(checkpoints["llama"], generation={**settings, "vote": "first"})
    unvoted = ask(first, [asking(0, "one two")])[0]
    assert unvoted.output == response.samples[0]
    assert unvoted.confidence is None
    one = ask(build(checkpoints["llama"]), [asking(0, "one two")])[0]
    assert one.samples is None
    assert one.confidence is None


def test_special_tokens_as_tags_and_stops(checkpoints: dict[str, Path]) -> None:
    """A special token is no part of an answer, but still ends it or marks reasoning where the
    settings name it.
    """
    from kdeval.models.causal.sampling import writing

    tags = ["<|user|>", "<|assistant|>"]
    model = build(checkpoints["chat"], generation={"reasoning_tags": tags, "stop": ["<|system|>"]})
    loaded = model._loaded
    reader = writing(asking(0, "x"), loaded, model._config).reader
    ids = loaded.tokenizer("<|user|>one<|assistant|>two<|bos|> three<|system|>four")["input_ids"]
    answer = reader.read(ids)
    assert answer.text == "two three"
    assert answer.stopped
    assert answer.reasoning_tokens == len(loaded.tokenizer("<|user|>one<|assistant|>")["input_ids"])


def test_the_store_keeps_everything(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """What comes out of the prediction store is what went in, samples and timing included."""
    from kdeval.store.predictions import PredictionStore

    settings = {"temperature": 0.5, "samples": 2, "max_new_tokens": 4}
    response = ask(build(checkpoints["llama"], generation=settings), [asking(0, "one")])[0]
    with PredictionStore(tmp_path / "predictions.sqlite") as store:
        store.put({"k": response})
        assert store.get(["k"])["k"] == response
