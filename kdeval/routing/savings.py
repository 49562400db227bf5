"""What a routed request saves, as far as the run knows."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval_router.schema import Costs

from kdeval.cost.figures import cost_figures
from kdeval.store.run_directory import RunDirectory

__all__ = ["Savings", "known_savings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """Costs for the artefact, and per student the share saved a request, None where unknown."""

    costs: Costs
    relative: dict[str, float | None]


def known_savings(run: RunDirectory, students: tuple[str, ...], confidence: float) -> Savings:
    """Savings in cost; where no cost is known, in the latency that the run's probe measured."""
    teacher_usd: float | None = None
    students_usd: dict[str, float | None] = {}
    relative: dict[str, float | None] = {}
    bases: list[str] = []
    for student in students:
        figures = cost_figures(run, student, confidence)
        students_usd[student] = None if figures is None else figures.student_usd
        relative[student] = _relative(figures.teacher_usd, figures.student_usd) if figures else None
        if figures is not None:
            teacher_usd = figures.teacher_usd if teacher_usd is None else teacher_usd
            if figures.basis not in bases:
                bases.append(figures.basis)
    if all(saving is None for saving in relative.values()):
        seconds = _median_seconds(run)
        teacher_s = seconds.get(run.manifest.teacher.name)
        relative = {name: _relative(teacher_s, seconds.get(name)) for name in students}
        if any(saving is not None for saving in relative.values()):
            bases.append("targets chosen by the probe's median latency, as costs are unknown")
    return Savings(
        costs=Costs(
            teacher_usd=teacher_usd,
            students_usd=students_usd,
            basis="; ".join(bases) or "unknown",
        ),
        relative=relative,
    )


def _relative(teacher: float | None, student: float | None) -> float | None:
    if teacher is None or student is None or teacher <= 0:
        return None
    return 1.0 - student / teacher


def _median_seconds(run: RunDirectory) -> dict[str, float]:
    table = run.latencies()
    if table is None:
        return {}
    return {
        str(name): float(value)
        for name, value in table.groupby("model")["seconds"].median().items()
    }
