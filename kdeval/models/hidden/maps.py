"""Attention maps of single samples, of a few tokens that look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from kdeval.models.hidden.network import Network, Reading
from kdeval.models.protocols import Request
from kdeval.models.white_box import SampleAttention

__all__ = ["LONGEST", "attention_maps"]

LONGEST = 512
"""Most tokens of a text whose maps are taken: they grow with its square, in every head."""

_LEAST = 3


def attention_maps(
    network: Network, requests: Sequence[Request], *, looking: int
) -> list[SampleAttention | str]:
    """What each head of each layer looks at, sample by sample, or why that is not known.

    Kernels that are fast return no maps, so the plain one ("eager") computes them; afterwards the
    network has its own again. Rows are made to sum to 1 in float32.

    Args:
        network: whose maps.
        requests: samples.
        looking: so many tokens of each sample, evenly spread; where a token sees only what came
            before, none of the first two, which have next to nothing to choose from.
    """
    with _plain_attention(network.body) as refused:
        if refused is not None:
            return [refused] * len(requests)
        return [_maps(network, request, looking) for request in requests]


def _maps(network: Network, request: Request, looking: int) -> SampleAttention | str:
    reading = network.read(request)
    if isinstance(reading, str):
        return reading
    if reading.length > LONGEST:
        return f"longer than {LONGEST} tokens"
    found = getattr(network.forward([reading], output_attentions=True), "attentions", None)
    if not found or any(layer is None for layer in found):
        return "the architecture returns no attention maps, or not of every layer"
    tokens = reading.length or found[0].shape[-1]
    if any(layer.ndim != 4 or layer.shape[0] != 1 or layer.shape[2:] != (tokens, tokens)
           for layer in found):  # fmt: skip
        return "the architecture returns maps of parts of a sample"
    one_way = False if reading.pixels is not None else network.one_way
    first = 2 if one_way else 0
    if tokens < max(_LEAST, first + 1):
        return f"fewer than {_LEAST} tokens"
    places = np.unique(np.linspace(first, tokens - 1, looking).round().astype(np.int64))
    chosen = torch.as_tensor(places, device=found[0].device)
    maps = [layer[0][:, chosen].float() for layer in found]
    if not all(bool(torch.isfinite(layer).all()) for layer in maps):
        return "its attention maps are not finite numbers"
    return SampleAttention(
        maps=tuple((layer / layer.sum(-1, keepdim=True)).cpu().numpy() for layer in maps),
        places=tuple(int(place) for place in places),
        one_way=one_way,
        digest=_digest(reading, tokens),
    )


def _digest(reading: Reading, tokens: int) -> str:
    return f"{reading.digest}, {tokens} tokens"


@contextmanager
def _plain_attention(body: Any) -> Iterator[str | None]:
    """The plain kernel inside, the network's own after it; gives why it cannot be had, or None.

    A ValueError is how transformers says that an architecture does not come with a kernel. One that
    does not switch kernels at all keeps its own, and its maps are looked for all the same.
    """
    before, refused = body.config._attn_implementation, None
    try:
        body.set_attn_implementation("eager")
    except ValueError as error:
        refused = f"the architecture returns no attention maps: {error}"
    try:
        yield refused
    finally:
        if refused is None:
            body.set_attn_implementation(before)
