"""A noise floor for a terminal: what each changed condition did, then the floor itself."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kdeval.compare.comparison import ALL
from kdeval.compare.noise_floor import Floor, NoiseFloor, SelfDifference
from kdeval.gate.quantity import unit_of
from kdeval.report.numbers import (
    UNKNOWN,
    confidence_text,
    count,
    interval_text,
)
from kdeval.report.plain_text import one_line

__all__ = ["floor_sentence", "noise_renderables"]


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
    for item in floor.not_varied:
        yield Text(one_line(f"not varied: {item.condition}: {item.reason}"), style="dim")


def _table(noise: NoiseFloor, index: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    place = noise.floors[index]
    table.add_column(one_line(f"{place.suite}, {place.metric}"), overflow="fold", min_width=12)
    for name in ("n", "flips", "difference", "outputs changed", "most Δp"):
        table.add_column(name, justify="right", no_wrap=True)
    for condition in noise.conditions:
        table.add_row(Text(one_line(condition.change)), *_figures(noise, condition.cells[index]))
    return table


def floor_sentence(noise: NoiseFloor, floor: Floor) -> str:
    """The floor of one cell: what any difference must exceed to be one."""
    share = _is_share(noise, floor.metric, floor.flip_rate is not None)
    unit = unit_of("difference", share=share)
    where = f"{floor.suite} by {floor.metric}"
    if not floor.anything_changed:
        return (
            f"{where}: nothing changed on {floor.n:,} samples; a difference of at most "
            f"{_size(floor.difference_at_most, unit)} could have gone unseen"
        )
    said = (
        f"{where}: {noise.model} differs from itself by {_size(floor.difference, unit)}, at most "
        f"{_size(floor.difference_at_most, unit)} ({floor.difference_under})"
    )
    if floor.self_agreement is not None:
        said += f"; it agrees with itself on {interval_text(floor.self_agreement, 'percent')}"
    return said


def _size(value: float | None, unit: str) -> str:
    """An absolute difference, without a sign."""
    if value is None:
        return UNKNOWN
    return f"{value * 100:.1f} points" if unit == "points" else f"{value:.3f}"


def _figures(noise: NoiseFloor, cell: SelfDifference) -> list[str]:
    share = _is_share(noise, cell.metric, cell.flips is not None)
    unit = unit_of("difference", share=share)
    change = cell.largest_probability_change
    return [
        count(cell.n),
        count(cell.flips),
        interval_text(cell.difference, unit).replace(" points", ""),
        interval_text(cell.changed, "percent"),
        UNKNOWN if change is None else f"{change:.2g}",
    ]


def _is_share(noise: NoiseFloor, metric: str, binary: bool) -> bool:
    known = noise.metrics.get(metric)
    return binary or (known is not None and (known.low, known.high) == (0.0, 1.0))
