"""What relates the models of a run to one another, beyond each student and its teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kdeval.stats.interval import Interval

__all__ = [
    "Axis",
    "BestCheckpoint",
    "ChainFigures",
    "CheckpointFigures",
    "CheckpointPoint",
    "Domination",
    "Forgetting",
    "LabelFigures",
    "LadderFigures",
    "Rung",
    "SeriesFigures",
    "Stage",
    "Standings",
    "Step",
    "StudentPair",
]

Axis = Literal["score", "cost", "latency"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentPair:
    """Two students on the samples that both answered.

    Attributes:
        difference: mean score of the first minus that of the second, paired.
        simultaneous: the same at the confidence at which all pairs' intervals hold together.
        only_first: samples that only the first got right; None unless scores are right or wrong.
        only_second: samples that only the second got right.
        better: the one that is shown to be better, by Holm's procedure over all pairs; None: the
            two are not separated.
    """

    first: str
    second: str
    n: int
    difference: Interval
    simultaneous: Interval
    only_first: int | None
    only_second: int | None
    better: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Domination:
    """A student that another matches or beats on everything known of all, and beats on something.

    Attributes:
        shown: every axis is shown, not only estimated: the score by its simultaneous interval, a
            cost or latency by equal fixed prices or by intervals that do not touch.
    """

    student: str
    by: str
    shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """All students on one suite by one metric.

    Attributes:
        best: the student that is shown to be better than every other one; None: not separated.
        leader: the one with the highest estimate, which is partly luck.
        axes: what is known of every student, and so counts for domination.
        reason: why there are no pairs.
    """

    suite: str
    metric: str
    students: tuple[str, ...]
    pairs: tuple[StudentPair, ...]
    leader: str | None
    best: str | None
    axes: tuple[Axis, ...]
    dominated: tuple[Domination, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From one model to another on the samples that every member of the series answered.

    Attributes:
        difference: mean score of `target` minus that of `source`.
        retention: score of `target` over that of `source`.
        lost: samples that only `source` got right; None unless scores are right or wrong.
        gained: samples that only `target` got right.
        changed: share of samples on which the output changed; None where outputs are unknown.
    """

    source: str
    target: str
    difference: Interval
    retention: Interval
    lost: int | None
    gained: int | None
    changed: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointPoint:
    """One checkpoint: its score, on the samples that every checkpoint answered."""

    member: str
    step: float
    score: Interval
    retention: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class BestCheckpoint:
    """Which checkpoint is best. The best of several on the same samples looks better than it is.

    Attributes:
        on_all: the one with the best score on all samples; None without any.
        selected: the one with the best score on one half of the samples (clusters stay whole).
        score: of the selected one, on the other half: free of the choice.
        against_last: its score minus the last checkpoint's, on the other half; None when the last
            one was selected.
        reason: why nothing was selected.
    """

    on_all: str | None
    selected: str | None
    score: Interval | None
    against_last: Interval | None
    n_selection: int
    n_estimation: int
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """Samples of one slice that were right at an earlier checkpoint and are wrong at the last.

    Attributes:
        n: samples that every checkpoint answered.
        once_right: right at some checkpoint before the last.
        forgotten: those of them that are wrong at the last.
        share: forgotten / once_right.
        learned: wrong at the first checkpoint, right at the last.
        events: changes from right to wrong between one checkpoint and the next (Toneva et al.
            2019, arXiv 1812.05159).
        never_forgotten: right at some checkpoint, and at every later one.
    """

    slice: str
    n: int
    once_right: int
    forgotten: int
    share: Interval
    learned: int
    events: int
    never_forgotten: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFigures:
    """The checkpoints of one student on one suite by one metric.

    Attributes:
        n_missing: samples left out because some checkpoint or the teacher has no score there.
        forgetting: the whole suite first, then its slices; empty unless scores are right or wrong.
    """

    suite: str
    metric: str
    n: int
    n_missing: int
    points: tuple[CheckpointPoint, ...]
    best: BestCheckpoint
    forgetting: tuple[Forgetting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One distillation of a chain, and everything up to it."""

    step: Step
    from_first: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFigures:
    """Teacher -> middle -> student on one suite by one metric.

    Attributes:
        product: the stages' retentions multiplied; equal to the last cumulative retention, because
            all are taken on the same samples. None where a stage has none.
    """

    suite: str
    metric: str
    n: int
    n_missing: int
    stages: tuple[Stage, ...]
    product: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One variant of a ladder.

    Attributes:
        from_previous: None for the first one.
        from_first: None for the first one.
        latency_s: median seconds a request.
    """

    member: str
    score: Interval
    from_previous: Step | None
    from_first: Step | None
    parameters: int | None
    bytes_on_disk: int | None
    dtype: str | None
    latency_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderFigures:
    """Variants of one model on one suite by one metric."""

    suite: str
    metric: str
    n: int
    n_missing: int
    rungs: tuple[Rung, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """A student trained on hard labels beside one trained on soft labels; soft minus hard.

    Attributes:
        difference: of the scores.
        brier: of the Brier scores; below zero, soft labels are the better calibrated.
        log_loss: of the log-losses.
        agreement: of the shares of samples with the teacher's output.
        kl: of the divergences from the teacher, KL(teacher ‖ student) in nats; below zero, soft
            labels follow the teacher more closely.
    """

    suite: str
    metric: str
    n: int
    n_missing: int
    difference: Interval
    brier: Interval | None
    log_loss: Interval | None
    agreement: Interval | None
    kl: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFigures:
    """A series of the configuration, with the figures of its kind."""

    name: str
    kind: Literal["checkpoints", "chain", "ladder", "labels"]
    members: tuple[str, ...]
    checkpoints: tuple[CheckpointFigures, ...] = ()
    chain: tuple[ChainFigures, ...] = ()
    ladder: tuple[LadderFigures, ...] = ()
    labels: tuple[LabelFigures, ...] = ()
