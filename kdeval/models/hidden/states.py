"""The representation of a sample after every layer: what its tokens become, pooled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kdeval.models.hidden.network import Network, Reading
from kdeval.models.protocols import Request
from kdeval.models.rotary_positions import rotary_switch
from kdeval.models.white_box import Pooling, SampleStates

__all__ = ["pooled_states"]

_MOST_BYTES = 256_000_000
"""Hidden states of all layers that one batch may hold in float32."""


def pooled_states(
    network: Network, requests: Sequence[Request], *, tokens: Pooling
) -> list[SampleStates | str]:
    """One vector for each layer of each sample, or why there is none.

    Pooled in float32 whatever the dtype; what fills up a batch never enters. A mean over the tokens
    of a network that sees only what came before leaves the first one out, where there are others:
    it sees nothing but itself, and many such networks store there a vector a thousand times as long
    as the others (Sun et al. 2024, "Massive activations", arXiv 2402.17762), which would be all
    that is compared.
    """
    found: list[SampleStates | str] = ["not read"] * len(requests)
    readings: dict[int, Reading] = {}
    for index, request in enumerate(requests):
        read = network.read(request)
        if isinstance(read, str):
            found[index] = read
        else:
            readings[index] = read
    for chunk in _chunks(network, readings):
        for index, states in network.batches.run(
            chunk, lambda chosen: _forward(network, [readings[i] for i in chosen], tokens)
        ):
            found[index] = states
    return found


def _chunks(network: Network, readings: dict[int, Reading]) -> list[list[int]]:
    """Samples of similar length together that are read alike, few enough that their states fit."""
    order = sorted(readings, key=lambda index: (-readings[index].length, index))
    config = network.body.config.get_text_config()
    layers = getattr(config, "num_hidden_layers", None) or 32
    width = getattr(config, "hidden_size", None) or 1024
    switch = rotary_switch(network.body)
    chunks: list[list[int]] = []
    while order:
        each = 4 * width * (layers + 1) * max(readings[order[0]].length, 1)
        size = max(1, min(network.batches.limit, _MOST_BYTES // each))
        way = _way(readings[order[0]], switch)
        chunk = [index for index in order[:size] if _way(readings[index], switch) == way]
        chunks.append(chunk)
        taken = set(chunk)
        order = [index for index in order if index not in taken]
    return chunks


def _way(reading: Reading, switch: int | None) -> Any:
    """What samples of a batch must have in common."""
    if reading.pixels is not None:
        return tuple(reading.pixels.shape)
    return switch is not None and reading.length > switch


def _forward(
    network: Network, readings: list[Reading], tokens: Pooling
) -> list[SampleStates | str]:
    outputs = network.forward(readings, output_hidden_states=True)
    states = getattr(outputs, "hidden_states", None)
    if not states:
        return ["the architecture returns no hidden states"] * len(readings)
    skip_first = network.one_way if readings[0].pixels is None else False
    pooled = [_pooled(layer, readings, tokens, skip_first) for layer in states]
    if any(layer is None for layer in pooled):
        return [f"its layers have no {tokens} token: set tokens: mean"] * len(readings)
    vectors = [layer.cpu().numpy() for layer in pooled if layer is not None]
    return [
        _sample(readings[row], [layer[row] for layer in vectors], states[0].shape[1])
        for row in range(len(readings))
    ]


def _sample(
    reading: Reading, vectors: list[NDArray[np.float32]], places: int
) -> SampleStates | str:
    if not all(np.isfinite(vector).all() for vector in vectors):
        return "its hidden states are not finite numbers"
    return SampleStates(
        vectors=tuple(vectors), tokens=reading.length or places, digest=reading.digest
    )


def _pooled(
    layer: torch.Tensor, readings: list[Reading], tokens: Pooling, skip_first: bool
) -> torch.Tensor | None:
    """Shape (samples, width); None where that layer has no such token.

    Where an architecture keeps several streams of a token, all of them are its state.
    """
    if readings[0].pixels is not None:
        if layer.ndim == 4:  # feature maps: (samples, channels, height, width)
            return layer.float().mean(dim=(2, 3)) if tokens == "mean" else None
        if tokens == "last":
            return None
        return layer[:, 0].float() if tokens == "first" else layer.float().mean(dim=1)
    layer = layer.flatten(start_dim=2)
    lengths = torch.tensor([item.length for item in readings], device=layer.device)
    rows = torch.arange(len(readings), device=layer.device)
    if tokens != "mean":
        place = torch.zeros_like(lengths) if tokens == "first" else lengths - 1
        return layer[rows, place].float()
    places = torch.arange(layer.shape[1], device=layer.device)[None, :]
    inside = places < lengths[:, None]
    if skip_first:
        inside &= (places > 0) | (lengths[:, None] == 1)
    kept = torch.where(inside[:, :, None], layer.float(), 0.0)
    return kept.sum(dim=1) / inside.sum(dim=1, keepdim=True)
