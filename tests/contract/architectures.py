"""Tiny causal language models of random weights, of any architecture of transformers."""

from __future__ import annotations

from typing import Any

import torch
import transformers

VOCABULARY = 300
COMMON = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
OWN = {
    "gpt2": {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4,
             "bos_token_id": 1, "eos_token_id": 2},
    "opt": {"vocab_size": VOCABULARY, "hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "word_embed_proj_dim": 32},
    "gpt_neox": {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48,
                 "num_hidden_layers": 2, "num_attention_heads": 4},
    "falcon": {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2,
               "num_attention_heads": 4},
    "mamba": {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2,
              "state_size": 4},
    "bloom": {"vocab_size": VOCABULARY, "hidden_size": 32, "n_layer": 2, "n_head": 4},
    "gpt_neo": {"vocab_size": VOCABULARY, "hidden_size": 32, "num_layers": 2, "num_heads": 4,
                "attention_types": [[["global", "local"], 1]], "window_size": 16},
    "jamba": {**COMMON, "mamba_d_state": 4, "num_experts": 2, "attn_layer_offset": 1,
              "attn_layer_period": 2},
    "roberta": {**COMMON, "is_decoder": True},
}  # fmt: skip
TURNING = {
    "rope_parameters": {
        "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 40,
        "short_factor": [1.0] * 4, "long_factor": [4.0] * 4,
    },
    "original_max_position_embeddings": 40,
}  # fmt: skip
"""Of a phi3 whose positions turn otherwise beyond 40 tokens."""


def random_model(kind: str, **settings: Any) -> Any:
    """A tiny model of that architecture, whose answers depend much on the past."""
    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(kind, **{**OWN.get(kind, COMMON), **settings})
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.mul_(3)  # so that a token's past matters
    return model
