"""A causal language model of kdeval answers lm-eval what lm-eval's own HF model answers."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from lm_eval.models.huggingface import HFLM

from kdeval.benchmarks.language_model import KdevalLM
from tests.contract.causal_models import (
    CORPUS,
    build,
    save_gpt2,
    save_llama,
    save_mamba,
    save_tokenizer,
)
from tests.contract.lm_eval_instances import CONTEXTS, asked, writings

CONTINUATIONS = (
    " Paris",
    " Rome in Italy, good",
    "é",
    "\n",
    "a b c d e f g",
    "日本 good",
    "<|bos|> x",
)
MODELS = {
    "llama": (save_llama, False),
    "llama_bos": (save_llama, True),
    "gpt2_bos": (save_gpt2, True),
    "mamba": (save_mamba, False),
}


@pytest.fixture(scope="module", params=MODELS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a tiny model; two tokenizers begin texts with a token of their own."""
    save, bos = MODELS[request.param]
    path = tmp_path_factory.mktemp(request.param)
    save(path)
    save_tokenizer(path, bos=bos, chat=True)
    return path


@pytest.fixture(scope="module", params=[1, 4])
def both(request: pytest.FixtureRequest, folder: Path) -> tuple[HFLM, KdevalLM]:
    """lm-eval's HF model at that batch size, and ours."""
    theirs = HFLM(str(folder), device="cpu", dtype="float32", batch_size=request.param)
    return theirs, KdevalLM(build(folder, dtype="float32", batch_size=4))


def greedy_pairs(model: HFLM) -> list[tuple[str, str]]:
    """Contexts with the one token that the model itself writes after each."""
    contexts = [" ".join(text.split()[:n]) for text in CORPUS for n in range(1, 6)]
    written = model.generate_until(
        asked("generate_until", *((c, {"max_gen_toks": 1}) for c in contexts)), disable_tqdm=True
    )
    pairs = zip(contexts, written, strict=True)
    return [pair for pair in pairs if pair[1] and "\ufffd" not in pair[1]]


def test_log_likelihoods_are_those_of_lm_eval(both: tuple[HFLM, KdevalLM]):
    """White space at a context's end, no context, too long a context, Unicode, special tokens."""
    theirs, ours = both
    pairs = list(itertools.product(CONTEXTS, CONTINUATIONS))
    pairs.remove(("", "<|bos|> x"))
    instances = asked("loglikelihood", *pairs, *greedy_pairs(theirs))
    expected = theirs.loglikelihood(instances, disable_tqdm=True)
    found = ours.loglikelihood(instances)
    assert [value for value, _ in found] == pytest.approx([v for v, _ in expected], abs=1e-4)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
    assert any(greedy for _, greedy in found)


def test_whole_texts_are_windowed_as_by_lm_eval(both: tuple[HFLM, KdevalLM]):
    """Texts of no token, of one window and of several; lm-eval sums them in float32."""
    theirs, ours = both
    long = " ".join(f"{n} is {n * n}; the capital of {n % 7} is Paris {n}." for n in range(50))
    instances = asked("loglikelihood_rolling", ("",), ("é",), ("The capital is Rome.",), (long,))
    expected = theirs.loglikelihood_rolling(instances, disable_tqdm=True)
    assert ours.loglikelihood_rolling(instances) == pytest.approx(expected, rel=2e-6, abs=1e-4)
    assert ours.asked["t", 3].responses[-1].output_tokens > 256


def test_texts_are_those_of_lm_eval(both: tuple[HFLM, KdevalLM]):
    """Stop strings, end tokens and limits; a long prompt loses its beginning."""
    theirs, ours = both
    instances = writings(
        (*CONTEXTS[:2], *CONTEXTS[3:5], CONTEXTS[6]), (["\n", "q"], " a", []), (4, 16)
    )
    expected = theirs.generate_until(instances, disable_tqdm=True)
    assert ours.generate_until(instances) == expected
    assert len(set(expected)) > 5


def test_special_tokens_stop_texts_as_in_lm_eval(chat_llama: Path):
    """A special token that holds a stop string ends the text, and is no part of it.

    lm-eval's own model does so one text at a time; in a batch it writes on after the stop.
    """
    theirs = HFLM(str(chat_llama), device="cpu", dtype="float32", batch_size=1)
    instances = writings(CONTEXTS[3:], (["e"], ["<|user|>", "<|system|>"]), (24,))
    expected = theirs.generate_until(instances, disable_tqdm=True)
    assert KdevalLM(build(chat_llama, dtype="float32")).generate_until(instances) == expected
    plain = KdevalLM(build(chat_llama, dtype="float32")).generate_until(
        writings(CONTEXTS[3:], ([],), (24,))
    )
    assert any(len(text) < len(whole) for text, whole in zip(expected[1::2], plain, strict=True))


def test_chats_are_rendered_as_by_lm_eval(both: tuple[HFLM, KdevalLM]):
    """The template's text is scored as it is, with no second token at its beginning."""
    theirs, ours = both
    history = [{"role": "user", "content": "Rome?"}, {"role": "assistant", "content": "The"}]
    texts = [
        model.apply_chat_template(turns, add_generation_prompt=begin)
        for model in (theirs, ours)
        for turns, begin in ((history[:1], True), (history, False))
    ]
    assert texts[:2] == texts[2:]
    instances = asked("loglikelihood", *((text, " capital") for text in texts[:2]))
    expected = theirs.loglikelihood(instances, disable_tqdm=True)
    assert ours.loglikelihood(instances)[0][0] == pytest.approx(expected[0][0], abs=1e-4)
    assert ours.chat_template(True) == theirs.chat_template(True)
