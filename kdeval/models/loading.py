"""Reading a checkpoint in: quietly, and with errors that name the model."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import transformers

from kdeval.errors import ModelError

__all__ = ["loading"]


@contextlib.contextmanager
def loading(name: str, source: Path) -> Iterator[None]:
    """Without progress bars; whatever goes wrong inside becomes a ModelError.

    Reading GGUF draws a bar that no setting turns off, so standard error is kept back.

    Args:
        name: what the model is called.
        source: where it lies.
    """
    shown = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{name}: {source} cannot be loaded: {first}") from error
    finally:
        if shown:
            transformers.utils.logging.enable_progress_bar()
