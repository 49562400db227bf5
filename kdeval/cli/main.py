"""The `kdeval` command: its subcommands, and what every one of them does with an error."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from io import TextIOWrapper

import click

from kdeval import __version__
from kdeval.cli.aa import aa
from kdeval.cli.cache import cache
from kdeval.cli.demo import demo
from kdeval.cli.export import export
from kdeval.cli.gate import gate
from kdeval.cli.lm_eval import lm_eval
from kdeval.cli.plan import plan
from kdeval.cli.report import report
from kdeval.cli.route import route
from kdeval.cli.run import run
from kdeval.cli.schema import schema
from kdeval.errors import ConfigError, KdevalError

__all__ = ["cli", "main"]

EXIT_INPUT = 2
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
_REFUSALS = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT,
    errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EEXIST,
}  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="kdeval")
def cli() -> None:
    """Find out on which traffic a distilled student may replace its teacher.

    Exit codes: 0 done or pass, 1 the gate fails, 3 the gate is inconclusive, 2 bad usage or
    input, 130 interrupted, 70 a bug in kdeval.
    """


for _command in (plan, run, aa, report, gate, route, demo, schema, cache, lm_eval, export):
    cli.add_command(_command)


def main() -> None:
    """Runs the command line, and turns errors into one line and an exit code."""
    _write_any_character()
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("\ninterrupted: the same command goes on where it was", err=True)
        code = EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = EXIT_INPUT
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"error: {problem}", err=True)
        code = EXIT_INPUT
    except KdevalError as error:
        click.echo(f"error: {error}", err=True)
        code = EXIT_INPUT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        code = _os_error(error)
    except Exception:
        code = _bug()
    sys.exit(code if isinstance(code, int) else 0)


def _write_any_character() -> None:
    """A terminal or a log without a character of the output gets a "?" in its place."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")


def _os_error(error: OSError) -> int:
    """What the file system refuses is the user's to mend; any other one is ours."""
    if error.errno not in _REFUSALS:
        return _bug()
    where = error.filename or "the output"
    click.echo(f"error: cannot read or write {where}: {error.strerror}", err=True)
    return EXIT_INPUT


def _bug() -> int:
    traceback.print_exc()
    click.echo("this is a bug in kdeval: please report it with the lines above", err=True)
    return EXIT_BUG
