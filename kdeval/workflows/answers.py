"""Where a run's answers are kept: its own store, and the shared cache where one is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kdeval.config.schema import RunConfig
from kdeval.errors import UsageError
from kdeval.models.ensemble import Ensemble
from kdeval.run.asked import Asked
from kdeval.run.prepare import RunInputs
from kdeval.store.cache.shared import SharedCache
from kdeval.store.predictions import PredictionStore

__all__ = ["cache_lines", "cache_problems", "open_answers", "probe_spared"]


@contextmanager
def open_answers(config: RunConfig, out: Path, *, fresh: bool = False) -> Iterator[PredictionStore]:
    """The store of the run in `out`, with the configured cache behind it.

    Args:
        config: names the cache, if any.
        out: the run directory, which is there.
        fresh: take nothing from the cache, and replace what it has.

    Raises:
        UsageError: the cache is no directory, and none can be made of it.
        StoreError: the run's own store cannot be used, or the cache cannot be opened.
    """
    with ExitStack() as stack:
        shared = None
        if config.cache is not None:
            directory = Path(config.cache)
            try:
                directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(
                    f"cache {directory}: no directory can be made there ({error.strerror}); name "
                    "another with --cache"
                ) from error
            shared = stack.enter_context(SharedCache(directory, fresh=fresh))
        yield stack.enter_context(PredictionStore(out / "predictions.sqlite", shared=shared))


def cache_lines(store: PredictionStore) -> tuple[str, ...]:
    """What a closed store took from its cache and added, in a line; none where it has none."""
    shared = store.shared
    if shared is None:
        return ()
    said = [
        f"{verb} {count} of {name}"
        for verb, counts in (("read", shared.read), ("added", shared.written))
        for name, count in counts.items()
        if count
    ]
    return (f"cache {shared.directory}: {', '.join(said) or 'nothing read or added'}",)


def cache_problems(store: PredictionStore) -> tuple[str, ...]:
    """What went wrong with its cache, a line each."""
    return () if store.shared is None else store.shared.problems


def probe_spared(inputs: RunInputs, asked: Asked, store: PredictionStore) -> str | None:
    """Why latency is not probed: a cache spared every call of the teacher; None where it is.

    A probe that the configuration asks for is made all the same.
    """
    config = inputs.config
    name = config.teacher.name
    teacher = inputs.models[name]
    if store.shared is None or "latency_probe" in config.model_fields_set:
        return None
    if isinstance(teacher, Ensemble):
        spared = store.shared.spared(teacher.members)
    else:
        spared = asked.asked.get(name) == 0 and bool(asked.cached.get(name))
    if not spared:
        return None
    return (
        f"latency was not probed, which asks {name} again: all its answers were known; "
        "`latency_probe: true` in the configuration asks for it"
    )
