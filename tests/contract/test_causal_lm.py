"""What a causal language model reads, needs and is known by: prompts, memory, files, settings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from kdeval.config.schema import CausalLMConfig, load_config
from kdeval.errors import ConfigError, MissingExtraError, ModelError
from kdeval.models.causal.model import CausalLM
from kdeval.models.protocols import Request
from kdeval.models.resolver import build_model
from kdeval.records import Image, Message
from kdeval.run.executor import ask
from tests.contract.causal_models import (
    CHOICES,
    CHOOSING,
    WRITING,
    asking,
    build,
    choosing,
    save_llama,
    save_tokenizer,
    texts_of,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def test_chat_templates(checkpoints: dict[str, Path]) -> None:
    """A plain prompt becomes a user message, messages are rendered, the system prompt is put
    first unless there is one; choices continue the plain prompt unless it is always chat.
    """
    model = build(checkpoints["chat"], system="Be brief.")
    prompts = model._loaded.prompts
    plain = asking(0, "one two")
    assert prompts.for_writing(plain).text == (
        "<|system|>Be brief.<|end|><|user|>one two<|end|><|assistant|>"
    )
    own = asking(0, (Message(role="system", content="S"), Message(role="user", content="U")))
    assert prompts.for_writing(own).text == "<|system|>S<|end|><|user|>U<|end|><|assistant|>"
    assert prompts.for_choosing(plain).text == "one two"
    assert prompts.for_choosing(own).rendered
    always = build(checkpoints["chat"], chat="always")._loaded.prompts
    assert always.for_choosing(plain).text == "<|user|>one two<|end|><|assistant|>"
    assert always.separated(always.for_choosing(plain), "good") == "good"
    never = build(checkpoints["chat"], chat="never")._loaded.prompts
    assert never.for_writing(plain).text == "one two"
    assert never.for_writing(own).text == "system: S\nuser: U\nassistant:"
    with pytest.raises(ModelError, match="chat template"):
        ask(build(checkpoints["llama"], system="Be brief."), [plain])
    with pytest.raises(ModelError, match="chat template"):
        ask(build(checkpoints["llama"], chat="always"), [plain])


def test_special_tokens_stand_once(checkpoints: dict[str, Path]) -> None:
    """A beginning token is put before plain prompts, and not a second time by a template."""
    prompts = build(checkpoints["bos"])._loaded.prompts
    ids = prompts.tokens(prompts.for_writing(asking(0, "one two")))
    assert ids[0] == 1
    assert ids.count(1) == 1
    assert prompts.tokens(prompts.for_writing(asking(0, ""))) == [1]
    chat = build(checkpoints["chat"])._loaded.prompts
    assert chat.tokens(chat.for_writing(asking(0, "one two"))).count(1) == 0


def test_a_tokenizer_without_a_token_to_begin_with(tmp_path: Path) -> None:
    """Nothing is predicted after nothing: that request fails, with the way out, and no other."""
    save_llama(tmp_path)
    tokenizer = save_tokenizer(tmp_path)
    tokenizer.bos_token = tokenizer.eos_token = None
    tokenizer.save_pretrained(tmp_path)
    model = build(tmp_path, generation={"max_new_tokens": 2})
    for ask_for in (lambda text: asking(0, text), lambda text: choosing(0, text, CHOICES)):
        failed, fine = ask(model, [ask_for(""), ask_for("one two")])
        assert "let the input begin with some text" in str(failed.error)
        assert fine.error is None


def test_a_template_that_refuses_the_messages(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """The request fails in the template's words."""
    shutil.copytree(checkpoints["chat"], tmp_path / "strict")
    template = "{{ raise_exception('System role not supported') }}"
    (tmp_path / "strict" / "chat_template.jinja").write_text(template)
    model = build(tmp_path / "strict", system="Be brief.")
    [response] = ask(model, [asking(0, "one")])
    assert response.error == "the chat template refuses the messages: System role not supported"


def test_prompts_that_are_too_long(checkpoints: dict[str, Path]) -> None:
    """They fail, alone, with the way out; or lose their beginning where that is wanted."""
    long = "one two three four " * 100
    requests = [asking(0, long), asking(1, "one two")]
    failed, fine = ask(build(checkpoints["llama"], generation={"max_new_tokens": 8}), requests)
    assert failed.error is not None
    assert "the model takes 256" in failed.error
    assert fine.error is None
    cut = build(checkpoints["llama"], generation={"max_new_tokens": 8}, too_long="truncate")
    response = ask(cut, requests)[0]
    assert response.input_tokens == 248
    assert ask(build(checkpoints["llama"]), [choosing(0, long, CHOICES)])[0].error is not None
    chosen = ask(cut, [choosing(0, long, CHOICES)])[0]
    alone = cut._loaded.tokenizer(long.rstrip())["input_ids"]
    assert chosen.error is None
    assert chosen.input_tokens is not None
    assert chosen.input_tokens < len(alone)
    short = build(checkpoints["llama"], max_length=20, generation={"max_new_tokens": 64})
    assert (ask(short, [asking(0, "one two")])[0].output_tokens or 99) < 20


