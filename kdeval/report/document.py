"""The document that every form of the report renders: all that is known, nothing laid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kdeval.compare.comparison import Cell, Comparison, RunComparison
from kdeval.compare.figures.ensembles import EnsembleFigures
from kdeval.compare.figures.relations import SeriesFigures, Standings
from kdeval.compare.figures.transfer import Transfer
from kdeval.compare.noise_floor import NoiseFloor
from kdeval.gate.decision import GateDecision
from kdeval.gate.ledger import ErrorLedger
from kdeval.records import Metric, RunHeader
from kdeval.report.bounded import bounded
from kdeval.report.details import StudentDetails, details_of
from kdeval.report.examples import Examples, examples_of
from kdeval.report.ledger import document_ledger
from kdeval.report.models import ModelSummary, model_summaries
from kdeval.report.noise import SelfNoise, self_noise
from kdeval.report.previous import PreviousReport
from kdeval.routing.evaluate import RouterEvaluation
from kdeval.store.run_directory import RunDirectory, SuiteEntry

__all__ = ["ModelSummary", "ReportDocument", "report_document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDocument:
    """A run, compared and perhaps judged.

    Attributes:
        confidence: two-sided, of every interval but the gate's bounds, which name their own.
        limit: the `--limit` of the run, None when every sample was asked.
        text_included: whether inputs, references and outputs are in it.
        students: each student's comparison with the teacher.
        decisions: of the gate, one a judged student.
        details: what is drawn rather than tabulated, one entry a student.
        router: an evaluation of a router on this run, when one was given.
        examples: samples behind the flip table, one entry a student.
        between: the students against each other; empty with one.
        series: checkpoints, chains, ladders and kinds of labels, as configured.
        transfers: benchmark suites beside production suites.
        ensembles: each ensemble beside its members.
        previous: each student beside the one before it, when a baseline was given.
        ledger: what may go wrong in all of it, how often, and how that error was split.
    """

    name: str
    header: RunHeader
    confidence: float
    limit: int | None
    text_included: bool
    models: tuple[ModelSummary, ...]
    suites: tuple[SuiteEntry, ...]
    metrics: Mapping[str, Metric]
    students: tuple[Comparison, ...]
    decisions: tuple[GateDecision, ...]
    details: tuple[StudentDetails, ...]
    router: RouterEvaluation | None
    examples: tuple[Examples, ...]
    notes: tuple[str, ...]
    between: tuple[Standings, ...] = ()
    series: tuple[SeriesFigures, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    ensembles: tuple[EnsembleFigures, ...] = ()
    noise: SelfNoise | None = None
    previous: tuple[PreviousReport, ...] = ()
    ledger: ErrorLedger | None = None
    schema_version: Literal[1] = 1
    kind: Literal["kdeval.report"] = "kdeval.report"

    @property
    def teacher(self) -> str:
        """The teacher's name."""
        return self.models[0].name

    @property
    def model_notes(self) -> tuple[str, ...]:
        """What is to be known of how models computed their answers, a line each."""
        return tuple(f"{model.name}: {note}" for model in self.models for note in model.notes)

    def model(self, name: str) -> ModelSummary | None:
        """The model of that name, or None."""
        return next((item for item in self.models if item.name == name), None)

    def decision(self, student: str) -> GateDecision | None:
        """The gate's decision on that student, or None."""
        return next((item for item in self.decisions if item.student == student), None)

    def details_for(self, student: str) -> StudentDetails | None:
        """The details of that student, or None."""
        return next((item for item in self.details if item.student == student), None)

    def previous_for(self, student: str) -> PreviousReport | None:
        """That student beside the previous one, or None."""
        return next((item for item in self.previous if item.student == student), None)

    def examples_for(self, student: str) -> Examples | None:
        """The examples of that student, or None."""
        return next((item for item in self.examples if item.student == student), None)


def report_document(
    run: RunDirectory,
    comparison: RunComparison,
    decisions: Sequence[GateDecision] = (),
    *,
    include_text: bool = True,
    max_examples: int = 200,
    max_same: int = 40,
    router: RouterEvaluation | None = None,
    noise_floors: Sequence[NoiseFloor] = (),
    previous: Sequence[PreviousReport] = (),
) -> ReportDocument:
    """Everything a rendering may show of `run`.

    Args:
        run: the run that was compared.
        comparison: its students against its teacher.
        decisions: of the gate, for the students that were judged.
        include_text: False leaves out every input, reference and output, and every recorded
            reason or error message, since those may quote them.
        max_examples: lost samples shown of each student, and as many gained ones; which are
            drawn is settled by the run's seed.
        max_same: the same of samples that both got right, and that both got wrong.
        router: an evaluation of a router on this run.
        noise_floors: of models of this run.
        previous: students beside the one before them.
    """
    students = tuple(bounded(item, comparison.metrics) for item in comparison.students)
    if not include_text:
        students = tuple(_without_reasons(student) for student in students)
    return ReportDocument(
        name=comparison.name,
        header=comparison.header,
        confidence=comparison.confidence,
        limit=run.manifest.limit,
        text_included=include_text,
        models=model_summaries(run),
        suites=run.manifest.suites,
        metrics=comparison.metrics,
        students=students,
        decisions=tuple(decisions),
        details=details_of(run, comparison.confidence, include_text=include_text),
        router=None if router is None else replace(router, router=Path(router.router).name),
        examples=examples_of(
            run,
            [student.student for student in students],
            include_text=include_text,
            limit=max_examples,
            same_limit=max_same,
        ),
        notes=comparison.notes,
        noise=self_noise(comparison, noise_floors),
        previous=tuple(previous),
        between=comparison.between,
        series=comparison.series,
        transfers=comparison.transfers,
        ensembles=comparison.ensembles,
        ledger=document_ledger(decisions, students, router, comparison.confidence),
    )


def _without_reasons(comparison: Comparison) -> Comparison:
    return replace(comparison, cells=tuple(_quiet(cell) for cell in comparison.cells))


def _quiet(cell: Cell) -> Cell:
    return replace(cell, missing=replace(cell.missing, reasons={}))
