"""Tiny causal language models of random weights, with a tokenizer trained on a few sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from kdeval.config.schema import CausalLMConfig
from kdeval.models.causal.model import CausalLM
from kdeval.models.causal.prompts import Split
from kdeval.models.protocols import Request
from kdeval.records import Response

CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CORPUS = [
    "The capital of France is Paris. The capital of Italy is Rome.",
    "Question: is the film good or bad? Answer: good. Answer: bad. N/A",
    "positive negative neutral one two three four five six seven eight nine ten",
]


def save_tokenizer(folder: Path, *, chat: bool = False, bos: bool = False) -> Any:
    """A byte-level BPE tokenizer in `folder`; all of Unicode can be written with it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<|end|>", "<|bos|>", "<|user|>", "<|assistant|>", "<|system|>"]
    inner.train_from_iterator(
        CORPUS * 5,
        trainers.BpeTrainer(
            vocab_size=400, special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        ),
    )  # fmt: skip
    if bos:
        inner.post_processor = processors.TemplateProcessing(
            single="<|bos|> $A", special_tokens=[("<|bos|>", inner.token_to_id("<|bos|>"))]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|end|>", bos_token="<|bos|>",
        chat_template=CHAT if chat else None,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    return tokenizer


def save_llama(folder: Path, *, seed: int = 0, vocabulary: int = 512, positions: int = 256) -> None:
    """A two-layer Llama with rotary positions and grouped attention."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=positions,
        initializer_range=0.6, bos_token_id=1, eos_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)


def save_gpt2(folder: Path, *, seed: int = 0) -> None:
    """A two-layer GPT-2 with learned positions, which wrong position ids would move."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=512, n_embd=32, n_layer=2, n_head=4, n_positions=256,
        initializer_range=0.6, bos_token_id=1, eos_token_id=0,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)


def save_mamba(folder: Path) -> None:
    """A two-layer Mamba: a state space, no positions, no attention mask to trust."""
    from transformers import MambaConfig, MambaForCausalLM

    torch.manual_seed(0)
    config = MambaConfig(
        vocab_size=512, hidden_size=16, state_size=4, num_hidden_layers=2, initializer_range=0.5,
        bos_token_id=1, eos_token_id=0, pad_token_id=0,
    )  # fmt: skip
    MambaForCausalLM(config).save_pretrained(folder)


def build(folder: Path, **settings: Any) -> CausalLM:
    """The model in `folder`, on the CPU."""
    return CausalLM(
        CausalLMConfig.model_validate(
            {"name": "m", "type": "causal_lm", "path": str(folder), "device": "cpu", **settings}
        )
    )


def choosing(index: int, prompt: Any, choices: tuple[str, ...], **more: Any) -> Request:
    return Request(sample_id=f"s{index}", suite="x", kind="multiple_choice", input=prompt,
                   choices=choices, **more)  # fmt: skip


def asking(index: int, prompt: Any, **more: Any) -> Request:
    return Request(sample_id=f"s{index}", suite="x", kind="generation", input=prompt, **more)


PROMPTS = [
    "The capital of France is",
    "Question: is the film good or bad? Answer:",
    "one two three",
    "",
    "The capital of Italy is Rome. " * 5,
    "Ünïcödé 日本",
    "x",
    "Answer: ",
    "positive negative neutral one two three four",
]
CHOICES = ("Paris", "Rome in Italy", "good", "bad or good film", "é")
CHOOSING = [choosing(index, prompt, CHOICES) for index, prompt in enumerate(PROMPTS)]
WRITING = [asking(index, prompt, max_new_tokens=24 - index) for index, prompt in enumerate(PROMPTS)]


def plain_model(folder: Path) -> tuple[Any, Any]:
    """(model, tokenizer), as transformers itself loads them."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(folder)


def plain_log_prob(model: Any, split: Split) -> float:
    """The definition: one row, no padding, every position and the whole vocabulary."""
    ids = torch.tensor([[*split.context, *split.continuation]])
    with torch.inference_mode():
        log_probs = model(input_ids=ids).logits[0].double().log_softmax(dim=-1)
    start = len(split.context)
    return sum(
        float(log_probs[start - 1 + place, token]) for place, token in enumerate(split.continuation)
    )


def texts_of(responses: list[Response]) -> list[Any]:
    """What was written, as far as the batch may not change it."""
    return [(response.output, response.samples, response.output_tokens) for response in responses]
