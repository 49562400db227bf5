"""The noise floor in a report: claimed differences that lie below it, and the teacher's ceiling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kdeval.compare.comparison import ALL, Cell, Comparison, RunComparison
from kdeval.compare.noise_floor import Floor, NoiseFloor
from kdeval.gate.quantity import Unit, is_share, number_text, unit_of
from kdeval.records import Metric
from kdeval.report.numbers import confidence_text, counted
from kdeval.stats.interval import Interval

__all__ = ["NoiseWarning", "SelfNoise", "self_noise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseWarning:
    """A figure that is no larger than what a model does to itself.

    Attributes:
        student: whose figure it is.
        against: the teacher, or another student.
        quantity: the difference of the scores, or the share of flips.
        value: its size, without a sign.
        floor: the largest that the model may differ from itself, at the report's confidence.
        measured: the largest that it was seen to differ from itself.
        model: that model.
        text: all of this in a sentence.
    """

    student: str
    against: str
    suite: str
    metric: str
    slice: str
    quantity: Literal["difference", "flips"]
    value: float
    floor: float
    measured: float
    model: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfNoise:
    """What is known of the models of the run against themselves.

    Attributes:
        floors: one a model; see `kdeval aa`.
        warnings: whole suites before their slices, students against the teacher before students
            against each other.
    """

    floors: tuple[NoiseFloor, ...]
    warnings: tuple[NoiseWarning, ...]

    def of(self, model: str) -> NoiseFloor | None:
        """The floor of that model, or None."""
        return next((floor for floor in self.floors if floor.model == model), None)

    def warnings_for(self, student: str) -> tuple[NoiseWarning, ...]:
        """Those that concern that student."""
        return tuple(w for w in self.warnings if student in (w.student, w.against))

    def is_below(self, student: str, cell: Cell) -> bool:
        """Whether the student's difference from the teacher in that cell is below the floor."""
        place = (cell.suite, cell.metric, cell.slice)
        return any(
            item.quantity == "difference"
            and item.student == student
            and (item.suite, item.metric, item.slice) == place
            for item in self.warnings
        )

    def ceiling(self, model: str, suite: str, metric: str) -> Interval | None:
        """On how many samples of the suite that model agrees with itself; None: not measured."""
        noise = self.of(model)
        floor = None if noise is None else noise.floor(suite, metric)
        return None if floor is None else floor.self_agreement


def self_noise(comparison: RunComparison, floors: Sequence[NoiseFloor]) -> SelfNoise | None:
    """The floors, with a warning at every figure of `comparison` below them; None without floors.

    A figure counts as below where it is no larger than the floor at the floor's confidence. Where
    a model's scores were the same whenever it was asked, nothing is below: no noise was seen, and a
    bound that few samples leave wide is none.
    """
    if not floors:
        return None
    by_model = {floor.model: floor for floor in floors}
    found: list[NoiseWarning] = []
    for student in comparison.students:
        found.extend(_against_teacher(student, by_model, comparison.metrics))
    found.sort(key=lambda item: item.slice != ALL)
    found.extend(_between(comparison, by_model))
    return SelfNoise(floors=tuple(floors), warnings=tuple(found))


def _against_teacher(
    student: Comparison, floors: Mapping[str, NoiseFloor], metrics: Mapping[str, Metric]
) -> Iterator[NoiseWarning]:
    for cell in student.cells:
        place = (cell.suite, cell.metric, cell.slice)
        both = (student.teacher, student.student)
        highest = _highest(both, floors, *place)
        if highest is not None and cell.difference.estimate is not None:
            unit = unit_of("difference", share=is_share([cell], metrics.get(cell.metric)))
            yield from _difference(both[::-1], place, cell.difference.estimate, highest, unit)
        highest = _highest(both, floors, *place, of="flip_rate_at_most")
        if highest is not None and cell.flips is not None and cell.flips.flips:
            yield from _flips(student, cell, highest)


def _between(comparison: RunComparison, floors: Mapping[str, NoiseFloor]) -> Iterator[NoiseWarning]:
    teacher = comparison.students[0].teacher if comparison.students else ""
    for standings in comparison.between:
        place = (standings.suite, standings.metric, ALL)
        metric = comparison.metrics.get(standings.metric)
        for pair in standings.pairs:
            highest = _highest((pair.first, pair.second), floors, *place)
            highest = highest or _highest((teacher,), floors, *place)
            if highest is None or pair.difference.estimate is None:
                continue
            share = pair.only_first is not None or is_share([], metric)
            unit = unit_of("difference", share=share)
            yield from _difference(
                (pair.first, pair.second), place, pair.difference.estimate, highest, unit
            )


def _highest(
    names: Sequence[str],
    floors: Mapping[str, NoiseFloor],
    suite: str,
    metric: str,
    slice: str,
    *,
    of: Literal["difference_at_most", "flip_rate_at_most"] = "difference_at_most",
) -> tuple[NoiseFloor, Floor] | None:
    """The highest floor among the named models whose scores changed at all."""
    found = [
        (getattr(floor, of) or 0.0, index, floors[name], floor)
        for index, name in enumerate(names)
        if name in floors
        and (floor := floors[name].floor(suite, metric, slice)) is not None
        and floor.score_changed
    ]
    if not found:
        return None
    _, _, noise, floor = max(found, key=lambda item: (item[0], -item[1]))
    return noise, floor


def _difference(
    names: tuple[str, str],
    place: tuple[str, str, str],
    difference: float,
    highest: tuple[NoiseFloor, Floor],
    unit: Unit,
) -> Iterator[NoiseWarning]:
    noise, floor = highest
    most = floor.difference_at_most
    if difference == 0 or most is None or abs(difference) > most:
        return
    size, measured = _size(abs(difference), unit), _size(floor.difference, unit)
    if abs(difference) <= floor.difference:
        told = f"no more than what {noise.model} was seen to differ from itself ({measured})"
    else:
        level = confidence_text(noise.confidence)
        told = (
            f"within what {noise.model} differs from itself ({measured} seen, at most "
            f"{_size(most, unit)} with {level} confidence)"
        )
    yield NoiseWarning(
        student=names[0],
        against=names[1],
        suite=place[0],
        metric=place[1],
        slice=place[2],
        quantity="difference",
        value=abs(difference),
        floor=most,
        measured=floor.difference,
        model=noise.model,
        text=f"the difference of {size} between {names[0]} and {names[1]} is {told}",
    )


def _flips(
    student: Comparison, cell: Cell, highest: tuple[NoiseFloor, Floor]
) -> Iterator[NoiseWarning]:
    noise, floor = highest
    assert cell.flips is not None
    rate, most = cell.flips.flips / cell.n, floor.flip_rate_at_most
    if most is None or floor.flip_rate is None or rate > most:
        return
    level = confidence_text(noise.confidence)
    yield NoiseWarning(
        student=student.student,
        against=student.teacher,
        suite=cell.suite,
        metric=cell.metric,
        slice=cell.slice,
        quantity="flips",
        value=rate,
        floor=most,
        measured=floor.flip_rate,
        model=noise.model,
        text=(
            f"the {counted(cell.flips.flips, 'flip')} between {student.student} and "
            f"{student.teacher} ({number_text(rate, 'percent')}) are within what {noise.model} "
            f"flips against itself ({number_text(floor.flip_rate, 'percent')} seen, at most "
            f"{number_text(most, 'percent')} with {level} confidence)"
        ),
    )


def _size(value: float, unit: Unit) -> str:
    """Without a sign: "0.6 points"."""
    return number_text(value, unit).lstrip("+")
