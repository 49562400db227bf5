"""A fitted or evaluated router on a terminal; nothing is printed here."""

from __future__ import annotations

from collections.abc import Iterator

from kdeval_router.schema import Guarantee, RouterConfig
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kdeval.report.numbers import confidence_text, count, counted, interval_text, number
from kdeval.routing.evaluate import RouterEvaluation, TaskRow
from kdeval.routing.fit import FitSummary
from kdeval.stats.interval import Interval

__all__ = [
    "RULE_NAMES",
    "evaluation_remarks",
    "evaluation_renderables",
    "fit_renderables",
    "target_text",
]

RULE_NAMES = {
    "always_teacher": "always the teacher",
    "always_student": "always the student",
    "random": "random, at the same rate",
    "best_tasks": "best split by task (hindsight)",
    "oracle": "oracle (hindsight)",
}


def fit_renderables(summary: FitSummary) -> tuple[RenderableType, ...]:
    """The promise in a sentence, then a row a task."""
    config = summary.config
    table = _table("task", "n", "teacher", "student")
    certified = config.guarantee.certified
    table.add_column("may go to" if certified else "goes to")
    for name, task in config.tasks.items():
        evidence = task.evidence.get(task.target) or next(iter(task.evidence.values()), None)
        table.add_row(
            Text(name),
            count(task.n),
            number(None if evidence is None else evidence.teacher_score, "percent"),
            number(None if evidence is None else evidence.student_score, "percent"),
            Text(_where(task.target if certified else config.teacher, task.reason)),
        )
    lines: list[RenderableType] = [Text(line) for line in _promise(config)]
    lines.extend(Text(note) for note in summary.notes)
    if summary.unusable:
        lines.append(Text(f"{summary.unusable:,} samples left out: an error or no score."))
    return (*lines, table)


def _where(target: str, reason: str | None) -> str:
    return target if reason is None else f"{target} ({reason})"


def _promise(config: RouterConfig) -> list[str]:
    guarantee = config.guarantee
    if not guarantee.certified:
        return list(_why_not(guarantee))
    lines = [
        f"Certified: at most {number(guarantee.level, 'percent')} of requests get worse "
        f"({guarantee.risk}), with {confidence_text(guarantee.confidence)} confidence; "
        f"{number(guarantee.share, 'percent')} of them go to a student.",
        f"Bound reached: {number(guarantee.bound, 'percent')} by {guarantee.method}; "
        f"n = {guarantee.n:,}, unit: {guarantee.sampling_unit}. Assumes: "
        f"{guarantee.assumption}.",
    ]
    return lines if guarantee.note is None else [*lines, guarantee.note]


def _why_not(guarantee: Guarantee) -> Iterator[str]:
    note = guarantee.note or "nothing is certified, so everything goes to the teacher"
    yield f"{note[:1].upper()}{note[1:]}."
    if guarantee.missing is not None:
        yield (
            f"Without a single flip it takes {guarantee.n_min:,} certify units; a unit is a "
            f"{guarantee.sampling_unit}."
        )


def evaluation_renderables(result: RouterEvaluation) -> tuple[RenderableType, ...]:
    """The router beside simpler rules, then a row a task, then what to know."""
    return (
        Text(
            f"{result.n:,} unseen samples of {result.run}; {result.refused:,} refused because the "
            f"router was made from them; {result.dropped:,} without a score."
        ),
        _rules(result),
        _tasks(result),
        *(Text(line) for line in evaluation_remarks(result)),
    )


def _rules(result: RouterEvaluation) -> Table:
    table = _table("rule", "quality", "to a student", "got worse")
    table.add_row(
        Text("this router", style="bold"),
        interval_text(result.quality, "percent"),
        number(result.share, "percent"),
        number(result.lost / result.n, "percent"),
    )
    for rule in result.baselines:
        table.add_row(
            RULE_NAMES[rule.name],
            number(rule.quality, "percent"),
            number(rule.share, "percent"),
            number(rule.lost_rate, "percent"),
        )
    return table


def _tasks(result: RouterEvaluation) -> Table:
    table = _table("taken for", "may go to", "n", "to a student", "routed", "teacher", "student")
    for row in result.tasks:
        table.add_row(
            Text(row.task or "(none: unfamiliar)"),
            Text(target_text(row, result)),
            count(row.n),
            number(row.share, "percent"),
            number(row.quality, "percent"),
            number(row.teacher_quality, "percent"),
            number(row.student_quality, "percent"),
        )
    return table


def target_text(row: TaskRow, result: RouterEvaluation) -> str:
    """Who may get that task's requests: without a certificate nobody but the teacher."""
    return "the teacher" if result.level is None else row.target


def evaluation_remarks(result: RouterEvaluation) -> list[str]:
    """What to know beside the tables, a sentence each."""
    lines = [
        *_against_teacher(result),
        "Saving against always-teacher: "
        + (
            "unknown: give prices under `costs` in the configuration."
            if result.saving is None
            else f"{number(result.saving, 'percent')} of its cost."
        ),
        "Reasons: " + ", ".join(f"{reason} {n:,}" for reason, n in result.reasons.items()) + ".",
        "Taken for: the task that the router recognises in a prompt, whichever its sample is of.",
    ]
    return [*lines, *result.notes]


def _against_teacher(result: RouterEvaluation) -> list[str]:
    """What routing changes; nothing at all where it never leaves the teacher."""
    if result.level is None:
        return [
            "Everything goes to the teacher, as nothing is certified: the routed answers are the "
            "teacher's own, so nothing can get worse or better."
        ]
    return [
        f"Routed minus always-teacher: {_points(result.difference)} points; of "
        f"{counted(result.n, 'sample')} {result.lost:,} got worse, {result.gained:,} got better.",
        "Rate of getting worse, over one random sample of each of "
        f"{counted(result.lost_rate.n, result.unit)}: "
        f"{interval_text(result.lost_rate, 'percent')}; "
        f"the promise was at most {number(result.level, 'percent')} of such.",
    ]


def _points(interval: Interval) -> str:
    if interval.estimate is None:
        return "unknown"
    ends = ", ".join(
        "unknown" if end is None else f"{100 * end:+.1f}" for end in (interval.low, interval.high)
    )
    return f"{100 * interval.estimate:+.1f} [{ends}]"


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold", min_width=5)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
