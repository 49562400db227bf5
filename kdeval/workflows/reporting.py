"""`kdeval report` and `kdeval gate`: compare, judge, and write what was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from kdeval.compare.comparison import RunComparison
from kdeval.compare.compute import compare_run
from kdeval.compare.off_label import off_label_lines
from kdeval.errors import UsageError
from kdeval.gate.baseline import BASELINE_FILE, Baseline, load_baseline, write_baseline
from kdeval.gate.decide import judge
from kdeval.gate.decision import EXIT_CODES, GateDecision
from kdeval.gate.policy import GatePolicy, load_policy
from kdeval.report.document import ReportDocument, report_document
from kdeval.report.gate_markdown import append_step_summary
from kdeval.report.junit import write_junit
from kdeval.report.markdown import report_markdown
from kdeval.report.noise_file import noise_floors_for
from kdeval.report.output_file import write_whole, writing
from kdeval.report.previous import previous_reports
from kdeval.report.strict_json import write_json
from kdeval.report.summary import summary_renderables
from kdeval.report.terminal import gate_renderables, report_renderables
from kdeval.routing.evaluate import evaluate_router
from kdeval.store.run_directory import RunDirectory

__all__ = ["Judgement", "ReportInputs", "WrittenReport", "judge_run", "write_report"]

_FILES = {
    "html": "report.html",
    "md": "report.md",
    "json": "report.json",
    "baseline": BASELINE_FILE,
}
_UNUSED_BASELINE = Text(
    "The baseline was not used: no rule of the policy is a baseline_difference or negative_flips."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenReport:
    """What a report wrote, and what was written."""

    files: tuple[Path, ...]
    document: ReportDocument

    def show(self, console: Console | None = None, *, full: bool = False) -> None:
        """Prints the summary, or every slice and figure."""
        shown = report_renderables if full else summary_renderables
        _print(shown(self.document), console)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInputs:
    """What a report may take beside the run.

    Attributes:
        policy: a gate policy; with it, every student (or the policy's) is judged.
        baseline: a run or a baseline file of the previous student, which every student is compared
            with, and what the policy's rules against a baseline are measured against.
        baseline_student: which of the baseline's students; the compared one's name unless told.
        router: what `kdeval route fit` wrote; with it, the router is evaluated on the run.
        noise_floor: what `kdeval aa` wrote; None: what lies in the run's own directory.
    """

    policy: Path | None = None
    baseline: Path | None = None
    baseline_student: str | None = None
    router: Path | None = None
    noise_floor: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The gate's decision, and what it has to show on a terminal."""

    decision: GateDecision
    files: tuple[Path, ...]
    renderables: tuple[Any, ...]

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 3 inconclusive."""
        return EXIT_CODES[self.decision.verdict]

    def show(self, console: Console | None = None) -> None:
        """Prints the table of rules."""
        _print(self.renderables, console)


def _print(renderables: Iterable[Any], console: Console | None) -> None:
    console = console or Console(highlight=False)
    for item in renderables:
        console.print(item)


def write_report(
    run: Path,
    *,
    out: Path,
    formats: Sequence[str],
    inputs: ReportInputs | None = None,
    include_text: bool = True,
    tell: Callable[[WrittenReport], None] = lambda report: None,
) -> WrittenReport:
    """The report of `run`, its files in `out`.

    Args:
        run: a run directory.
        out: made when it is missing.
        formats: of "html", "md", "json", "baseline".
        inputs: what else it takes.
        include_text: whether inputs, references and outputs may stand in the files.
        tell: called before the files are written: what was found is not lost where they cannot be.

    Raises:
        UsageError: the noise floor is of other models than the run's, or the baseline shares no
            sample with the run.
    """
    inputs = inputs or ReportInputs()
    opened = RunDirectory.open(run)
    against = _against(inputs.baseline, inputs.baseline_student)
    comparison = compare_run(opened)
    floors, unused = noise_floors_for(opened, inputs.noise_floor)
    odd = off_label_lines(opened, example=include_text)
    comparison = replace(comparison, notes=(*comparison.notes, *unused, *odd))
    decisions: tuple[GateDecision, ...] = ()
    if inputs.policy is not None:
        decisions = _judge_all(opened, comparison, load_policy(inputs.policy), against)
    routed = None
    if inputs.router is not None:
        routed = evaluate_router(inputs.router, opened, confidence=comparison.confidence)
    document = report_document(
        opened,
        comparison,
        decisions,
        include_text=include_text,
        router=routed,
        noise_floors=floors,
        previous=()
        if against is None or inputs.baseline is None
        else previous_reports(
            opened, comparison, against, baseline_path=inputs.baseline, include_text=include_text
        ),
    )
    files = tuple(out / _FILES[name] for name in formats)
    found = WrittenReport(files=files, document=document)
    tell(found)
    _make(out)
    for name, file in zip(formats, files, strict=True):
        if name == "baseline":
            with writing(file):
                write_baseline(file, opened)
        else:
            _write(name, document, file)
    return found


def _write(name: str, document: ReportDocument, file: Path) -> None:
    if name == "json":
        write_json(document, file)
    elif name == "md":
        write_whole(file, report_markdown(document))
    else:
        from kdeval.report.html.page import report_html  # the plotting library, only where drawn

        write_whole(file, report_html(document))


def judge_run(
    run: Path,
    *,
    policy: Path,
    student: str | None = None,
    baseline: Path | None = None,
    baseline_student: str | None = None,
    out: Path,
    tell: Callable[[Judgement], None] = lambda judgement: None,
) -> Judgement:
    """The verdict on one student, written as JSON and JUnit XML into `out`.

    Those of an earlier verdict go first: after an error nobody finds a pass that is out of date.
    The GitHub step summary is appended to when $GITHUB_STEP_SUMMARY names a file. `tell` is called
    before anything is written: a verdict is not lost where it cannot be.
    """
    files = (out / "gate.json", out / "gate.xml")
    stale = _removed(files)
    against = _against(baseline, baseline_student)
    opened = RunDirectory.open(run)
    rules = load_policy(policy)
    decision = judge(opened, compare_run(opened), rules, student=student, baseline=against)
    notes = (Text(f"note: {note}", style="dim") for note in decision.notes)
    renderables = (*gate_renderables([decision]), *notes)
    if against is not None and decision.baseline is None:
        renderables = (*renderables, _UNUSED_BASELINE)
    judgement = Judgement(decision=decision, files=files, renderables=renderables)
    tell(judgement)
    if stale is not None:
        raise stale
    _make(out)
    write_json(decision, files[0])
    write_junit([decision], files[1])
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with writing(Path(summary), "GITHUB_STEP_SUMMARY"):
            append_step_summary(summary, [decision])
    return judgement


def _removed(files: Iterable[Path]) -> UsageError | None:
    """None once the files are gone; else why one of them is not."""
    try:
        for file in files:
            with writing(file):
                if file.is_file():
                    file.unlink()
    except UsageError as error:
        return error
    return None


def _against(baseline: Path | None, student: str | None) -> Baseline | None:
    if baseline is None and student is not None:
        raise UsageError("--baseline-student goes with --baseline")
    return None if baseline is None else load_baseline(baseline, student)


def _judge_all(
    run: RunDirectory, comparison: RunComparison, policy: GatePolicy, baseline: Baseline | None
) -> tuple[GateDecision, ...]:
    names = [policy.student] if policy.student else [item.student for item in comparison.students]
    return tuple(judge(run, comparison, policy, student=name, baseline=baseline) for name in names)


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out} cannot be made: {error}") from error
