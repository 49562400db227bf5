"""One exception tree; every message says where, what, and how to mend it.

    KdevalError                 exit code 2 on the command line, a one-line message, no traceback
    ├── UsageError              a command was called in a way that cannot be carried out
    ├── ConfigError             a YAML file (run, suite, policy) does not say something valid
    ├── DataError               a data file, a sample or a recorded prediction is unusable
    ├── RunError                a run directory is missing, unfinished or of another schema version
    │   └── StoreError          the prediction store is locked, corrupted or of another version
    ├── ModelError              a model cannot be loaded or does not keep its protocol
    │   └── MissingExtraError   an optional dependency is not installed; the pip line is in it
    ├── BudgetError             a model's budget would be passed; what was answered is kept
    ├── RoutingError            a router cannot be fitted or evaluated on what it was given
    └── DownloadError           something that must be fetched could not be, or its hash differs

Foreign exceptions never leave the adapter that met them. A failure of one request is no
exception: it is a `Prediction` with an `error`.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "BudgetError",
    "ConfigError",
    "DataError",
    "DownloadError",
    "KdevalError",
    "MissingExtraError",
    "ModelError",
    "RoutingError",
    "RunError",
    "StoreError",
    "UsageError",
]


class KdevalError(Exception):
    """The root of everything kdeval raises on purpose."""


class UsageError(KdevalError):
    """A command was called in a way that cannot be carried out."""


class ConfigError(KdevalError):
    """A configuration file is invalid; `problems` lists every error found, one line each."""

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class DataError(KdevalError):
    """A data file, a sample or a recorded prediction is unusable."""


class RunError(KdevalError):
    """A run directory is missing, unfinished or of another schema version."""


class StoreError(RunError):
    """The prediction store is locked, corrupted or of another version."""


class ModelError(KdevalError):
    """A model cannot be loaded, or does not keep its protocol."""


class MissingExtraError(ModelError):
    """An optional dependency is not installed."""

    def __init__(self, *, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the optional extra {extra!r}: pip install 'kdeval[{extra}]'"
        )


class BudgetError(KdevalError):
    """A model's budget would be passed; everything that was answered is kept."""


class RoutingError(KdevalError):
    """A router cannot be fitted or evaluated on what it was given."""


class DownloadError(KdevalError):
    """Something that must be fetched could not be, or its hash differs from the pinned one."""
