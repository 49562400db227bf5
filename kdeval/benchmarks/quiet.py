"""Keeping other libraries' logs and progress bars off the terminal: bars are kdeval's own."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partialmethod
from typing import Any

__all__ = ["quiet"]

_LOGGERS = ("lm_eval", "datasets", "huggingface_hub", "evaluate", "fsspec", "filelock")


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, lm-eval and the data sets library say nothing; their errors are raised as ever."""
    with ExitStack() as stack:
        for name in _LOGGERS:
            stack.enter_context(_critical_only(logging.getLogger(name)))
        stack.enter_context(_no_bars())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _critical_only(logger: logging.Logger) -> Iterator[None]:
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Tqdm reads its environment variable at import only, so the default is changed instead."""
    from tqdm.std import tqdm

    before: Any = tqdm.__init__
    tqdm.__init__ = partialmethod(before, disable=True)
    try:
        yield
    finally:
        tqdm.__init__ = before
