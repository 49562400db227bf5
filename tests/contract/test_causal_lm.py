"""What a causal language model promises, whatever its architecture, batch and padding."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from kdeval.config.schema import CausalLMConfig, load_config
from kdeval.errors import ConfigError, MissingExtraError, ModelError
from kdeval.models.causal.model import CausalLM
from kdeval.models.causal.prompts import Split
from kdeval.models.protocols import ChoiceScorer, Classifier, Generator, Request
from kdeval.models.resolver import build_model
from kdeval.records import Image, Message, Response
from kdeval.run.executor import ask
from tests.contract.causal_models import (
    CHOICES,
    PROMPTS,
    asking,
    build,
    choosing,
    save_gpt2,
    save_llama,
    save_mamba,
    save_tokenizer,
)

ARCHITECTURES: dict[str, Callable[[Path], None]] = {
    "llama": save_llama, "gpt2": save_gpt2, "mamba": save_mamba,
}  # fmt: skip
CHOOSING = [choosing(index, prompt, CHOICES) for index, prompt in enumerate(PROMPTS)]
WRITING = [asking(index, prompt, max_new_tokens=24 - index) for index, prompt in enumerate(PROMPTS)]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Architecture to a directory; "chat" and "bos" are Llamas with another tokenizer."""
    found = {}
    for name in (*ARCHITECTURES, "chat", "bos"):
        found[name] = tmp_path_factory.mktemp(name)
        ARCHITECTURES.get(name, save_llama)(found[name])
        save_tokenizer(found[name], chat=name == "chat", bos=name == "bos")
    return found


