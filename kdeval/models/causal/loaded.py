"""A language model in memory, with what its answers need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdeval.config.transformers_models import CausalLMConfig
from kdeval.models.causal.checkpoint import Checkpoint, load_model, load_tokenizer
from kdeval.models.causal.prompts import Prompts
from kdeval.models.causal.raw_text import RawText, context_window, unapplied

__all__ = ["LoadedModel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """Weights and tokenizer.

    Attributes:
        special: special tokens with their text: the tokenizer writes them, an answer does not.
        ends: tokens that end a text: the tokenizer's, and those that the model's own generation
            settings name.
        longest: how many tokens the model takes; None: no limit is known.
        raw: reads texts as lm-eval's HF model does.
    """

    model: Any
    tokenizer: Any
    prompts: Prompts
    special: Mapping[int, str]
    ends: frozenset[int]
    longest: int | None
    raw: RawText

    @classmethod
    def from_checkpoint(
        cls, checkpoint: Checkpoint, config: CausalLMConfig, *, device: str, dtype: str
    ) -> LoadedModel:
        """What lies there, read in.

        Raises:
            ModelError: it cannot be read, or does not go with the configuration.
        """
        tokenizer = load_tokenizer(checkpoint)
        Prompts(config, tokenizer)  # refuses what does not fit before the weights are read
        return cls.in_memory(load_model(checkpoint, config, device, dtype), tokenizer, config)

    @classmethod
    def in_memory(cls, model: Any, tokenizer: Any, config: CausalLMConfig) -> LoadedModel:
        """A model and tokenizer that are there already.

        Raises:
            ModelError: the tokenizer does not go with the configuration.
        """
        return cls(
            model=model,
            tokenizer=tokenizer,
            prompts=Prompts(config, tokenizer),
            special=_special_tokens(tokenizer),
            ends=_end_tokens(model, tokenizer),
            longest=_longest(model, config.max_length),
            raw=RawText(
                tokenizer,
                window=context_window(model, tokenizer, config.max_length),
                unapplied=unapplied(model),
            ),
        )


def _special_tokens(tokenizer: Any) -> dict[int, str]:
    named = zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True)
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return dict(named) | {number: str(t) for number, t in added.items() if t.special}


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    named = getattr(model.generation_config, "eos_token_id", None)
    ends = {named} if isinstance(named, int) else set(named or ())
    if tokenizer.eos_token_id is not None:
        ends.add(tokenizer.eos_token_id)
    return frozenset(ends)


def _longest(model: Any, wanted: int | None) -> int | None:
    settings = model.config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length"):
        found = getattr(settings, name, None)
        if isinstance(found, int) and found > 0:
            return found if wanted is None else min(found, wanted)
    return wanted
