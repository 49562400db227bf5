"""Rotary positions that depend on how long a text is."""

from __future__ import annotations

from typing import Any

__all__ = ["rotary_switch"]


def rotary_switch(model: Any) -> int | None:
    """Tokens beyond which all rotary positions of a text are others; None: they never change.

    Only of "longrope" (Phi 3 and later): keys of a shorter text, and a shorter text of the same
    batch, would be turned for the longer one.
    """
    config = model.config.get_text_config()
    settings = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None)
    for item in (settings or {}, *(settings or {}).values()):
        if isinstance(item, dict) and item.get("rope_type", item.get("type")) == "longrope":
            named = item.get("original_max_position_embeddings")
            found: int = named or getattr(
                config, "original_max_position_embeddings", config.max_position_embeddings
            )
            return found
    return None
