"""The global random generators as lm-eval seeds them, and as they were before.

Some tasks draw from them while they make their documents, so every model must start alike to be
asked the same; and a run within somebody's training must not change what is drawn after it.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from lm_eval.defaults import DEFAULT_OTHER_SEED, DEFAULT_RANDOM_SEED

__all__ = ["RandomState", "as_lm_eval_seeds", "random_state"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomState:
    """State of Python's, NumPy's and, where it is in use, PyTorch's generator."""

    python: Any
    numpy: Any
    torch: Any

    @classmethod
    def current(cls) -> RandomState:
        """The state now."""
        torch = sys.modules.get("torch")
        return cls(
            python=random.getstate(),
            numpy=np.random.get_state(),
            torch=None if torch is None else torch.random.get_rng_state(),
        )

    def restore(self) -> None:
        """Makes it the state again."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)
        if self.torch is not None:
            sys.modules["torch"].random.set_rng_state(self.torch)


@contextmanager
def random_state() -> Iterator[None]:
    """After it, the generators are as they were."""
    before = RandomState.current()
    try:
        yield
    finally:
        before.restore()


def as_lm_eval_seeds() -> None:
    """Seeds the generators as lm-eval does before it loads tasks."""
    random.seed(DEFAULT_RANDOM_SEED)
    np.random.seed(DEFAULT_OTHER_SEED)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(DEFAULT_OTHER_SEED)
