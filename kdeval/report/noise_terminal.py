"""A noise floor for a terminal: what each changed condition did, then the floor itself."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kdeval.compare.comparison import ALL, Comparison
from kdeval.compare.noise_floor import NoiseFloor
from kdeval.compare.self_difference import SelfDifference
from kdeval.report.noise import SelfNoise
from kdeval.report.noise_words import (
    ceiling_lines,
    difference_unit_of,
    floor_sentence,
    not_varied_lines,
    warning_lines,
)
from kdeval.report.numbers import (
    UNKNOWN,
    confidence_text,
    count,
    interval_text,
)
from kdeval.report.plain_text import one_line

__all__ = ["noise_renderables", "student_noise"]


def noise_renderables(floor: NoiseFloor) -> Iterator[RenderableType]:
    """Over the whole suites; the file has the slices."""
    level = confidence_text(floor.confidence)
    yield Text(one_line(f"{floor.model} against itself, intervals at {level}"), style="bold")
    for index, cell_floor in enumerate(floor.floors):
        if cell_floor.slice == ALL:
            yield Text()
            yield _table(floor, index)
            yield Text(one_line(floor_sentence(floor, cell_floor)))
    yield Text()
    for line in not_varied_lines(floor):
        yield Text(one_line(line), style="dim")


def _table(noise: NoiseFloor, index: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    place = noise.floors[index]
    table.add_column(one_line(f"{place.suite}, {place.metric}"), overflow="fold", min_width=12)
    for name in ("n", "flips", "difference", "outputs changed", "most Δp"):
        table.add_column(name, justify="right", no_wrap=True)
    for condition in noise.conditions:
        table.add_row(Text(one_line(condition.change)), *_figures(noise, condition.cells[index]))
    return table


def student_noise(noise: SelfNoise | None, student: Comparison) -> Iterator[RenderableType]:
    """What a report's terminal says of it: warnings, then the ceiling of agreement."""
    lines = [
        *((f"below the noise floor: {line}", "yellow") for line in warning_lines(noise, student)),
        *((line, "dim") for line in ceiling_lines(noise, student)),
    ]
    if lines:
        yield Text()
    yield from (Text(one_line(line), style=style) for line, style in lines)


def _figures(noise: NoiseFloor, cell: SelfDifference) -> list[str]:
    unit = difference_unit_of(noise, cell.metric, binary=cell.flips is not None)
    change = cell.largest_probability_change
    return [
        count(cell.n),
        count(cell.flips),
        interval_text(cell.difference, unit).replace(" points", ""),
        interval_text(cell.changed, "percent"),
        UNKNOWN if change is None else f"{change:.2g}",
    ]
