"""Progress bars: one per stage, on a terminal; a line per finished stage elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress_bars"]


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """A callback (stage, done, total) that draws on standard error."""
    if not sys.stderr.isatty():
        yield _print_finished()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, object] = {}

        def show(stage: str, done: int, total: int) -> None:
            if total == 0:
                return
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)  # type: ignore[arg-type]

        yield show


def _print_finished() -> Callable[[str, int, int], None]:
    finished: set[str] = set()

    def show(stage: str, done: int, total: int) -> None:
        if total and done >= total and stage not in finished:
            finished.add(stage)
            print(f"{stage}: {done} done", file=sys.stderr, flush=True)

    return show
