"""Figures below the noise floor are told, those above are not, and foreign floors are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdeval.compare.comparison import ALL
from kdeval.compare.figures.relations import Standings, StudentPair
from kdeval.compare.noise_floor import Floor, NoiseFloor
from kdeval.errors import RunError, UsageError
from kdeval.records import Metric, RunHeader
from kdeval.report.html.page import report_html
from kdeval.report.markdown import report_markdown
from kdeval.report.noise import SelfNoise, self_noise
from kdeval.report.noise_file import noise_floors_for, read_noise_floors, write_noise_floor
from kdeval.report.noise_words import ceiling_lines, floor_sentence, warning_lines
from kdeval.report.terminal import report_renderables
from kdeval.stats.interval import Interval

Make = Callable[..., Any]


def interval(estimate: float) -> Interval:
    return Interval(estimate=estimate, low=estimate - 0.02, high=estimate + 0.02, confidence=0.95,
                    method="x", n=400, clusters=None)  # fmt: skip


def floor(**changes: Any) -> Floor:
    made = Floor(
        suite="sentiment", metric="exact", slice=ALL, n=400, difference=0.01,
        difference_at_most=0.03, difference_under="asked again (1)", flip_rate=0.02,
        flip_rate_at_most=0.04, self_agreement=interval(0.96), self_agreement_under="asked again",
        largest_probability_change=0.2, anything_changed=True,
    )  # fmt: skip
    return replace(made, **changes)


def noise(*floors: Floor, model: str = "big", fingerprint: str = "f") -> NoiseFloor:
    header = RunHeader(created="2026-01-01T00:00:00+00:00", kdeval="0", versions={},
                       git_revision=None, seed=0, models={}, suites={}, hardware={})  # fmt: skip
    return NoiseFloor(
        model=model, fingerprint=fingerprint, name="run", header=header, confidence=0.95,
        limit=None, metrics={"exact": Metric(name="exact")}, conditions=(), not_varied=(),
        floors=floors or (floor(),),
    )  # fmt: skip


def judged(compared: Any, *floors: NoiseFloor) -> SelfNoise:
    found = self_noise(compared, floors)
    assert found is not None
    return found


def test_a_difference_below_the_floor_is_told(make_comparison: Make) -> None:
    """2 points, where the teacher may differ from itself by 3; the 8 % of flips are above."""
    compared = make_comparison()
    found = judged(compared, noise())
    (warning,) = found.warnings
    assert (warning.quantity, warning.value, warning.floor) == ("difference", 0.02, 0.03)
    assert "2.0 points between small and big is within what big differs from itself" in warning.text
    assert "(1.0 points seen, at most 3.0 points with 95 % confidence)" in warning.text
    (student,) = compared.students
    assert found.is_below("small", student.cells[0])
    assert not found.is_below("small", student.cells[1])
    assert list(ceiling_lines(found, student)) == [
        "sentiment: big agrees with itself on 96.0 % [94.0, 98.0] of the samples (asked again): "
        "the ceiling of an agreement with it"
    ]


def test_other_numerics_are_told_and_are_no_ceiling(make_comparison: Make) -> None:
    """A student of the same weights in the same dtype agrees on more than another dtype does."""
    numerics = {"numerics_agreement": interval(0.57), "numerics_agreement_under": "float32"}
    told = "; with float32 it agrees with itself on 57.0 % [55.0, 59.0], which is no ceiling"
    both, alone = floor(**numerics), floor(**numerics, self_agreement=None)
    for made, ceiling in (
        (both, "the ceiling of an agreement with it"),
        (alone, "not asked again"),
    ):
        compared = make_comparison()
        found = judged(compared, noise(made))
        (line,) = ceiling_lines(found, compared.students[0])
        assert ceiling in line
        assert told in line
        assert told in floor_sentence(noise(made), made)
    assert judged(make_comparison(), noise(alone)).ceiling("big", "sentiment", "exact") is None


@pytest.mark.parametrize(
    ("changes", "quantities"),
    [
        ({"difference_at_most": 0.019}, []),
        ({"difference_at_most": None}, []),
        ({"anything_changed": False}, []),
        ({"difference": 0.0, "flip_rate": 0.0, "flip_rate_at_most": 0.2}, []),
        ({"difference": 0.0, "flip_rate": None}, []),
        ({"difference": 0.0}, ["difference"]),
        ({"suite": "another"}, []),
        ({"difference": 0.02}, ["difference"]),
        ({"difference_at_most": 0.01, "flip_rate_at_most": 0.08}, ["flips"]),
    ],
)
def test_what_counts_as_below(
    make_comparison: Make, changes: dict[str, Any], quantities: list[str]
) -> None:
    """Up to the floor itself; never without one, nor for a model whose score never changed.

    Flips that cancel out are noise, though the mean stayed.
    """
    found = judged(make_comparison(), noise(floor(**changes)))
    assert [item.quantity for item in found.warnings] == quantities


def test_other_answers_of_the_same_score_are_no_noise_in_it() -> None:
    """What few samples cannot exclude was not seen."""
    same = floor(n=30, difference=0.0, flip_rate=0.0, difference_at_most=0.183)
    said = floor_sentence(noise(same), same)
    assert (
        "the score of big did not differ from itself over 30 samples, which excludes no more than "
        "18.3 points with 95 % confidence; it agrees with itself on 96.0 %" in said
    )


def test_a_floor_without_a_bound_says_why() -> None:
    """No dash in place of a figure; the agreement is told all the same."""
    why = "fewer than 20 samples"
    unbounded = floor(difference_at_most=None, unbounded_because=why)
    said = floor_sentence(noise(unbounded), unbounded)
    assert f"what it may be at most is not known (asked again (1): {why})" in said
    assert "agrees with itself" in said
    assert "–" not in said


def test_the_highest_floor_of_the_two_counts(make_comparison: Make) -> None:
    """A student that wavers more than its teacher raises the floor."""
    found = judged(
        make_comparison(),
        noise(floor(difference_at_most=0.001)),
        noise(floor(difference_at_most=0.05), model="small"),
    )
    assert [item.model for item in found.warnings] == ["small"]


def test_slices_are_named_in_one_line(make_comparison: Make, make_cell: Make) -> None:
    """Whole suites have a line each, their slices one together."""
    cells = [make_cell(), *(make_cell(f"part={k}") for k in range(8))]
    compared = make_comparison(*cells)
    floors = [floor(), *(floor(slice=f"part={k}") for k in range(8))]
    lines = list(warning_lines(judged(compared, noise(*floors)), compared.students[0]))
    assert len(lines) == 2
    assert lines[1].startswith("differences on 8 slices: sentiment part=0, ")
    assert lines[1].endswith("part=5 and 2 more")


def test_students_against_each_other(make_comparison: Make) -> None:
    """Their own floors count, or else the teacher's."""
    pair = StudentPair(first="small", second="tiny", n=400, difference=interval(0.015),
                       simultaneous=interval(0.015), only_first=20, only_second=14,
                       better=None)  # fmt: skip
    standings = Standings(
        suite="sentiment", metric="exact", students=("small", "tiny"), pairs=(pair,),
        leader="small", best=None, axes=(), dominated=(),
    )  # fmt: skip
    compared = replace(make_comparison(), between=(standings,))
    own = judged(compared, noise(floor(difference_at_most=0.016), model="tiny"))
    assert [(item.student, item.against, item.model) for item in own.warnings] == [
        ("small", "tiny", "tiny")
    ]
    teachers = judged(compared, noise())
    assert ("small", "tiny", "big") in {
        (item.student, item.against, item.model) for item in teachers.warnings
    }
    assert not judged(compared, noise(floor(difference_at_most=0.01), model="tiny")).warnings


