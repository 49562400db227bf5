"""The noise floor in sentences, the same in every rendering."""

from __future__ import annotations

from collections.abc import Iterator

from kdeval.compare.comparison import ALL, Comparison
from kdeval.compare.noise_floor import Floor, NoiseFloor
from kdeval.gate.quantity import Unit, number_text, unit_of
from kdeval.report.noise import NoiseWarning, SelfNoise
from kdeval.report.numbers import confidence_text, counted, interval_text

__all__ = [
    "ceiling_lines",
    "difference_unit_of",
    "floor_sentence",
    "not_varied_lines",
    "warning_lines",
]

_SLICES = 6


def difference_unit_of(noise: NoiseFloor, metric: str, *, binary: bool) -> Unit:
    """How differences of that metric are written."""
    known = noise.metrics.get(metric)
    share = binary or (known is not None and (known.low, known.high) == (0.0, 1.0))
    return unit_of("difference", share=share)


def floor_sentence(noise: NoiseFloor, floor: Floor) -> str:
    """The floor of one cell: what a difference must exceed to say anything."""
    unit = difference_unit_of(noise, floor.metric, binary=floor.flip_rate is not None)
    where = f"{floor.suite} by {floor.metric}"
    most = floor.difference_at_most
    level = confidence_text(noise.confidence)
    if most is None:
        said = f"{where}: {_unbounded(noise, floor, unit)}"
    elif not floor.anything_changed:
        return (
            f"{where}: {noise.model} answered {counted(floor.n, 'sample')} alike whenever it was "
            f"asked; on others it may differ from itself by at most "
            f"{number_text(most, unit).lstrip('+')}, with {level} confidence"
        )
    elif not floor.score_changed:
        said = (
            f"{where}: the score of {noise.model} did not differ from itself over "
            f"{counted(floor.n, 'sample')}, which excludes no more than "
            f"{number_text(most, unit).lstrip('+')} with {level} confidence"
        )
    else:
        said = (
            f"{where}: {noise.model} differs from itself by "
            f"{number_text(floor.difference, unit).lstrip('+')}, at most "
            f"{number_text(most, unit).lstrip('+')} with {level} confidence "
            f"({floor.difference_under})"
        )
    known = floor.self_agreement
    if known is not None:
        said += (
            f"; it agrees with itself on {interval_text(known, 'percent')} "
            f"({floor.self_agreement_under}), the ceiling of any agreement with it"
        )
    return said + _other_numerics(floor)


def _other_numerics(floor: Floor) -> str:
    """How often the model agrees with itself in another dtype or on another device."""
    known = floor.numerics_agreement
    if known is None:
        return ""
    return (
        f"; with {floor.numerics_agreement_under} it agrees with itself on "
        f"{interval_text(known, 'percent')}, which is no ceiling but what numerics change"
    )


def _unbounded(noise: NoiseFloor, floor: Floor, unit: Unit) -> str:
    """What was seen, and why nothing bounds it."""
    why = floor.unbounded_because or "the interval has no end"
    seen = number_text(floor.difference, unit).lstrip("+")
    return (
        f"{noise.model} differs from itself by {seen}; what it may be at most is not known "
        f"({floor.difference_under}: {why})"
    )


def not_varied_lines(noise: NoiseFloor) -> Iterator[str]:
    """What was not varied of the model, a line a reason; then what else must be known."""
    by_reason: dict[str, list[str]] = {}
    for item in noise.not_varied:
        by_reason.setdefault(item.reason, []).append(item.condition.replace("_", " "))
    for reason, conditions in by_reason.items():
        yield f"not varied of {noise.model}: {', '.join(conditions)}: {reason}"
    yield from noise.notes


def ceiling_lines(noise: SelfNoise | None, student: Comparison) -> Iterator[str]:
    """How far the teacher agrees with itself, a line a suite: what an agreement is read against."""
    floors = None if noise is None else noise.of(student.teacher)
    seen: set[str] = set()
    for floor in () if floors is None else floors.floors:
        known, numerics = floor.self_agreement, _other_numerics(floor)
        if floor.slice != ALL or floor.suite in seen or not (known or numerics):
            continue
        seen.add(floor.suite)
        if known is None:
            ceiling = f"{student.teacher} was not asked again as configured"
        else:
            ceiling = (
                f"{student.teacher} agrees with itself on {interval_text(known, 'percent')} of the "
                f"samples ({floor.self_agreement_under}): the ceiling of an agreement with it"
            )
        yield f"{floor.suite}: {ceiling}{numerics}"


def warning_lines(noise: SelfNoise | None, student: Comparison) -> Iterator[str]:
    """Figures of that student below the noise floor: whole suites each, slices by their names."""
    if noise is None:
        return
    found = noise.warnings_for(student.student)
    for item in found:
        if item.slice == ALL:
            yield f"{item.suite} by {item.metric}: {item.text}"
    slices = [item for item in found if item.slice != ALL and item.quantity == "difference"]
    if slices:
        yield _slices(slices)


def _slices(found: list[NoiseWarning]) -> str:
    places = list(dict.fromkeys(f"{item.suite} {item.slice}" for item in found))
    more = f" and {len(places) - _SLICES} more" if len(places) > _SLICES else ""
    return f"differences on {counted(len(places), 'slice')}: {', '.join(places[:_SLICES])}{more}"
