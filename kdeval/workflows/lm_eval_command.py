"""`kdeval lm-eval`: lm-eval's own command line, with kdeval's models among its own."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kdeval.errors import KdevalError, MissingExtraError, UsageError

__all__ = ["run_lm_eval"]

_INTERRUPTED = 130


def run_lm_eval(arguments: Sequence[str]) -> None:
    """Carries out lm-eval's command line with these arguments, unchanged.

    Raises:
        MissingExtraError: lm-eval is not installed.
        UsageError: lm-eval failed; its traceback has been printed, as its own command prints it.
        KdevalError: a kdeval model could not be loaded or asked.
        SystemExit: with lm-eval's own exit code, where it exits.
    """
    if importlib.util.find_spec("lm_eval") is None:
        raise MissingExtraError(feature="kdeval lm-eval", extra="lm-eval")
    from lm_eval.__main__ import cli_evaluate

    import kdeval.benchmarks.language_model  # noqa: F401  # registers --model kdeval

    with _command_line(["lm-eval", *arguments]):
        try:
            cli_evaluate()
        except KeyboardInterrupt:
            raise SystemExit(_INTERRUPTED) from None  # lm-eval keeps nothing to go on with
        except KdevalError:
            raise
        except Exception as error:
            traceback.print_exc()
            reason = " ".join(str(error).split())
            raise UsageError(f"lm-eval failed: {type(error).__name__}: {reason}") from error


@contextmanager
def _command_line(arguments: list[str]) -> Iterator[None]:
    before = sys.argv
    sys.argv = arguments
    try:
        yield
    finally:
        sys.argv = before
