"""The comparison of one student with its teacher: what reports print and the gate judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kdeval.compare.figures.ensembles import EnsembleFigures
from kdeval.compare.figures.overall import Overall
from kdeval.compare.figures.relations import SeriesFigures, Standings
from kdeval.compare.figures.transfer import Transfer
from kdeval.cost.figures import CostFigures
from kdeval.latency.figures import LatencyFigures
from kdeval.latency.token_times import TokenTimes
from kdeval.latency.tokens import TokenFigures
from kdeval.records import Metric, RunHeader
from kdeval.stats.interval import Interval
from kdeval.stats.means.flips import FlipTable

__all__ = [
    "ALL",
    "Calibration",
    "Cell",
    "Comparison",
    "Missing",
    "ModelCalibration",
    "RunComparison",
]

ALL = "all"
"""Name of the slice that holds every sample of a suite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Samples left out of both sides of a cell, by reason.

    Attributes:
        teacher_errors: the teacher gave a recorded error.
        student_errors: the student did.
        both_errors: both did; these samples are among the teacher's and the student's errors.
        unscored: both answered, but a scorer could not mark one of them.
        reasons: the reasons as recorded, with their counts, most frequent first (at most ten).
    """

    teacher_errors: int
    student_errors: int
    unscored: int
    reasons: Mapping[str, int]
    both_errors: int = 0

    @property
    def total(self) -> int:
        """All samples left out, each once."""
        return self.teacher_errors + self.student_errors - self.both_errors + self.unscored


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCalibration:
    """How far one model's probabilities can be believed; lower is better everywhere.

    Attributes:
        ece: expected calibration error, 15 equal-mass bins.
        ece_null: mean ECE of a perfectly calibrated model at this n: ECE is biased upwards.
        ece_p_value: share of such models with an ECE at least this large.
        brier: multi-class Brier score halved, in [0, 1].
        log_loss: mean negative log-probability of the reference, in nats; None where some
            reference had probability zero (see `infinite_log_losses`).
        temperature: fitted on the calibration half, None when that half is too small.
        ece_scaled: ECE on the other half after temperature scaling.
        ece_unscaled: ECE on that same other half before it.
        log_loss_scaled: log-loss on the other half after temperature scaling.
        log_loss_unscaled: log-loss on the other half before it.
    """

    n: int
    accuracy: float | None
    mean_confidence: float | None
    ece: float | None
    ece_equal_width: float | None
    ece_null: float | None
    ece_p_value: float | None
    brier: float | None
    log_loss: float | None
    infinite_log_losses: int
    temperature: float | None = None
    n_temperature: int = 0
    n_scaled: int = 0
    ece_scaled: float | None = None
    ece_unscaled: float | None = None
    log_loss_scaled: float | None = None
    log_loss_unscaled: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Calibration of both models on the samples where both gave probabilities.

    Attributes:
        brier_difference: student's minus teacher's Brier score, paired; positive is worse.
        reason: why a side is None.
    """

    teacher: ModelCalibration | None
    student: ModelCalibration | None
    brier_difference: Interval | None
    log_loss_difference: Interval | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One student, one suite, one metric, one slice.

    Attributes:
        n: pairs that count.
        clusters: independent units among them, None when every sample is its own.
        majority: score of always giving the most frequent reference label; None without labels.
        chance: score of guessing evenly among the labels or choices.
        retention: student score / teacher score; estimate None, with the reason, where the
            teacher is not above chance.
        difference: student score minus teacher score.
        retention_above_chance: the same ratio after taking `chance` off both scores; None where
            no chance is known.
        flips: only for right-or-wrong scores.
        both_wrong_same: of the samples both got wrong, those with the same output.
        agreement: share of samples on which both gave the same output.
        repeats_teacher_error: P(student gives the teacher's wrong output | teacher wrong).
        repeats_by_chance: the same if the student's errors, given the reference, knew nothing of
            the teacher's; None where no other sample has that reference.
    """

    suite: str
    metric: str
    slice: str
    n: int
    missing: Missing
    clusters: int | None
    teacher_score: Interval
    student_score: Interval
    majority: float | None
    chance: float | None
    retention: Interval
    difference: Interval
    flips: FlipTable | None
    both_wrong_same: int | None
    agreement: Interval | None
    kappa: float | None
    repeats_teacher_error: Interval | None
    calibration: Calibration | None
    repeats_by_chance: float | None = None
    retention_above_chance: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One student against the teacher.

    Attributes:
        error_share: share of the student's requests that ended in a recorded error.
        teacher_error_share: the same of the teacher.
        overall: averages over the tasks of the run; None where fewer than two can be averaged.
        tokens: what both read and wrote; None where no model counts its tokens.
        token_times: time to the first token and between tokens; None where neither is known.
    """

    teacher: str
    student: str
    cells: tuple[Cell, ...]
    latency: LatencyFigures | None
    cost: CostFigures | None
    error_share: float
    teacher_error_share: float
    requests: int
    tokens: TokenFigures | None = None
    token_times: TokenTimes | None = None
    overall: Overall | None = None

    def cell(self, *, suite: str, metric: str, slice: str = ALL) -> Cell | None:
        """The cell of that name, or None."""
        for cell in self.cells:
            if (cell.suite, cell.metric, cell.slice) == (suite, metric, slice):
                return cell
        return None

    @property
    def wholes(self) -> tuple[Cell, ...]:
        """Cells of whole suites: every suite by its first metric, then by the others."""
        wholes = [cell for cell in self.cells if cell.slice == ALL]
        firsts = {cell.suite: cell for cell in reversed(wholes)}
        return tuple(sorted(wholes, key=lambda cell: firsts[cell.suite] is not cell))

    @property
    def suites(self) -> tuple[str, ...]:
        """Suite names in their order."""
        return tuple(dict.fromkeys(cell.suite for cell in self.cells))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Every student of a run against its teacher.

    Attributes:
        confidence: two-sided confidence of every interval in it.
        metrics: metric name to what its number means.
        notes: what a reader must know before trusting the numbers (limits, assumptions).
        between: the students against each other, where there are several.
        series: checkpoints, chains, ladders and label kinds, as configured.
        transfers: benchmark suites beside production suites, where suites have those roles.
        ensembles: each ensemble beside its members.
    """

    name: str
    header: RunHeader
    confidence: float
    metrics: Mapping[str, Metric]
    students: tuple[Comparison, ...]
    notes: tuple[str, ...]
    between: tuple[Standings, ...] = ()
    series: tuple[SeriesFigures, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    ensembles: tuple[EnsembleFigures, ...] = ()

    def student(self, name: str) -> Comparison | None:
        """The comparison of that student, or None."""
        return next((item for item in self.students if item.student == name), None)
