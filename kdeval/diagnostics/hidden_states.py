"""Every model reads the samples by itself; what its layers make of them is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from kdeval.config.hidden_states import HiddenStatesConfig
from kdeval.errors import KdevalError, ModelError
from kdeval.models.protocols import Request
from kdeval.models.torch_hardware import out_of_memory
from kdeval.models.white_box import HiddenStates, SampleAttention, SampleStates
from kdeval.stats.representation.cka import gram
from kdeval.store.hidden import HiddenTables, HiddenWriter

__all__ = ["SuiteRequests", "measure_hidden_states"]

_LOOKING = 8
"""Tokens of a sample whose attention is compared: maps of all would take the square of the text."""

_SHOWN = 300
"""Characters of a foreign error."""

Progress = Callable[[str, int, int], None]
Shown = TypeVar("Shown", bound=SampleStates | SampleAttention | str)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRequests:
    """What is read of one suite."""

    suite: str
    requests: tuple[Request, ...]


def measure_hidden_states(
    models: Mapping[str, HiddenStates],
    suites: tuple[SuiteRequests, ...],
    *,
    settings: HiddenStatesConfig,
    directory: Path,
    described: Mapping[str, object],
    known: tuple[HiddenTables, frozenset[str]] | None,
    progress: Progress,
) -> None:
    """Writes the files of `kdeval.store.hidden`.

    One model after the other; one whose weights were not in memory before is released after it. In
    memory are the representations of one suite by one model: with fewer samples than dimensions
    a small part of what the weights take. Of them only the inner products are written.

    Args:
        models: teacher and students with open weights, by name.
        suites: whose samples are read.
        settings: how many, and what of them.
        directory: where the files go, whole or not at all.
        described: what the files say that they were made with.
        known: files of before, and the models that did not change since.
        progress: called with (model, done, total).

    Raises:
        ModelError: memory does not suffice, or a model's code fails.
    """
    total = sum(len(suite.requests) for suite in suites)
    with HiddenWriter(directory, described) as writer:
        for name, model in models.items():
            if known is not None and name in known[1]:
                writer.copy(known[0], name)
                continue
            held = model.in_memory
            reader = _Reader(name=name, model=model, settings=settings, writer=writer)
            try:
                done = 0
                progress(name, done, total)
                for suite in suites:
                    for read in reader.read(suite):
                        done += read
                        progress(name, done, total)
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                raise ModelError(
                    f"hidden_states: memory does not suffice for the states of {name}: give fewer "
                    "samples or layers, attention: 0, or the model a smaller dtype or batch_size"
                ) from error
            finally:
                if not held:
                    model.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """One model at work."""

    name: str
    model: HiddenStates
    settings: HiddenStatesConfig
    writer: HiddenWriter

    def read(self, suite: SuiteRequests) -> Iterator[int]:
        """Writes what the model makes of the suite; yields how many more samples are read."""
        rows: list[dict[str, Any]] = []
        layers: dict[int, list[Any]] = {}
        size = 4 * max(1, int(getattr(self.model, "batch_size", 32)))
        depth = 0
        for start in range(0, len(suite.requests), size):
            chunk = suite.requests[start : start + size]
            found = self._asked(self.model.hidden_states, chunk, tokens=self.settings.tokens)
            for request, states in zip(chunk, found, strict=True):
                rows.append(self._row(suite, request, states))
                if isinstance(states, SampleStates):
                    depth = len(states.vectors)
                    for layer in _spread(depth, self.settings.layers):
                        layers.setdefault(layer, []).append(states.vectors[layer])
            yield len(chunk)
        for layer in sorted(layers):
            vectors = np.stack(layers.pop(layer))
            self.writer.add_layer(suite.suite, self.name, layer, gram(vectors))
        reasons = self._write_attention(suite, depth) if depth else {}
        self.writer.add_samples(
            [{**row, "attention_reason": reasons.get(row["sample_id"])} for row in rows]
        )

    def _asked(
        self, method: Callable[..., Sequence[Shown]], requests: Sequence[Request], **how: object
    ) -> Sequence[Shown]:
        """What the model shows of each sample.

        Raises:
            ModelError: its code fails, or leaves samples out.
        """
        try:
            found = method(requests, **how)
        except KdevalError:
            raise
        except Exception as error:
            if out_of_memory(error):
                raise
            raise ModelError(
                f"hidden_states: {self.name} fails when it is asked for its layers "
                f"({type(error).__name__}: {' '.join(str(error).split())[:_SHOWN]}): leave "
                "hidden_states out; what was answered is kept"
            ) from error
        if len(found) != len(requests):
            name = method.__name__
            raise ModelError(f"{self.name}: {name}() gave {len(found)} for {len(requests)} samples")
        return found

    def _row(
        self, suite: SuiteRequests, request: Request, states: SampleStates | str
    ) -> dict[str, Any]:
        key = {"suite": suite.suite, "model": self.name, "sample_id": request.sample_id}
        if isinstance(states, str):
            return {**key, "reason": states}
        return {**key, "tokens": states.tokens, "digest": states.digest}

    def _write_attention(self, suite: SuiteRequests, depth: int) -> dict[str, str]:
        """Sample to the reason why its maps are not known."""
        asked = suite.requests[: self.settings.attention]
        if not asked:
            return {}
        found = self._asked(self.model.attention_maps, asked, looking=_LOOKING)
        reasons: dict[str, str] = {}
        layers: dict[int, list[dict[str, Any]]] = {}
        for request, maps in zip(asked, found, strict=True):
            if isinstance(maps, SampleAttention) and len(maps.maps) == depth - 1:
                for layer in _spread(depth, self.settings.layers)[1:]:
                    layers.setdefault(layer, []).append(
                        {
                            "suite": suite.suite, "model": self.name, "layer": layer,
                            "sample_id": request.sample_id, "digest": maps.digest,
                            "one_way": maps.one_way, "places": list(maps.places),
                            "maps": maps.maps[layer - 1],
                        }
                    )  # fmt: skip
            elif isinstance(maps, str):
                reasons[request.sample_id] = maps
            else:
                reasons[request.sample_id] = "the architecture has maps of some layers only"
        for layer in sorted(layers):
            self.writer.add_attention(layers.pop(layer))
        return reasons


def _spread(depth: int, most: int | None) -> list[int]:
    """Layers from the first to the last, at most so many."""
    if most is None or depth <= most:
        return list(range(depth))
    return [round(step * (depth - 1) / (most - 1)) for step in range(most)]
