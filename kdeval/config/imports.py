"""From "module:Class" in a configuration to the class."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdeval.errors import ConfigError

__all__ = ["import_named"]


def import_named(reference: str, *, what: str, beside: str, search: Sequence[Path] = ()) -> Any:
    """What `reference` names.

    Args:
        reference: "module:Class".
        what: who wants it, for error messages: "scorer 'mine:Mine'".
        beside: what kind of file the module may lie beside, for error messages.
        search: directories where the module may lie, beside sys.path.

    Raises:
        ConfigError: the module cannot be imported, or has no such name.
    """
    module_name, _, class_name = reference.partition(":")
    added = [str(path) for path in search if str(path) not in sys.path]
    sys.path[:0] = added
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError, SyntaxError) as error:
        raise ConfigError(
            f"{what}: module {module_name!r} cannot be imported: {error}; put it beside the "
            f"{beside}, in the working directory, or install it"
        ) from error
    finally:
        for path in added:
            sys.path.remove(path)
    try:
        return getattr(module, class_name)
    except AttributeError:
        raise ConfigError(
            f"{what}: module {module_name!r} ({module.__file__}) has no {class_name!r}"
        ) from None