def test_out_of_memory_halves_the_batch(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that does not fit is halved until it does; the answers are the same."""
    from transformers import LlamaForCausalLM

    expected = ask(build(checkpoints["llama"], batch_size=9), WRITING)
    chosen = ask(build(checkpoints["llama"], batch_size=9), CHOOSING)
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
    assert texts_of(ask(build(checkpoints["llama"], batch_size=9), WRITING)) == texts_of(expected)
    assert sizes[:3] == [9, 4, 2]
    found = ask(build(checkpoints["llama"], batch_size=9), CHOOSING)
    assert [response.output for response in found] == [response.output for response in chosen]
    model = build(checkpoints["llama"], batch_size=9)
    monkeypatch.setattr(LlamaForCausalLM, "forward", _always_full)
    assert "out of memory" in (ask(model, WRITING[:1])[0].error or "")


def _always_full(self: Any, input_ids: Any = None, **rest: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_numbers_that_are_none(checkpoints: dict[str, Path]) -> None:
    """Logits that are not finite are a failure, not an answer."""
    model = build(checkpoints["llama"])
    with torch.no_grad():
        model._loaded.model.lm_head.weight.fill_(torch.nan)
    assert "not finite" in (ask(model, CHOOSING[:1])[0].error or "")
    assert "not finite" in (ask(model, WRITING[:1])[0].error or "")
    text = Request(sample_id="s", suite="x", kind="likelihood", input="one", choices=("two three",))
    assert "not finite" in (ask(model, [text])[0].error or "")
    assert "not finite" in (model.log_likelihoods(CHOOSING[:1])[0].error or "")


def test_the_fingerprint_follows_what_answers_depend_on(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    """Weights, tokenizer, template, dtype and settings are in it; path, name, batch are not."""
    base = build(checkpoints["chat"]).fingerprint
    assert build(checkpoints["chat"], batch_size=3).fingerprint == base
    assert build(checkpoints["chat"], name="other").fingerprint == base
    for change in ({"dtype": "bfloat16"}, {"chat": "never"}, {"system": "S"}, {"max_length": 9},
                   {"too_long": "truncate"}, {"generation": {"max_new_tokens": 3}},
                   {"generation": {"stop": ["\n"]}}, {"generation": {"temperature": 0.5}},
                   {"generation": {"seed": 1}}, {"scoring": {"normalize": "bytes"}},
                   {"scoring": {"content_free": "N/A"}}, {"template_options": {"a": 1}},
                   {"generation": {"reasoning_tags": None}}):  # fmt: skip
        assert build(checkpoints["chat"], **change).fingerprint != base, change
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in checkpoints["chat"].iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert build(copy).fingerprint == base
    assert build(copy, tokenizer=str(checkpoints["llama"])).fingerprint != base
    template = copy / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    changed = build(copy).fingerprint
    assert changed != base
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(bytes(weights))
    assert build(copy).fingerprint not in (base, changed)


def test_weights_in_two_formats_count_once(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """Those that are read: not the same ones beside them, of which a change changes nothing."""
    plain, folder = build(checkpoints["llama"]), tmp_path / "twice"
    shutil.copytree(checkpoints["llama"], folder)
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"the same for older readers")
    model = build(folder)
    assert (model.parameters, model.bytes_on_disk) == (plain.parameters, plain.bytes_on_disk)
    assert model.fingerprint == plain.fingerprint
    parts = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    for name in parts.values():
        shutil.copy(folder / "model.safetensors", folder / name)
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": parts}))
    assert build(folder).parameters == 2 * (plain.parameters or 0)


def test_a_template_in_a_directory_of_its_own_counts(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    """`additional_chat_templates/tool_use.jinja` is what is rendered where tools are offered."""
    folder = tmp_path / "chat"
    shutil.copytree(checkpoints["chat"], folder)
    (folder / "additional_chat_templates").mkdir()
    found = set()
    for template in ("{{ tools }}", "{{ tools }}!"):
        (folder / "additional_chat_templates" / "tool_use.jinja").write_text(template)
        found.add(build(folder).fingerprint)
    assert len(found) == 2


def test_another_tokenizer_directory(checkpoints: dict[str, Path]) -> None:
    """The tokenizer may lie elsewhere."""
    model = build(checkpoints["llama"], tokenizer=str(checkpoints["chat"]))
    assert model._loaded.prompts.for_writing(asking(0, "x")).rendered


def test_paths_that_hold_no_model(checkpoints: dict[str, Path], tmp_path: Path) -> None:
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
        build(checkpoints["llama"] / "config.json")
    with pytest.raises(ModelError, match="quantized already"):
        build(tmp_path / "a.gguf", quantization="8bit")


def test_quantization_needs_its_package(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without bitsandbytes the error is the pip line."""
    from kdeval.models.causal import checkpoint

    monkeypatch.setattr(checkpoint.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kdeval\[quantization\]'"):
        ask(build(checkpoints["llama"], quantization="4bit"), WRITING[:1])


def test_images_are_refused(checkpoints: dict[str, Path]) -> None:
    """A text model does not answer about an image that it cannot see."""
    with pytest.raises(ModelError, match="no images"):
        ask(build(checkpoints["llama"]), [asking(0, "x", image=Image(sha256="0", data=b""))])


def test_memory_is_counted(checkpoints: dict[str, Path]) -> None:
    """At least the weights, once it worked; unknown before."""
    model = build(checkpoints["llama"])
    assert model.peak_memory_bytes is None
    ask(model, WRITING[:1])
    found = model.peak_memory_bytes
    assert found is None or found >= 4 * (model.parameters or 0)


def test_configuration(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """It is a built-in type; settings that contradict each other are refused with their line."""
    (tmp_path / "suite.yaml").write_text("")
    config = tmp_path / "run.yaml"
    config.write_text(
        "suites: [suite.yaml]\n"
        f"teacher: {{name: t, type: causal_lm, path: {checkpoints['llama']}}}\n"
        f"students: [{{name: s, type: causal_lm, path: {checkpoints['gpt2']}, chat: never}}]\n"
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
            f"teacher: {{name: t, type: causal_lm, path: {checkpoints['llama']}, {broken}}}\n"
            f"students: [{{name: s, type: causal_lm, path: {checkpoints['gpt2']}}}]\n"
        )
        with pytest.raises(ConfigError, match=message):
            load_config(config)
