"""The browser of single samples: which are shown within the page's budget, and what of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from markupsafe import escape

from kdeval.report.examples import KINDS, Example, Examples, Kind, shortened
from kdeval.report.html.differences import Run, marked
from kdeval.report.numbers import count, number
from kdeval.report.plain_text import one_line, visible

__all__ = ["KIND_NAMES", "BrowserView", "ExampleView", "browser_view"]

KIND_NAMES: dict[Kind, str] = {
    "lost": "lost",
    "gained": "gained",
    "both_right": "both right",
    "both_wrong": "both wrong",
}
_TEXT = 2_000
_SHORT = 24
_FRAME = 1_200  # bytes of markup around the texts of one example


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleView:
    """One sample.

    Attributes:
        gist: the start of the input, for the closed entry.
        answers: the teacher's output and the student's, where they are short.
        tools: what could be called, a signature a line.
        response_schema: the JSON Schema that the answer was to keep.
        image: a small picture as a data URI, in suites with images.
        teacher: its output in runs against the reference, None when unknown.
        student: the same; against the teacher's output where there is no reference.
    """

    kind: Kind
    kind_name: str
    suite: str
    metric: str
    sample_id: str
    slices: tuple[str, ...]
    gist: str
    answers: str
    scores: tuple[str, str]
    confidences: tuple[str, str]
    input: str | None
    tools: str | None
    response_schema: str | None
    image: str | None
    reference: str | None
    teacher: tuple[Run, ...] | None
    student: tuple[Run, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserView:
    """The samples of one student.

    Attributes:
        slices: every slice that some sample shown is of.
        counts: of each metric that has any, in words, how many are shown of how many.
        shown: kinds of the samples shown.
        left_out: samples of the run that are not shown; with several metrics, once for each.
    """

    items: tuple[ExampleView, ...]
    suites: tuple[str, ...]
    metrics: tuple[str, ...]
    slices: tuple[str, ...]
    counts: tuple[str, ...]
    shown: frozenset[Kind]
    left_out: int


def browser_view(examples: Examples, *, budget: int) -> BrowserView:
    """As many samples as fit in about `budget` bytes, every kind getting its turn."""
    items = []
    room = budget
    for example in _in_turn(examples.items):
        room -= _size(example)
        if room < 0:
            break
        items.append(example)
    kept = {id(item) for item in items}
    ordered = [item for item in examples.items if id(item) in kept]
    views = tuple(_view(item) for item in ordered)
    return BrowserView(
        items=views,
        suites=tuple(dict.fromkeys(item.suite for item in views)),
        metrics=tuple(dict.fromkeys(item.metric for item in views)),
        slices=tuple(sorted({name for item in views for name in item.slices})),
        counts=tuple(_counts(examples, views)),
        shown=frozenset(item.kind for item in views),
        left_out=sum(getattr(item, kind) for item in examples.counts for kind in KINDS)
        - len(views),
    )


def _counts(examples: Examples, shown: Sequence[ExampleView]) -> Iterator[str]:
    """Of each metric: "By acc: 12 of 12 lost, 3 of 40 both right."; one alone is not named."""
    for found in examples.counts:
        told = []
        for kind, name in KIND_NAMES.items():
            if total := getattr(found, kind):
                here = sum((item.metric, item.kind) == (found.metric, kind) for item in shown)
                told.append(f"{count(here)} of {count(total)} {name}")
        by = f"By {one_line(found.metric)}: " if len(examples.counts) > 1 else ""
        if told:
            yield f"{by}{', '.join(told)}."


def _in_turn(items: Sequence[Example]) -> Iterator[Example]:
    """One of each kind, then the next of each; spread over each kind's order."""
    kinds = [_spread([item for item in items if item.kind == kind]) for kind in KINDS]
    for group in zip_longest(*kinds):
        yield from (item for item in group if item is not None)


def _spread(items: list[Example]) -> list[Example]:
    """The same items, so ordered that any first part of them is spread over the suites."""
    places: dict[tuple[str, str], int] = {}
    turns = []
    for index, item in enumerate(items):
        key = (item.suite, item.metric)
        places[key] = places.get(key, 0) + 1
        turns.append((places[key], index))
    return [items[index] for _, index in sorted(turns)]


def _size(example: Example) -> int:
    text = example.text
    if text is None:
        return _FRAME
    shown = (
        text.input, text.reference, text.reference, text.teacher_output, text.student_output,
        text.tools, text.response_schema,
    )  # fmt: skip
    texts = sum(len(escape(_fit(part)).encode()) for part in shown if part is not None)
    return _FRAME + texts + len(text.image or "")


def _fit(text: str) -> str:
    return shortened(visible(text), _TEXT)


def _view(example: Example) -> ExampleView:
    text = example.text
    reference = None if text is None or text.reference is None else _fit(text.reference)
    teacher = None if text is None or text.teacher_output is None else _fit(text.teacher_output)
    student = None if text is None or text.student_output is None else _fit(text.student_output)
    compared = teacher if reference is None else reference
    return ExampleView(
        kind=example.kind,
        kind_name=KIND_NAMES[example.kind],
        suite=example.suite,
        metric=example.metric,
        sample_id=one_line(example.sample_id, 80),
        slices=tuple(
            one_line(f"{key}={value}", 120) for key, value in sorted(example.slices.items())
        ),
        gist="" if text is None else one_line(text.input, 140),
        answers=_answers(teacher, student),
        scores=(_score(example.teacher_score), _score(example.student_score)),
        confidences=(_sure(example.teacher_confidence), _sure(example.student_confidence)),
        input=None if text is None else _fit(text.input),
        tools=None if text is None or text.tools is None else _fit(text.tools),
        response_schema=(
            None if text is None or text.response_schema is None else _fit(text.response_schema)
        ),
        image=None if text is None else text.image,
        reference=reference,
        teacher=None if teacher is None else marked(teacher, reference),
        student=None if student is None else marked(student, compared),
    )


def _answers(teacher: str | None, student: str | None) -> str:
    if teacher is None or student is None or max(len(teacher), len(student)) > _SHORT:
        return ""
    return one_line(teacher if teacher == student else f"{teacher} → {student}")


def _score(value: float) -> str:
    return {0.0: "0", 1.0: "1"}.get(value, f"{value:.2f}")


def _sure(value: float | None) -> str:
    return "" if value is None else f"{number(value, 'percent', 0)} sure"
