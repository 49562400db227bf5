"""What in an architecture keeps shared beginnings and batches of mixed lengths from being right."""

from __future__ import annotations

import inspect
from typing import Any

from kdeval.models.rotary_positions import rotary_switch

__all__ = ["numbers_its_positions", "obstacle"]

_NEEDED = ("attention_mask", "position_ids", "past_key_values", "logits_to_keep")


def obstacle(model: Any, longest: int) -> str | None:
    """Why shared beginnings cannot be computed once with this model; None where they can.

    Args:
        model: a causal language model of transformers.
        longest: tokens of the longest sequence: a sliding window shorter than that hides tokens.
    """
    config = model.config.get_text_config()
    if getattr(model, "_is_stateful", False):
        return "its state is no cache of keys and values that a tree could share"
    missing = set(_NEEDED) - set(inspect.signature(model.forward).parameters)
    if missing:
        return f"its forward pass takes no {', '.join(sorted(missing))}"
    attention = getattr(config, "_attn_implementation", None)
    if attention not in ("sdpa", "eager"):
        return f"its attention is {attention}, which takes no mask of a tree"
    if any(mask.dim() == 4 and mask.shape[-1] == mask.shape[-2] for mask in model.buffers()):
        return "its attention has a mask of its own, by the order in which tokens are read"
    if numbers_its_positions(model):
        return "it numbers positions from another one than 0"
    layers = set(getattr(config, "layer_types", None) or ())
    if unknown := layers - {"full_attention", "sliding_attention", "chunked_attention"}:
        return f"it has layers of {', '.join(sorted(unknown))}"
    if (window := _window(config, layers)) is not None and longest > window:
        return f"its attention reaches {window:,} tokens back, and a text has {longest:,}"
    if (switch := rotary_switch(model)) is not None and longest > switch:
        return f"its positions turn otherwise beyond {switch:,} tokens, and a text has {longest:,}"
    return None


def numbers_its_positions(model: Any) -> bool:
    """Whether positions begin after the number of a padding token, as in RoBERTa."""
    return any(
        name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None
        for name, module in model.named_modules()
    )


def _window(config: Any, layers: set[str]) -> int | None:
    """How far back the shortest attention of some layer reaches; None: to the beginning."""
    if layers == {"full_attention"} or not getattr(config, "use_sliding_window", True):
        return None
    found = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    return min((window for window in found if window), default=None)
