"""Prompts that several tasks have in common: a router, which sees nothing else, mixes them up."""

from __future__ import annotations

from collections import Counter, defaultdict

from kdeval.routing.samples import RoutingSamples

__all__ = ["shared_prompts_note"]

_NAMED = 4


def shared_prompts_note(samples: RoutingSamples) -> str | None:
    """How many distinct prompts are in several tasks, and which; None where none is."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for text, suite, task in zip(samples.texts, samples.suites, samples.tasks, strict=True):
        found[str(text)].add((str(suite), str(task)))
    shared = [places for places in found.values() if len(places) > 1]
    if not shared:
        return None
    named = _named(set().union(*found.values()))
    counts = Counter(named[place] for places in shared for place in places)
    names = [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return (
        f"{len(shared):,} of {len(found):,} distinct prompts are in several tasks "
        f"({', '.join(names[:_NAMED])}{more}): the router sees the prompt alone, so it takes such "
        "a sample for one of them whichever it is of. --suite names the suites to fit on."
    )


def _named(places: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Each suite's task by its own name; with its suite's where two suites have such a task."""
    times = Counter(task for _, task in places)
    return {
        (suite, task): task if times[task] == 1 else f"{task} of {suite}" for suite, task in places
    }