def test_every_rendering_tells_it(make_document: Make, make_comparison: Make) -> None:
    """Page, Markdown and terminal; without floors none of them speaks of noise."""
    compared = make_comparison()
    document = make_document(compared=compared, noise_floors=(noise(),))
    terminal = " ".join(str(item) for item in report_renderables(document))
    page = report_html(document)
    for shown in (page, report_markdown(document), terminal):
        assert "2.0" in shown
        assert "within what big differs from itself" in shown.replace("\u00a0", " ")
        assert "agrees with itself on" in shown
    assert 'id="noise"' in page
    assert "≈" in page
    plain = make_document(44, compared=compared)
    for shown in (report_html(plain), report_markdown(plain)):
        assert "noise floor" not in shown.lower()


def test_a_floor_of_another_model_is_refused(make_run: Make, tmp_path: Path) -> None:
    """By name or by fingerprint: an error where it was named, a note where it was found."""
    run = make_run()
    teacher = run.manifest.teacher
    right = noise(model=teacher.name, fingerprint=teacher.fingerprint)
    write_noise_floor(right, run.path)
    assert noise_floors_for(run, None) == ((right,), ())
    write_noise_floor(replace(right, fingerprint="0" * 64), run.path)
    floors, notes = noise_floors_for(run, None)
    assert floors == ()
    assert "is of another 'big'" in notes[0]
    with pytest.raises(UsageError, match="is of another 'big'"):
        noise_floors_for(run, run.path)
    write_noise_floor(replace(right, model="stranger"), tmp_path)
    with pytest.raises(UsageError, match="no model of this run"):
        noise_floors_for(run, tmp_path)


def test_what_is_no_noise_floor_is_refused(make_run: Make, tmp_path: Path) -> None:
    """A directory without one, and files of something else."""
    run = make_run()
    assert noise_floors_for(run, None) == ((), ())
    with pytest.raises(RunError, match="holds no noise floor"):
        read_noise_floors(run.path)
    for text in ("{}", "not JSON", '{"schema_version": 9}'):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(RunError, match="no noise floor of this version"):
            read_noise_floors(tmp_path / "x.json")
