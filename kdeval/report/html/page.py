"""The whole page: the document in views, the views in a template, one file without a network."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from kdeval.compare.comparison import Comparison
from kdeval.report.document import ReportDocument
from kdeval.report.html.browser import KIND_NAMES, BrowserView, browser_view
from kdeval.report.html.calibration import (
    CalibrationView,
    calibration_views,
    calibrations_left_out,
)
from kdeval.report.html.fidelity import FidelityView, fidelity_view
from kdeval.report.html.headline import DEFINITIONS, Headline, headlines
from kdeval.report.html.layers import LayersView, layers_views
from kdeval.report.html.noise import noise_view
from kdeval.report.html.pictures import (
    ForestView,
    LatencyView,
    forest_views,
    forests_left_out,
    latency_view,
    tradeoff_views,
    tradeoffs_left_out,
)
from kdeval.report.html.previous import PreviousView, previous_view
from kdeval.report.html.related import related_views
from kdeval.report.html.router import router_view
from kdeval.report.html.scores import (
    AveragesView,
    FlipView,
    ScoreRow,
    averages_view,
    flip_views,
    score_rows,
)
from kdeval.report.html.speed import SpeedView, speed_view
from kdeval.report.html.verdict import VerdictView, verdict_view
from kdeval.report.layer_words import LAYERS_MEAN
from kdeval.report.ledger import ASYMPTOTIC, ledger_rows
from kdeval.report.numbers import bytes_text, confidence_text, count, counted, number
from kdeval.report.plain_text import visible

__all__ = ["EXAMPLES_BUDGET", "report_html"]

EXAMPLES_BUDGET = 2_500_000
"""Bytes of the file that single samples may take, over all students."""

_ASSETS = files("kdeval.report.html") / "assets"
_NAME = re.compile(r"`([A-Za-z_][\w.]*)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentView:
    """Everything of one student, ready to be set."""

    name: str
    teacher: str
    comparison: Comparison
    verdict: VerdictView
    headlines: tuple[Headline, ...]
    averages: AveragesView | None
    rows: tuple[ScoreRow, ...]
    forests: tuple[ForestView, ...]
    forests_left_out: int
    flips: tuple[FlipView, ...]
    previous: PreviousView | None
    calibrations: tuple[CalibrationView, ...]
    calibrations_left_out: int
    fidelity: FidelityView | None
    layers: tuple[LayersView, ...]
    latency: LatencyView | None
    speed: SpeedView
    browser: BrowserView | None


def report_html(document: ReportDocument) -> str:
    """The report as one HTML file: self-contained, without network requests or foreign scripts.

    Every text of the document is escaped, and its invisible characters are shown by their code
    points; a Content-Security-Policy allows this page's own style and script by their hashes, and
    nothing else.
    """
    students = [
        _student(document, student, index) for index, student in enumerate(document.students)
    ]
    style = _asset("report.css") + _choices_css(len(students))
    script = _asset("report.js")
    template = _environment().get_template("report.html")
    return template.render(
        document=document,
        students=students,
        tradeoffs=tradeoff_views(document),
        tradeoffs_left_out=tradeoffs_left_out(document),
        related=related_views(document),
        noise=noise_view(document),
        router=None if document.router is None else router_view(document.router),
        layers_mean=LAYERS_MEAN,
        definitions=DEFINITIONS,
        ledger_rows=() if document.ledger is None else ledger_rows(document.ledger),
        asymptotic_words=ASYMPTOTIC,
        numbers={key: index for index, key in enumerate(_defined(students), start=1)},
        kind_names=KIND_NAMES,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
    )


def _student(document: ReportDocument, student: Comparison, index: int) -> StudentView:
    name = f"s{index}"
    details = document.details_for(student.student)
    examples = document.examples_for(student.student)
    budget = EXAMPLES_BUDGET // max(1, len(document.students))
    return StudentView(
        name=student.student,
        teacher=student.teacher,
        comparison=student,
        verdict=verdict_view(document, student),
        headlines=headlines(document, student),
        averages=averages_view(student),
        rows=score_rows(document, student),
        forests=forest_views(student, name=name, metrics=document.metrics),
        forests_left_out=forests_left_out(student),
        flips=flip_views(student),
        previous=previous_view(document.previous_for(student.student)),
        calibrations=calibration_views(details, student, name=name),
        calibrations_left_out=calibrations_left_out(details, student),
        fidelity=fidelity_view(details, student, name=name),
        layers=layers_views(details, name=name),
        latency=latency_view(details, student, name=name),
        speed=speed_view(document, student),
        browser=None if examples is None else browser_view(examples, budget=budget),
    )


def _defined(students: Sequence[StudentView]) -> list[str]:
    """Keys of the definitions that some figure of the page needs: those of the strip first."""
    strip = {item.definition for student in students for item in student.headlines}
    below = {key for student in students for key in student.speed.definitions} - strip
    return [key for needed in (strip, below) for key in DEFINITIONS if key in needed]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("kdeval.report.html"),
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["unbroken"] = _unbroken
    environment.globals.update(
        number=number,
        count=count,
        counted=counted,
        confidence_text=confidence_text,
        bytes_text=bytes_text,
    )
    return environment


def _shown(value: Any) -> Any:
    """What a template prints: no text reaches the page with invisible characters in it."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return visible(value)


def _unbroken(value: str) -> Markup:
    """A sentence, its `names` as code, whose figures are not parted from their units at an end."""
    kept = visible(value).replace(" %", "\u00a0%").replace(" points", "\u00a0points")
    kept = kept.replace(" = ", "\u00a0=\u00a0")
    return Markup(_NAME.sub(r"<code>\1</code>", str(escape(kept))))


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _choices_css(students: int) -> str:
    """Rules that show the chosen student alone, on screens; they need no script.

    On paper nothing can be chosen, so every student is printed.
    """
    rules = [
        f'html:has(#choose-{index}:checked) [data-student]:not([data-student="{index}"])'
        "{display:none}"
        for index in range(students)
    ]
    return "\n".join(["@media screen {", *rules, "}"])


def _policy(style: str, script: str) -> str:
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )


def _digest(text: str) -> str:
    """As a browser computes it over the text between the tags."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
