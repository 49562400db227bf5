"""What adapters show of their networks: pooled states and attention maps."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
import transformers

from kdeval.config.schema import EmbedderConfig, ImageClassifierConfig, SequenceClassifierConfig
from kdeval.models.embedder import TransformersEmbedder
from kdeval.models.hidden.maps import LONGEST
from kdeval.models.image_classifier import ImageClassifier
from kdeval.models.protocols import Request
from kdeval.models.sequence_classifier import SequenceClassifier
from kdeval.models.white_box import HiddenStates, SampleAttention, SampleStates
from kdeval.records import Image
from tests.contract.architectures import TURNING, random_model
from tests.contract.causal_models import (
    PROMPTS,
    asking,
    build,
    choosing,
    save_gpt2,
    save_llama,
    save_mamba,
    save_tokenizer,
)
from tests.contract.digit_images import _vit

TEXTS = ["good film", "the plot of a very bad film", "ok", "not good not bad", "a film"]


def close(one: Any, other: Any) -> None:
    """To 1e-5 of the largest state."""
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * float(np.abs(other).max()))


def classifying(texts: Sequence[str]) -> list[Request]:
    return [
        Request(sample_id=f"s{index}", suite="x", kind="classification", input=text,
                labels=("negative", "positive"))
        for index, text in enumerate(texts)
    ]  # fmt: skip


@pytest.fixture(params=["llama", "gpt2", "mamba", "classifier", "embedder"])
def pair(
    request: pytest.FixtureRequest, tmp_path: Path, tiny_bert: Path
) -> tuple[Any, Any, list[Request]]:
    """The same model in batches of one and of four, with requests of different length."""
    if request.param in ("classifier", "embedder"):
        kind: Any = {"classifier": (SequenceClassifier, SequenceClassifierConfig, "sequence_"),
                "embedder": (TransformersEmbedder, EmbedderConfig, "")}[request.param]  # fmt: skip
        settings = {"name": "m", "type": kind[2] + request.param, "path": str(tiny_bert),
                    "device": "cpu"}  # fmt: skip
        one, four = (
            kind[0](kind[1].model_validate({**settings, "batch_size": size})) for size in (1, 4)
        )
        return one, four, classifying(TEXTS)
    {"llama": save_llama, "gpt2": save_gpt2, "mamba": save_mamba}[request.param](tmp_path)
    save_tokenizer(tmp_path)
    one, four = (build(tmp_path, batch_size=size) for size in (1, 4))
    return one, four, [asking(index, prompt) for index, prompt in enumerate(PROMPTS)]


@pytest.mark.parametrize("tokens", ["mean", "last"])
def test_what_else_is_in_a_batch_changes_nothing(pair: Any, tokens: Any) -> None:
    """Padding never enters a representation."""
    one, four, requests = pair
    assert isinstance(one, HiddenStates)
    for alone, together in zip(
        one.hidden_states(requests, tokens=tokens), four.hidden_states(requests, tokens=tokens),
        strict=True,
    ):  # fmt: skip
        assert (alone.tokens, alone.digest) == (together.tokens, together.digest)
        assert len(alone.vectors) == 3
        for first, second in zip(alone.vectors, together.vectors, strict=True):
            assert first.dtype == np.float32
            close(first, second)


def test_a_longer_text_turns_no_positions_of_shorter_ones(tmp_path: Path) -> None:
    """Phi 3 reads texts beyond a length with other rotary positions, the whole batch of them."""
    random_model("phi3", **TURNING, vocab_size=512).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    requests = [asking(index, "one two three " * count) for index, count in enumerate((2, 12, 20))]
    together = build(tmp_path).hidden_states(requests, tokens="last")
    assert [states.tokens > 40 for states in together if isinstance(states, SampleStates)] == [
        False, False, True,
    ]  # fmt: skip
    for request, found in zip(requests, together, strict=True):
        [alone] = build(tmp_path).hidden_states([request], tokens="last")
        assert isinstance(alone, SampleStates)
        assert isinstance(found, SampleStates)
        for layer, expected in zip(found.vectors, alone.vectors, strict=True):
            close(layer, expected)


def test_the_first_token_of_one_that_reads_one_way_is_no_part_of_the_mean(tmp_path: Path) -> None:
    """It sees nothing but itself; of one alone it is all that there is."""
    save_llama(tmp_path)
    tokenizer = save_tokenizer(tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    mean, single = build(tmp_path).hidden_states(
        [asking(0, "one two three"), asking(1, "x")], tokens="mean"
    )
    last = build(tmp_path).hidden_states([asking(0, "one two three")], tokens="last")[0]
    with torch.inference_mode():
        plain, short = (
            model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states
            for text in ("one two three", "x")
        )
    assert isinstance(mean, SampleStates)
    assert isinstance(single, SampleStates)
    assert isinstance(last, SampleStates)
    for layer in range(3):
        expected = plain[layer][0, 1:].mean(0).numpy()
        close(mean.vectors[layer], expected)
        close(last.vectors[layer], plain[layer][0, -1].numpy())
        close(single.vectors[layer], short[layer][0, 0].numpy())


def test_one_that_reads_both_ways_is_pooled_over_all_its_tokens(tiny_bert: Path) -> None:
    """As an encoder's embedding is; its first token can be taken instead."""
    model = _classifier(tiny_bert)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert)
    plain = transformers.AutoModel.from_pretrained(tiny_bert).eval()
    with torch.inference_mode():
        states = plain(**tokenizer(TEXTS[1], return_tensors="pt")).last_hidden_state[0].numpy()
    for tokens, expected in (("mean", states.mean(0)), ("first", states[0]), ("last", states[-1])):
        found = model.hidden_states(classifying([TEXTS[1]]), tokens=tokens)[0]  # type: ignore[arg-type]
        assert isinstance(found, SampleStates)
        close(found.vectors[-1], expected)


