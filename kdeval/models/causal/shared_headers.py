"""Which beginnings of prompts are worth reading once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from kdeval.models.causal.prefix_tree import common

__all__ = ["shared_headers"]


def shared_headers(prompts: Sequence[tuple[int, ...]], *, least: int) -> list[int]:
    """For each prompt, how many of its tokens are a header; at least one is left after it.

    Prompts that begin alike share a header; some of them a longer one, where reading that once
    saves at least `least` tokens more than it takes.

    Args:
        prompts: token ids, at least one each.
        least: tokens that a header must save, summed over the prompts that share it.
    """
    order = sorted(range(len(prompts)), key=prompts.__getitem__)
    ordered = [prompts[index] for index in order]
    shared = [0, *(common(one, other) for one, other in pairwise(ordered))]
    found = [0] * len(prompts)
    spans = [(0, len(prompts), 0)]
    while spans:
        first, last, header = spans.pop()
        for index in order[first:last]:
            found[index] = header
        if last - first < 2:
            continue
        least_shared = min(shared[first + 1 : last])
        longest = min(least_shared, *(len(prompt) - 1 for prompt in ordered[first:last]))
        if (longest - header) * (last - first - 1) >= least:
            header = longest
        cuts = [i for i in range(first + 1, last) if shared[i] == least_shared]
        spans += [(start, end, header) for start, end in pairwise([first, *cuts, last])]
    return found
