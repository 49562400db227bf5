"""Checkpoints, chains, ladders and kinds of labels, in words and tables."""

from __future__ import annotations

from kdeval.compare.figures.relations import (
    ChainFigures,
    CheckpointFigures,
    LabelFigures,
    LadderFigures,
    SeriesFigures,
    Step,
)
from kdeval.gate.quantity import Unit
from kdeval.report.document import ReportDocument
from kdeval.report.numbers import (
    UNKNOWN,
    bytes_text,
    count,
    counted,
    interval_text,
    number,
    seconds_text,
)
from kdeval.report.related.layout import Curve, Part, Section, TextTable, units
from kdeval.stats.interval import Interval

__all__ = ["series_section"]

_LEAD = (
    "Models of the run in an order that means something. Each table is on the samples that every "
    "member answered."
)
_KINDS = {
    "checkpoints": "checkpoints",
    "chain": "chain of distillations",
    "ladder": "ladder of variants",
    "labels": "hard and soft labels",
}


def series_section(document: ReportDocument) -> Section | None:
    """None where the run has no series."""
    if not document.series:
        return None
    return Section(
        anchor="series",
        title="Series",
        lead=_LEAD,
        parts=tuple(part for found in document.series for part in _parts(document, found)),
    )


def _parts(document: ReportDocument, found: SeriesFigures) -> tuple[Part, ...]:
    name = f"{found.name}, {_KINDS[found.kind]}"
    parts = (
        *(_checkpoints(document, name, item) for item in found.checkpoints),
        *(_chain(document, name, item) for item in found.chain),
        *(_ladder(document, name, item) for item in found.ladder),
        *(_labels(document, name, found.members, item) for item in found.labels),
    )
    if parts:
        return parts
    return (Part(title=name, sentences=("No suite has a mean score of each member.",), tables=()),)


def _title(name: str, item: CheckpointFigures | ChainFigures | LadderFigures | LabelFigures) -> str:
    left = f", {count(item.n_missing)} left out" if item.n_missing else ""
    return f"{name}: {item.suite}, {item.metric}, {counted(item.n, 'sample')}{left}"


def _checkpoints(document: ReportDocument, name: str, item: CheckpointFigures) -> Part:
    unit, points = units(document, [item.suite], item.metric)
    curve = TextTable(
        title="The curve",
        header=("checkpoint", "step", "score", "retention"),
        rows=tuple(
            (
                point.member,
                f"{point.step:,g}",
                interval_text(point.score, unit),
                interval_text(point.retention, "percent"),
            )
            for point in item.points
        ),
    )
    return Part(
        title=_title(name, item),
        sentences=(_best(item, unit, points), *_forgot(item)),
        tables=(curve, *_forgetting(item)),
        curve=Curve(points=item.points, unit=unit, title=f"{name}: {item.suite}, {item.metric}"),
    )


def _best(item: CheckpointFigures, unit: Unit, points: Unit) -> str:
    best = item.best
    if best.selected is None or best.score is None:
        leader = "" if best.on_all is None else f" {best.on_all} has the highest score"
        return f"Which checkpoint is best is not judged: {best.reason}.{leader}" + (
            "; the highest of several is partly luck." if leader else ""
        )
    sentence = (
        f"Chosen on one half of the samples, {best.selected} scores "
        f"{interval_text(best.score, unit)} on the other half, which had no say."
    )
    if best.against_last is not None:
        sentence += f" Against the last checkpoint: {interval_text(best.against_last, points)}."
    else:
        sentence += " It is the last checkpoint."
    if best.on_all != best.selected:
        sentence += (
            f" On all samples {best.on_all} has the highest score, but the highest of "
            f"{len(item.points)} on the same samples looks better than it is."
        )
    return sentence


def _forgot(item: CheckpointFigures) -> tuple[str, ...]:
    if not item.forgetting:
        return ()
    whole = item.forgetting[0]
    return (
        f"Forgotten: of {counted(whole.once_right, 'sample')} that some earlier checkpoint got "
        f"right, the last gets {count(whole.forgotten)} wrong "
        f"({interval_text(whole.share, 'percent')}). {counted(whole.events, 'change')} from right "
        f"to wrong along the way; {counted(whole.never_forgotten, 'sample')} once right stayed "
        "right.",
    )


def _forgetting(item: CheckpointFigures) -> tuple[TextTable, ...]:
    if len(item.forgetting) < 2:
        return ()
    return (
        TextTable(
            title="Forgotten by slice",
            header=("slice", "n", "once right", "forgotten", "share", "learned", "changes"),
            rows=tuple(
                (
                    found.slice,
                    count(found.n),
                    count(found.once_right),
                    count(found.forgotten),
                    interval_text(found.share, "percent"),
                    count(found.learned),
                    count(found.events),
                )
                for found in item.forgetting
            ),
            detail=True,
        ),
    )


