"""An open network, and how a request becomes what it reads."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from kdeval.models.protocols import Request
from kdeval.models.torch_hardware import HalvingBatches

__all__ = ["Network", "Reading", "body_of", "pixels_reading", "text_reading"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One sample as a network reads it: tokens, or an image.

    Attributes:
        fields: token ids and what goes with them, by the network's argument name.
        pixels: shape (channels, height, width).
        digest: two networks read the same tokens where these are equal.
    """

    fields: Mapping[str, Sequence[int]] | None = None
    pixels: torch.Tensor | None = None
    digest: str

    @property
    def length(self) -> int:
        """Tokens of a text; 0 for an image, whose patches only the network counts."""
        return 0 if self.fields is None else len(self.fields["input_ids"])


@dataclass(frozen=True, kw_only=True)
class Network:
    """Weights without the head that answers.

    Attributes:
        body: a transformers model that gives hidden states.
        read: from a request to what the network reads, or why it cannot.
        pad: the token that fills up shorter texts of a batch.
        batches: how many samples are computed at once.
        sees_only_before: whether a token sees no later one; None: found by trying.
    """

    body: Any
    read: Callable[[Request], Reading | str]
    device: str
    batches: HalvingBatches
    pad: int = 0
    sees_only_before: bool | None = None

    def forward(self, readings: Sequence[Reading], **wanted: bool) -> Any:
        """The network's outputs; shorter texts are filled up on the right and masked."""
        if readings[0].pixels is not None:
            pixels = [item.pixels for item in readings if item.pixels is not None]
            batch = torch.stack(pixels).to(self.device, self._dtype)
            with torch.inference_mode():
                return self.body(pixel_values=batch, **wanted)
        options: dict[str, Any] = {**wanted, **self._filled(readings)}
        if "use_cache" in self._accepted:
            options["use_cache"] = False
        with torch.inference_mode():
            return self.body(**options)

    @cached_property
    def one_way(self) -> bool:
        """Whether what the first token becomes depends on no later one."""
        if self.sees_only_before is not None:
            return self.sees_only_before
        first, *others = (token for token in range(8) if token != self.pad)
        readings = [
            Reading(fields={"input_ids": [first, other, other]}, digest="") for other in others[:2]
        ]
        states = self.forward(readings, output_hidden_states=True).hidden_states[-1][:, 0].float()
        return bool(torch.allclose(states[0], states[1], atol=1e-5, rtol=1e-3))

    @cached_property
    def _accepted(self) -> Any:
        return inspect.signature(self.body.forward).parameters

    @property
    def _dtype(self) -> torch.dtype:
        found: torch.dtype = self.body.dtype
        return found

    def _filled(self, readings: Sequence[Reading]) -> dict[str, torch.Tensor]:
        width = max(item.length for item in readings)
        found: dict[str, torch.Tensor] = {}
        for name in readings[0].fields or {}:
            rows = torch.full((len(readings), width), self.pad if name == "input_ids" else 0)
            for row, item in enumerate(readings):
                assert item.fields is not None
                rows[row, : item.length] = torch.tensor(list(item.fields[name]))
            found[name] = rows.to(self.device)
        if "attention_mask" in self._accepted:
            mask = torch.zeros((len(readings), width), dtype=torch.long)
            for row, item in enumerate(readings):
                mask[row, : item.length] = 1
            found["attention_mask"] = mask.to(self.device)
        return found


def body_of(model: Any) -> Any:
    """The model without its head; of an encoder and a decoder, the encoder, which reads."""
    if getattr(model.config, "is_encoder_decoder", False):
        return model.get_encoder()
    return model.base_model


def text_reading(fields: Mapping[str, Sequence[int]], tokens: Iterable[str]) -> Reading:
    """Tokens by their numbers, and as the tokenizer spells them."""
    kept = {name: list(ids) for name, ids in fields.items() if name != "attention_mask"}
    digest = hashlib.sha256("\x1f".join(map(str, tokens)).encode("utf-8", "surrogatepass"))
    return Reading(fields=kept, digest=f"tokens {digest.hexdigest()[:32]}")


def pixels_reading(pixels: torch.Tensor, patch: object) -> Reading:
    """An image that the network's processor prepared; patches are its tokens."""
    size = "x".join(map(str, pixels.shape))
    return Reading(pixels=pixels, digest=f"pixels {size} patch {patch}")