def _classifier(folder: Path) -> SequenceClassifier:
    return SequenceClassifier(
        SequenceClassifierConfig.model_validate(
            {"name": "m", "type": "sequence_classifier", "path": str(folder), "device": "cpu"}
        )
    )


def test_whether_a_classifier_reads_one_way_is_found_by_trying(
    tiny_bert: Path, tmp_path: Path
) -> None:
    """No configuration tells it: BERT sees both ways, GPT-2 with a head for labels one way."""
    save_tokenizer(tmp_path)
    config = transformers.GPT2Config(vocab_size=512, n_embd=16, n_layer=1, n_head=2, n_positions=64,
                                     num_labels=2, pad_token_id=0)  # fmt: skip
    transformers.GPT2ForSequenceClassification(config).save_pretrained(tmp_path)
    assert not _classifier(tiny_bert)._network().one_way
    assert _classifier(tmp_path)._network().one_way


def test_of_an_encoder_and_a_decoder_the_encoder_is_read(tmp_path: Path) -> None:
    """A BART with a head for labels shows what its encoder makes of the text."""
    save_tokenizer(tmp_path)
    config = transformers.BartConfig(
        vocab_size=512, d_model=16, encoder_layers=3, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_labels=3,
        max_position_embeddings=64, pad_token_id=1, bos_token_id=0, eos_token_id=0,
        decoder_start_token_id=0, forced_eos_token_id=None,
    )  # fmt: skip
    transformers.BartForSequenceClassification(config).save_pretrained(tmp_path)
    model = _classifier(tmp_path)
    states = model.hidden_states(classifying(TEXTS), tokens="mean")[1]
    assert isinstance(states, SampleStates)
    assert len(states.vectors) == 4
    maps = model.attention_maps(classifying(TEXTS), looking=2)[1]
    assert isinstance(maps, SampleAttention)
    assert (len(maps.maps), maps.one_way) == (3, False)


def test_streams_of_a_token_are_one_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text's states of four dimensions are no image's feature maps: padding stays out."""
    save_llama(tmp_path)
    save_tokenizer(tmp_path)
    forward = transformers.LlamaModel.forward

    def streamed(self: Any, **inputs: Any) -> Any:
        found = forward(self, **inputs)
        found.hidden_states = tuple(layer.unflatten(2, (4, -1)) for layer in found.hidden_states)
        return found

    requests = [asking(index, text) for index, text in enumerate(("one", "one two three four"))]
    expected = build(tmp_path).hidden_states(requests, tokens="mean")
    monkeypatch.setattr(transformers.LlamaModel, "forward", functools.wraps(forward)(streamed))
    for one, other in zip(
        build(tmp_path).hidden_states(requests, tokens="mean"), expected, strict=True
    ):
        assert isinstance(one, SampleStates)
        assert isinstance(other, SampleStates)
        for layer, plain in zip(one.vectors, other.vectors, strict=True):
            close(layer, plain)


def test_attention_maps_are_those_of_the_plain_kernel(tmp_path: Path) -> None:
    """Some rows of them, each a distribution; afterwards the model has its own kernel again."""
    save_llama(tmp_path)
    tokenizer = save_tokenizer(tmp_path)
    model = build(tmp_path)
    text = "one two three four five six seven"
    found = model.attention_maps([asking(0, text), asking(1, "x")], looking=3)
    maps, short = found
    assert isinstance(maps, SampleAttention)
    assert short == "fewer than 3 tokens"
    plain = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, attn_implementation="eager"
    ).eval()
    encoded = tokenizer(text, return_tensors="pt")
    tokens = encoded["input_ids"].shape[1]
    with torch.inference_mode():
        expected = plain(**encoded, output_attentions=True).attentions
    assert maps.one_way
    assert (maps.places[0], maps.places[-1], len(maps.places)) == (2, tokens - 1, 3)
    for layer, own in zip(maps.maps, expected, strict=True):
        assert layer.shape == (4, 3, tokens)
        np.testing.assert_allclose(layer, own[0][:, list(maps.places)].numpy(), atol=1e-6)
        np.testing.assert_allclose(layer.sum(-1), 1, atol=1e-6)
    before = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).config
    assert model._loaded.model.config._attn_implementation == before._attn_implementation


def test_what_has_no_maps_says_so(tmp_path: Path) -> None:
    """A state space; a text whose maps would take the square of its length."""
    save_mamba(tmp_path)
    save_tokenizer(tmp_path)
    requests = [asking(0, "one two three four")]
    assert "no attention maps" in build(tmp_path).attention_maps(requests, looking=2)[0]
    long = tmp_path / "long"
    long.mkdir()
    save_llama(long, positions=2048)
    save_tokenizer(long)
    found = build(long).attention_maps([asking(0, "one two " * LONGEST)], looking=2)
    assert found == [f"longer than {LONGEST} tokens"]


def test_a_kernel_that_is_refused_is_told_and_an_error_of_ours_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what transformers says of the architecture becomes a reason."""
    save_llama(tmp_path)
    save_tokenizer(tmp_path)
    model, body = build(tmp_path), transformers.LlamaModel

    def refusing(error: Exception) -> None:
        def refuse(self: Any, kernel: str) -> None:
            raise error

        monkeypatch.setattr(body, "set_attn_implementation", refuse)

    refusing(ValueError("no eager here"))
    requests = [asking(0, "one two three four")]
    [reason] = model.attention_maps(requests, looking=2)
    assert reason == "the architecture returns no attention maps: no eager here"
    refusing(AttributeError("misspelt"))
    with pytest.raises(AttributeError, match="misspelt"):
        model.attention_maps(requests, looking=2)