@pytest.fixture(params=ARCHITECTURES)
def folder(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Path:
    return folders[request.param]


def _plain(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(folder)


def _plain_log_prob(model: Any, split: Split) -> float:
    """The definition: one row, no padding, every position and the whole vocabulary."""
    ids = torch.tensor([[*split.context, *split.continuation]])
    with torch.inference_mode():
        log_probs = model(input_ids=ids).logits[0].double().log_softmax(dim=-1)
    start = len(split.context)
    return sum(
        float(log_probs[start - 1 + place, token]) for place, token in enumerate(split.continuation)
    )


def test_it_keeps_the_protocols(folder: Path) -> None:
    """It chooses among labels and among choices, and writes; without loading any weights yet."""
    model = build(folder)
    assert isinstance(model, Classifier)
    assert isinstance(model, ChoiceScorer)
    assert isinstance(model, Generator)
    assert model.parameters is not None
    assert model.parameters > 1000
    assert model.bytes_on_disk > 4 * model.parameters
    assert "_loaded" not in model.__dict__


def test_log_likelihoods_equal_a_plain_forward_pass(folder: Path) -> None:
    """To 1e-4 for every choice, in batches of mixed lengths, in any order."""
    model = build(folder, batch_size=7)
    plain, _ = _plain(folder)
    splits = [
        split
        for request in CHOOSING
        for split in model._loaded.prompts.splits(
            model._loaded.prompts.for_choosing(request), [f" {choice}" for choice in CHOICES]
        )
    ]
    expected = [_plain_log_prob(plain, split) for split in splits]
    for batch in (splits, splits[::-1], splits[3:4]):
        wanted = expected if batch is splits else expected[::-1]
        wanted = expected[3:4] if len(batch) == 1 else wanted
        found = model.score_continuations(batch)
        assert [score.log_prob for score in found] == pytest.approx(wanted, abs=1e-4)
        assert [score.tokens for score in found] == [len(split.continuation) for split in batch]


def test_greedy_is_told(folder: Path) -> None:
    """The likeliest continuation is marked so, and no other."""
    model = build(folder)
    plain, tokenizer = _plain(folder)
    context = tuple(tokenizer("The capital of France is")["input_ids"])
    with torch.inference_mode():
        best = int(plain(input_ids=torch.tensor([context])).logits[0, -1].argmax())
    right, wrong = model.score_continuations(
        [Split(context=context, continuation=(best,)),
         Split(context=context, continuation=((best + 1) % 400,))]
    )  # fmt: skip
    assert right.greedy
    assert not wrong.greedy


def test_choices_become_probabilities(folder: Path) -> None:
    """Indices as keys, log-probabilities of the summed likelihoods, tokens counted."""
    model = build(folder)
    plain, _ = _plain(folder)
    for request, response in zip(CHOOSING, ask(model, CHOOSING), strict=True):
        assert response.error is None
        assert response.log_probs is not None
        assert sum(map(math.exp, response.log_probs.values())) == pytest.approx(1)
        prompts = model._loaded.prompts
        prompt = prompts.for_choosing(request)
        options = [prompts.separated(prompt, choice) for choice in CHOICES]
        splits = prompts.splits(prompt, options)
        raw = torch.tensor([_plain_log_prob(plain, split) for split in splits]).double()
        expected = raw.log_softmax(dim=0).tolist()
        assert list(response.log_probs.values()) == pytest.approx(expected, abs=1e-4)
        assert response.output == str(int(raw.argmax()))
        assert response.input_tokens == len(splits[0].context)
        assert response.output_tokens == len(splits[int(raw.argmax())].continuation)


def test_the_batch_does_not_matter_to_choices(folder: Path) -> None:
    """Alone or in any batch: the same choice, log-probabilities within 1e-4."""
    together = ask(build(folder, batch_size=32), CHOOSING)
    one = build(folder, batch_size=1)
    for request, response in zip(CHOOSING, together, strict=True):
        alone = ask(one, [request])[0]
        assert alone.output == response.output
        assert alone.log_probs == pytest.approx(response.log_probs, abs=1e-4)
        assert alone.timing is not None
        assert alone.timing.origin == "wall"
        assert response.timing is not None
        assert response.timing.origin == "batch"


def test_labels_are_continuations(folders: dict[str, Path]) -> None:
    """A classification has its labels, or the words given for them, scored."""
    labels = ("positive", "negative")
    request = Request(sample_id="s", suite="x", kind="classification", input="film: good",
                      labels=labels)  # fmt: skip
    response = ask(build(folders["llama"]), [request])[0]
    assert response.log_probs is not None
    assert set(response.log_probs) == set(labels)
    as_choices = ask(build(folders["llama"]), [choosing(0, "film: good", ("good", "bad"))])[0]
    words = {"positive": "good", "negative": "bad"}
    worded = ask(build(folders["llama"], scoring={"label_words": words}), [request])[0]
    assert worded.log_probs is not None
    assert as_choices.log_probs is not None
    assert worded.log_probs["negative"] == pytest.approx(as_choices.log_probs["1"])


@pytest.mark.parametrize("normalize", ["tokens", "bytes"])
def test_length_normalisation(folders: dict[str, Path], normalize: str) -> None:
    """The log-likelihood of each choice is divided by its tokens or by its UTF-8 bytes."""
    plain = build(folders["llama"])
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
    model = build(folders["llama"], scoring={"normalize": normalize})
    response = ask(model, [choosing(0, prompt, CHOICES)])[0]
    assert response.log_probs is not None
    assert list(response.log_probs.values()) == pytest.approx(expected, abs=1e-4)


def test_contextual_calibration(folders: dict[str, Path]) -> None:
    """The prior after a prompt without content is divided out; on that prompt all are equal."""
    model = build(folders["llama"], scoring={"content_free": "N/A"})
    blank = ask(model, [choosing(0, "N/A", CHOICES)])[0]
    assert blank.log_probs is not None
    assert list(blank.log_probs.values()) == pytest.approx([-math.log(5)] * 5, abs=1e-5)
    plain = build(folders["llama"])
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
    by_suite = build(folders["llama"], scoring={"content_free": {"other": "N/A"}})
    assert ask(by_suite, [choosing(0, "one two", CHOICES)])[0].log_probs == pytest.approx(values[0])


def test_generation_is_the_plain_greedy_loop(folder: Path) -> None:
    """Token for token what a loop without cache, padding or batch writes."""
    model = build(folder, batch_size=8)
    plain, tokenizer = _plain(folder)
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
def test_the_batch_does_not_matter_to_generation(folder: Path, sampling: dict[str, Any]) -> None:
    """Batch 1 and batch 8, forwards and backwards: the same texts, greedy and sampled."""
    settings = {"max_new_tokens": 20, "seed": 5, **sampling}
    eight = build(folder, batch_size=8, generation=settings)
    one = build(folder, batch_size=1, generation=settings)
    requests = [asking(index, prompt) for index, prompt in enumerate(PROMPTS)]
    together = ask(eight, requests)
    assert _texts(ask(eight, requests[::-1])[::-1]) == _texts(together)
    assert _texts([ask(one, [request])[0] for request in requests]) == _texts(together)


def _texts(responses: list[Response]) -> list[Any]:
    return [(response.output, response.samples, response.output_tokens) for response in responses]


def test_seeds(folders: dict[str, Path]) -> None:
    """The seed, the replicate and the sample each draw anew; the same ones draw the same."""

    def written(seed: int = 0, replicate: int = 0) -> Response:
        settings = {"temperature": 1.0, "samples": 4, "seed": seed, "max_new_tokens": 12}
        model = build(folders["llama"], generation=settings)
        return ask(model, [asking(0, "one two", replicate=replicate)])[0]

    assert written().samples == written().samples
    assert written(seed=1).samples != written().samples
    assert written(replicate=1).samples != written().samples
    samples = written().samples
    assert samples is not None
    assert len(set(samples)) > 1


def test_stop_strings_per_row(folders: dict[str, Path]) -> None:
    """Each row ends before its own stop string, and the others are as they were without it."""
    model = build(folders["llama"], generation={"max_new_tokens": 30})
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


def test_chat_templates(folders: dict[str, Path]) -> None:
    """A plain prompt becomes a user message, messages are rendered, the system prompt is put
    first unless there is one; choices continue the plain prompt unless it is always chat.
    """
    model = build(folders["chat"], system="Be brief.")
    prompts = model._loaded.prompts
    plain = asking(0, "one two")
    assert prompts.for_writing(plain).text == (
        "<|system|>Be brief.<|end|><|user|>one two<|end|><|assistant|>"
    )
    own = asking(0, (Message(role="system", content="S"), Message(role="user", content="U")))
    assert prompts.for_writing(own).text == "<|system|>S<|end|><|user|>U<|end|><|assistant|>"
    assert prompts.for_choosing(plain).text == "one two"
    assert prompts.for_choosing(own).rendered
    always = build(folders["chat"], chat="always")._loaded.prompts
    assert always.for_choosing(plain).text == "<|user|>one two<|end|><|assistant|>"
    assert always.separated(always.for_choosing(plain), "good") == "good"
    never = build(folders["chat"], chat="never")._loaded.prompts
    assert never.for_writing(plain).text == "one two"
    assert never.for_writing(own).text == "system: S\nuser: U\nassistant:"
    with pytest.raises(ModelError, match="chat template"):
        ask(build(folders["llama"], system="Be brief."), [plain])
    with pytest.raises(ModelError, match="chat template"):
        ask(build(folders["llama"], chat="always"), [plain])


def test_special_tokens_stand_once(folders: dict[str, Path]) -> None:
    """A beginning token is put before plain prompts, and not a second time by a template."""
    prompts = build(folders["bos"])._loaded.prompts
    ids = prompts.tokens(prompts.for_writing(asking(0, "one two")))
    assert ids[0] == 1
    assert ids.count(1) == 1
    assert prompts.tokens(prompts.for_writing(asking(0, ""))) == [1]
    chat = build(folders["chat"])._loaded.prompts
    assert chat.tokens(chat.for_writing(asking(0, "one two"))).count(1) == 0


def test_tokens_that_span_the_boundary(folders: dict[str, Path]) -> None:
    """All choices start at the same token, the last that the prompt shares with all joined texts;
    each split put together is the joined text's own tokenization.
    """
    prompts = build(folders["llama"])._loaded.prompts
    tokenizer = build(folders["llama"])._loaded.tokenizer
    prompt = prompts.content_free("The capital of Fra")
    options = ["nce", "m", " is"]
    splits = prompts.splits(prompt, options)
    assert len({split.context for split in splits}) == 1
    for split, option in zip(splits, options, strict=True):
        joined = tokenizer("The capital of Fra" + option)["input_ids"]
        assert [*split.context, *split.continuation] == joined
    assert len(splits[0].context) < len(tokenizer("The capital of Fra")["input_ids"])


def test_prompts_that_are_too_long(folders: dict[str, Path]) -> None:
    """They fail, alone, with the way out; or lose their beginning where that is wanted."""
    long = "one two three four " * 100
    requests = [asking(0, long), asking(1, "one two")]
    failed, fine = ask(build(folders["llama"], generation={"max_new_tokens": 8}), requests)
    assert failed.error is not None
    assert "the model takes 256" in failed.error
    assert fine.error is None
    cut = build(folders["llama"], generation={"max_new_tokens": 8}, too_long="truncate")
    response = ask(cut, requests)[0]
    assert response.input_tokens == 248
    assert ask(build(folders["llama"]), [choosing(0, long, CHOICES)])[0].error is not None
    chosen = ask(cut, [choosing(0, long, CHOICES)])[0]
    alone = cut._loaded.tokenizer(long.rstrip())["input_ids"]
    assert chosen.error is None
    assert chosen.input_tokens is not None
    assert chosen.input_tokens < len(alone)
    short = build(folders["llama"], max_length=20, generation={"max_new_tokens": 64})
    assert (ask(short, [asking(0, "one two")])[0].output_tokens or 99) < 20


def test_empty_choices_fail_alone(folders: dict[str, Path]) -> None:
    """A choice without a token has no likelihood; other requests of the batch are answered."""
    bad, good = ask(
        build(folders["llama"]), [choosing(0, "x", ("a", "")), choosing(1, "x", CHOICES)]
    )
    assert bad.error is not None
    assert "''" in bad.error
    assert good.error is None


def test_timing_of_one_request(folders: dict[str, Path]) -> None:
    """Alone: wall clock, first token and between tokens. In a batch: a share, and no latency."""
    model = build(folders["llama"], generation={"max_new_tokens": 10})
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


def test_out_of_memory_halves_the_batch(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that does not fit is halved until it does; the answers are the same."""
    from transformers import LlamaForCausalLM

    expected = ask(build(folders["llama"], batch_size=9), WRITING)
    chosen = ask(build(folders["llama"], batch_size=9), CHOOSING)
    forward = LlamaForCausalLM.forward
    sizes: list[int] = []

    def limited(self: Any, input_ids: Any = None, position_ids: Any = None, logits_to_keep: Any = 0,
                attention_mask: Any = None, past_key_values: Any = None, use_cache: Any = None
                ) -> Any:  # fmt: skip
        sizes.append(len(input_ids))
        if len(input_ids) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(
            self, input_ids=input_ids, position_ids=position_ids, logits_to_keep=logits_to_keep,
            attention_mask=attention_mask, past_key_values=past_key_values, use_cache=use_cache,
        )  # fmt: skip

    monkeypatch.setattr(LlamaForCausalLM, "forward", limited)
    assert _texts(ask(build(folders["llama"], batch_size=9), WRITING)) == _texts(expected)
    assert sizes[:3] == [9, 4, 2]
    found = ask(build(folders["llama"], batch_size=9), CHOOSING)
    assert [response.output for response in found] == [response.output for response in chosen]
    model = build(folders["llama"], batch_size=9)
    monkeypatch.setattr(LlamaForCausalLM, "forward", _always_full)
    assert "out of memory" in (ask(model, WRITING[:1])[0].error or "")


def _always_full(self: Any, input_ids: Any = None, **rest: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_numbers_that_are_none(folders: dict[str, Path]) -> None:
    """Logits that are not finite are a failure, not an answer."""
    model = build(folders["llama"])
    with torch.no_grad():
        model._loaded.model.lm_head.weight.fill_(torch.nan)
    assert "not finite" in (ask(model, CHOOSING[:1])[0].error or "")
    assert "not finite" in (ask(model, WRITING[:1])[0].error or "")


def test_the_fingerprint_follows_what_answers_depend_on(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """Weights, tokenizer, template, dtype and settings are in it; path, name, batch are not."""
    base = build(folders["chat"]).fingerprint
    assert build(folders["chat"], batch_size=3).fingerprint == base
    assert build(folders["chat"], name="other").fingerprint == base
    for change in ({"dtype": "bfloat16"}, {"chat": "never"}, {"system": "S"}, {"max_length": 9},
                   {"too_long": "truncate"}, {"generation": {"max_new_tokens": 3}},
                   {"generation": {"stop": ["\n"]}}, {"generation": {"temperature": 0.5}},
                   {"generation": {"seed": 1}}, {"scoring": {"normalize": "bytes"}},
                   {"scoring": {"content_free": "N/A"}}, {"template_options": {"a": 1}},
                   {"generation": {"reasoning_tags": None}}):  # fmt: skip
        assert build(folders["chat"], **change).fingerprint != base, change
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folders["chat"].iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert build(copy).fingerprint == base
    assert build(copy, tokenizer=str(folders["llama"])).fingerprint != base
    template = copy / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    changed = build(copy).fingerprint
    assert changed != base
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(bytes(weights))
    assert build(copy).fingerprint not in (base, changed)


def test_another_tokenizer_directory(folders: dict[str, Path]) -> None:
    """The tokenizer may lie elsewhere."""
    model = build(folders["llama"], tokenizer=str(folders["chat"]))
    assert model._loaded.prompts.for_writing(asking(0, "x")).rendered


def test_paths_that_hold_no_model(folders: dict[str, Path], tmp_path: Path) -> None:
    """Each error says what is missing or ambiguous."""
    with pytest.raises(ModelError, match=r"neither config\.json nor a \.gguf file"):
        build(tmp_path)
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    (tmp_path / "b.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match="one of them"):
        build(tmp_path)
    with pytest.raises(ModelError, match="cannot be loaded"):
        ask(build(tmp_path / "a.gguf"), WRITING[:1])
    with pytest.raises(ModelError, match=r"no \.gguf file"):
        build(folders["llama"] / "config.json")
    with pytest.raises(ModelError, match="quantized already"):
        build(tmp_path / "a.gguf", quantization="8bit")


def test_quantization_needs_its_package(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without bitsandbytes the error is the pip line."""
    from kdeval.models.causal import checkpoint

    monkeypatch.setattr(checkpoint.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kdeval\[quantization\]'"):
        ask(build(folders["llama"], quantization="4bit"), WRITING[:1])


def test_bfloat16(folders: dict[str, Path]) -> None:
    """Weights in bfloat16, probabilities still in float32."""
    model = build(folders["llama"], dtype="bfloat16")
    response = ask(model, CHOOSING[:2])[0]
    assert model._loaded.model.dtype == torch.bfloat16
    assert response.log_probs is not None
    assert sum(map(math.exp, response.log_probs.values())) == pytest.approx(1)


def test_images_are_refused(folders: dict[str, Path]) -> None:
    """A text model does not answer about an image that it cannot see."""
    with pytest.raises(ModelError, match="no images"):
        ask(build(folders["llama"]), [asking(0, "x", image=Image(sha256="0", data=b""))])


def test_memory_is_counted(folders: dict[str, Path]) -> None:
    """At least the weights, once it worked; unknown before."""
    model = build(folders["llama"])
    assert model.peak_memory_bytes is None
    ask(model, WRITING[:1])
    found = model.peak_memory_bytes
    assert found is None or found >= 4 * (model.parameters or 0)


def test_configuration(folders: dict[str, Path], tmp_path: Path) -> None:
    """It is a built-in type; settings that contradict each other are refused with their line."""
    (tmp_path / "suite.yaml").write_text("")
    config = tmp_path / "run.yaml"
    config.write_text(
        "suites: [suite.yaml]\n"
        f"teacher: {{name: t, type: causal_lm, path: {folders['llama']}}}\n"
        f"students: [{{name: s, type: causal_lm, path: {folders['gpt2']}, chat: never}}]\n"
    )
    loaded = load_config(config)
    assert isinstance(loaded.teacher, CausalLMConfig)
    assert isinstance(build_model(loaded.teacher), CausalLM)
    for broken, message in (
        ("generation: {samples: 3}", "temperature above 0"),
        ("generation: {top_p: 0.5}", "temperature above 0"),
        ("generation: {vote_pattern: '('}", "not a regular expression"),
        ("generation: {stop: ['']}", "stop string is empty"),
        ("chat: never, system: S", "chat: never does without"),
        ("tokenizer: gone", "no such path 'gone'"),
    ):
        config.write_text(
            "suites: [suite.yaml]\n"
            f"teacher: {{name: t, type: causal_lm, path: {folders['llama']}, {broken}}}\n"
            f"students: [{{name: s, type: causal_lm, path: {folders['gpt2']}}}]\n"
        )
        with pytest.raises(ConfigError, match=message):
            load_config(config)


def test_samples_and_votes(folders: dict[str, Path]) -> None:
    """All samples are kept; the output is what most agree with, its share the confidence."""
    settings = {"temperature": 0.3, "samples": 6, "max_new_tokens": 3, "vote_pattern": "^."}
    response = ask(build(folders["llama"], generation=settings), [asking(0, "one two")])[0]
    assert response.samples is not None
    assert len(response.samples) == 6
    firsts = [sample[:1] for sample in response.samples]
    best = max(firsts, key=firsts.count)
    assert response.output is not None
    assert response.output[:1] == best
    assert response.confidence == pytest.approx(firsts.count(best) / 6)
    assert 6 <= (response.output_tokens or 0) <= 18
    first = build(folders["llama"], generation={**settings, "vote": "first"})
    unvoted = ask(first, [asking(0, "one two")])[0]
    assert unvoted.output == response.samples[0]
    assert unvoted.confidence is None
    one = ask(build(folders["llama"]), [asking(0, "one two")])[0]
    assert one.samples is None
    assert one.confidence is None


def test_special_tokens_as_tags_and_stops(folders: dict[str, Path]) -> None:
    """A special token is no part of an answer, but still ends it or marks reasoning where the
    settings name it.
    """
    from kdeval.models.causal.sampling import writing

    tags = ["<|user|>", "<|assistant|>"]
    model = build(folders["chat"], generation={"reasoning_tags": tags, "stop": ["<|system|>"]})
    loaded = model._loaded
    reader = writing(asking(0, "x"), loaded, model._config).reader
    ids = loaded.tokenizer("<|user|>one<|assistant|>two<|bos|> three<|system|>four")["input_ids"]
    answer = reader.read(ids)
    assert answer.text == "two three"
    assert answer.stopped
    assert answer.reasoning_tokens == len(loaded.tokenizer("<|user|>one<|assistant|>")["input_ids"])


def test_the_store_keeps_everything(folders: dict[str, Path], tmp_path: Path) -> None:
    """What comes out of the prediction store is what went in, samples and timing included."""
    from kdeval.store.predictions import PredictionStore

    settings = {"temperature": 0.5, "samples": 2, "max_new_tokens": 4}
    response = ask(build(folders["llama"], generation=settings), [asking(0, "one")])[0]
    with PredictionStore(tmp_path / "predictions.sqlite") as store:
        store.put({"k": response})
        assert store.get(["k"])["k"] == response