def _chain(document: ReportDocument, name: str, item: ChainFigures) -> Part:
    _, points = units(document, [item.suite], item.metric)
    rows = tuple(
        (
            f"{stage.step.source} → {stage.step.target}",
            interval_text(stage.step.retention, "percent"),
            _plain(stage.step.difference, points),
            _flips(stage.step),
            interval_text(stage.from_first.retention, "percent"),
        )
        for stage in item.stages
    )
    sentence = "The product of the stages is not known: a stage has no retention."
    if item.product is not None:
        parts = " × ".join(number(s.step.retention.estimate, "percent") for s in item.stages)
        sentence = f"{parts} = {number(item.product, 'percent')} of the first model's score."
    return Part(
        title=_title(name, item),
        sentences=(sentence,),
        tables=(
            TextTable(
                title="Stage by stage",
                header=(
                    "stage", "retention", _in(points, "difference"), "lost / gained",
                    "retention so far",
                ),
                rows=rows,
            ),
        ),
    )  # fmt: skip


def _ladder(document: ReportDocument, name: str, item: LadderFigures) -> Part:
    unit, points = units(document, [item.suite], item.metric)
    rows = []
    for rung in item.rungs:
        previous, first = rung.from_previous, rung.from_first
        rows.append(
            (
                rung.member,
                interval_text(rung.score, unit),
                UNKNOWN if previous is None else _plain(previous.difference, points),
                _flips(previous),
                _changed(previous),
                UNKNOWN if first is None else _plain(first.difference, points),
                _flips(first),
                _changed(first),
                bytes_text(rung.bytes_on_disk),
                seconds_text(rung.latency_s),
            )
        )
    before, start = "from the rung before", "from the first"
    return Part(
        title=_title(name, item),
        sentences=(_flipped(item),),
        tables=(
            TextTable(
                title="Rung by rung: what changes, also where the score does not",
                header=(
                    "variant", "score", _in(points, before), "lost / gained", "outputs changed",
                    _in(points, start), "lost / gained", "outputs changed", "on disk", "p50",
                ),
                rows=tuple(rows),
            ),
        ),
    )  # fmt: skip


def _flipped(item: LadderFigures) -> str:
    last = item.rungs[-1].from_first
    if last is None or last.lost is None or last.gained is None:
        return "Flips are counted where scores are right or wrong."
    return (
        f"From {last.source} to {last.target} {counted(last.lost, 'sample')} turned wrong and "
        f"{counted(last.gained, 'sample')} right: a score that stays the same can hide both."
    )


def _labels(
    document: ReportDocument, name: str, members: tuple[str, ...], item: LabelFigures
) -> Part:
    _, points = units(document, [item.suite], item.metric)
    hard, soft = members
    figures: tuple[tuple[str, Interval | None, Unit, str], ...] = (
        ("score", item.difference, points, "above 0: soft labels help"),
        ("Brier score", item.brier, "signed", "below 0: better calibrated on soft labels"),
        ("log-loss, nats", item.log_loss, "signed", "below 0: better calibrated on soft labels"),
        ("agreement with the teacher", item.agreement, "points", "above 0: follows it more often"),
        ("KL(teacher ‖ student), nats", item.kl, "signed", "below 0: follows it more closely"),
    )
    return Part(
        title=_title(name, item),
        sentences=(
            f"{soft} (soft labels) minus {hard} (hard labels), paired: score "
            f"{_known(item.difference, points)}.",
        ),
        tables=(
            TextTable(
                title="Soft minus hard",
                header=("figure", "how to read it", "difference"),
                words=2,
                rows=tuple(
                    (what, words, _known(found, unit)) for what, found, unit, words in figures
                ),
            ),
        ),
    )


def _known(found: Interval | None, unit: Unit) -> str:
    if found is None:
        return "unknown of one of them"
    if found.estimate is None:
        return found.reason or UNKNOWN
    return interval_text(found, unit)


def _flips(found: Step | None) -> str:
    if found is None or found.lost is None:
        return UNKNOWN
    return f"{count(found.lost)} / {count(found.gained)}"


def _changed(found: Step | None) -> str:
    if found is None or found.changed is None:
        return UNKNOWN
    return number(found.changed.estimate, "percent")


def _plain(found: Interval, unit: Unit) -> str:
    return interval_text(found, unit).replace(" points", "")


def _in(unit: Unit, words: str) -> str:
    return f"{words}, points" if unit == "points" else words