def test_prompts_are_read_as_the_model_is_asked(tmp_path: Path) -> None:
    """A chat template where it writes, none where it chooses; too long is told and not cut."""
    save_llama(tmp_path, positions=32)
    save_tokenizer(tmp_path, chat=True)
    model = build(tmp_path)
    writes, chooses, long = model.hidden_states(
        [asking(0, "one two"), choosing(1, "one two", ("a", "b")), asking(2, "one two " * 40)],
        tokens="last",
    )
    assert isinstance(writes, SampleStates)
    assert isinstance(chooses, SampleStates)
    assert writes.tokens > chooses.tokens
    assert writes.digest != chooses.digest
    assert isinstance(long, str)
    assert "longer than the 32 tokens" in long


def test_half_precision_is_pooled_in_float32(tmp_path: Path) -> None:
    """The mean of bfloat16 states is not rounded to bfloat16."""
    save_llama(tmp_path)
    save_tokenizer(tmp_path)
    text = [asking(0, "one two three four five six seven eight")]
    full = build(tmp_path, dtype="float32").hidden_states(text, tokens="mean")[0]
    half = build(tmp_path, dtype="bfloat16").hidden_states(text, tokens="mean")[0]
    assert isinstance(full, SampleStates)
    assert isinstance(half, SampleStates)
    mean = torch.from_numpy(half.vectors[0])
    assert not torch.equal(mean.bfloat16().float(), mean)
    np.testing.assert_allclose(half.vectors[0], full.vectors[0], atol=0.02)


def test_weights_are_released_and_read_again(tmp_path: Path) -> None:
    """After it the same states come again."""
    save_llama(tmp_path)
    save_tokenizer(tmp_path)
    model = build(tmp_path)
    assert not model.in_memory
    requests = [asking(0, "one two three")]
    first = model.hidden_states(requests, tokens="mean")[0]
    assert model.in_memory
    model.release()
    assert not model.in_memory
    again = model.hidden_states(requests, tokens="mean")[0]
    assert isinstance(first, SampleStates)
    assert isinstance(again, SampleStates)
    np.testing.assert_array_equal(first.vectors[-1], again.vectors[-1])


def test_patches_of_an_image_are_its_tokens(tmp_path: Path) -> None:
    """Of a vision transformer, with maps; an image that cannot be read fails alone."""
    torch.manual_seed(0)
    _vit(layers=2, width=16).save_pretrained(tmp_path)
    transformers.ViTImageProcessor(size={"height": 8, "width": 8}).save_pretrained(tmp_path)
    PIL.Image.new("RGB", (8, 8), (200, 30, 90)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    model = ImageClassifier(
        ImageClassifierConfig.model_validate(
            {"name": "m", "type": "image_classifier", "path": str(tmp_path), "device": "cpu"}
        )
    )
    requests = [
        Request(sample_id=name, suite="x", kind="classification", input="", labels=("0", "1"),
                image=Image(path=str(tmp_path / f"{name}.png"), sha256=name))
        for name in "ab"
    ]  # fmt: skip
    states, broken = model.hidden_states(requests, tokens="mean")
    assert isinstance(states, SampleStates)
    assert (states.tokens, len(states.vectors)) == (17, 3)
    assert broken == "its image cannot be read"
    maps = model.attention_maps(requests, looking=4)[0]
    assert isinstance(maps, SampleAttention)
    assert maps.maps[0].shape == (4, 4, 17)
    assert not maps.one_way
    assert "last token" in str(model.hidden_states(requests[:1], tokens="last")[0])
