"""The figures that are means over samples: scores, differences, losses of probabilities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kdeval.compare.comparison import ALL, Cell
from kdeval.compare.selection import Selection, selection_of
from kdeval.compare.set_scores import retention_of_means
from kdeval.errors import ConfigError
from kdeval.gate.baseline import Baseline, BaselinePairing, BaselineScores, pair
from kdeval.gate.measurement import FloatArray, IntArray, Judged, Measurement
from kdeval.gate.quantity import counted, left_out_words
from kdeval.gate.resolve import Target, check_difference
from kdeval.gate.rules.sets import set_interval
from kdeval.records import Metric
from kdeval.stats.interval import Interval, one_sided, unknown
from kdeval.stats.means.paired import mean, paired_difference, retention
from kdeval.stats.moments import Limits, is_binary
from kdeval.stats.planning.power import zero_flip_floor

__all__ = [
    "measure_baseline_difference",
    "measure_brier_difference",
    "measure_difference",
    "measure_log_loss_difference",
    "measure_retention",
    "measure_score",
    "paired_with_baseline",
]


def measure_retention(judged: Judged, target: Target, level: float) -> Measurement:
    """Student / teacher, refused where the comparison refused it: a teacher at chance."""
    chosen = _selection(judged, target)
    cell = judged.comparison.cell(
        suite=str(target.suite), metric=str(target.score), slice=str(target.slice)
    )
    metric = target.metric or Metric(name=str(target.score))
    chance = _chance(target, metric, chosen, cell)
    if chosen.statistics is not None:
        interval = set_interval(judged, target, chosen, level)
    elif chance:
        interval = retention(
            chosen.teacher,
            chosen.student,
            clusters=chosen.clusters,
            confidence=one_sided(level),
            chance=chance,
            limits=(metric.low, metric.high),
        )
    else:
        interval = retention_of_means(chosen, metric, one_sided(level))
    if cell is not None and cell.retention.estimate is None:
        interval = replace(
            interval, estimate=None, low=None, high=None, reason=cell.retention.reason
        )
    if chosen.statistics is not None:
        return _on_scores(target, chosen, interval, None)
    limit = target.rule.limit
    if not metric.higher_is_better:
        measured = _on_scores(target, chosen, interval, chosen.teacher - limit * chosen.student)
        return replace(measured, scores=(chosen.student, chosen.teacher))
    floor = None
    if interval.estimate is not None and limit < 1 and _binary(chosen):
        floor = zero_flip_floor(limit, float(chosen.teacher.mean()), level=level, chance=chance)
    margins = (chosen.student - chance) - limit * (chosen.teacher - chance)
    measured = _on_scores(target, chosen, interval, margins, floor)
    return replace(measured, scores=(chosen.teacher, chosen.student), chance=chance)


def _chance(target: Target, metric: Metric, chosen: Selection, cell: Cell | None) -> float:
    """What is taken off both scores: 0, or the score of guessing for a rule above chance."""
    if not target.rule.above_chance:
        return 0.0
    if not metric.higher_is_better or chosen.statistics is not None:
        raise ConfigError(
            f"{target.place}: above_chance needs a mean of scores of which higher is better, which "
            f"{metric.name!r} is not"
        )
    if cell is None or cell.chance is None:
        raise ConfigError(
            f"{target.place}: the score of guessing is not known for {metric.name!r} on "
            f"{target.suite!r}: labels, choices or the scorer must tell it"
        )
    return cell.chance


def measure_difference(judged: Judged, target: Target, level: float) -> Measurement:
    """Student minus teacher."""
    chosen = _selection(judged, target)
    if chosen.statistics is not None:
        return _on_scores(target, chosen, set_interval(judged, target, chosen, level), None)
    _check_unit(target, chosen.teacher, chosen.student)
    interval = paired_difference(
        chosen.teacher,
        chosen.student,
        clusters=chosen.clusters,
        confidence=one_sided(level),
        limits=_limits(target),
    )
    margins = chosen.student - chosen.teacher - target.rule.limit
    return _on_scores(target, chosen, interval, margins)


def measure_score(judged: Judged, target: Target, level: float) -> Measurement:
    """The student's own score."""
    chosen = _selection(judged, target)
    if chosen.statistics is not None:
        return _on_scores(target, chosen, set_interval(judged, target, chosen, level), None)
    interval = mean(
        chosen.student,
        clusters=chosen.clusters,
        confidence=one_sided(level),
        limits=_limits(target),
    )
    return _on_scores(target, chosen, interval, chosen.student - target.rule.limit)


def measure_baseline_difference(judged: Judged, target: Target, level: float) -> Measurement:
    """Student minus the baseline student, on the samples that did not change since."""
    chosen, found, clusters, remarks = paired_with_baseline(judged, target)
    student = chosen.student[found.rows]
    _check_unit(target, found.scores, student)
    return Measurement(
        interval=paired_difference(
            found.scores,
            student,
            clusters=clusters,
            confidence=one_sided(level),
            limits=_limits(target),
        ),
        margins=_towards(target, student - found.scores - target.rule.limit),
        clusters=clusters,
        left_out=chosen.n_missing + found.left_out,
        remarks=remarks,
    )


def paired_with_baseline(
    judged: Judged, target: Target
) -> tuple[Selection, BaselinePairing, IntArray | None, tuple[str, ...]]:
    """The run's pairs, those of them that the baseline scored too, their clusters, remarks.

    Raises:
        ConfigError: there is no baseline, or it does not have these samples.
    """
    baseline = judged.baseline
    if baseline is None:
        raise ConfigError(
            f"{target.place}: no baseline was given: name a run or a baseline file with --baseline"
        )
    chosen = _selection(judged, target)
    if chosen.statistics is not None:
        raise ConfigError(
            f"{target.place}: {target.score!r} is no mean over samples, and a baseline keeps the "
            "scores of samples alone: use difference or score"
        )
    scores = _baseline_scores(judged, target, baseline)
    found = pair(scores, chosen.ids.tolist(), chosen.content_hashes.tolist())
    found = replace(found, gone=_gone(judged, target, scores))
    if chosen.n and not len(found.rows):
        raise ConfigError(
            f"{target.place}: no sample of {target.suite!r}, {target.slice}, is in the baseline "
            f"{baseline.name!r} with the same content ({found.changed:,} changed, "
            f"{found.absent:,} absent): it was made from other samples"
        )
    clusters = None if chosen.clusters is None else chosen.clusters[found.rows]
    remarks = _baseline_remarks(chosen, found, _namesake_remark(judged, baseline))
    return chosen, found, clusters, remarks


def _gone(judged: Judged, target: Target, scores: BaselineScores) -> int:
    """Samples of the baseline that the suite has no more.

    Told of the whole suite only: nothing says in which slices they were. A run of a part of its
    suites (a limit, looks) lacks samples that nobody took out.
    """
    partial = judged.run.manifest.limit is not None or judged.run.looks() is not None
    if partial or target.slice != ALL:
        return 0
    table = judged.tables[judged.student, str(target.suite), str(target.score)]
    return len(set(scores.ids) - set(table.frame["sample_id"].astype(str)))


def _baseline_scores(judged: Judged, target: Target, baseline: Baseline) -> BaselineScores:
    name = baseline.student_for(judged.student)
    scores = baseline.suites.get(str(target.suite), {}).get(str(target.score), {}).get(name)
    if scores is None:
        raise ConfigError(
            f"{target.place}: the baseline {baseline.name!r} has no {target.score!r} scores of "
            f"{name!r} on suite {target.suite!r}"
        )
    return scores


def _namesake_remark(judged: Judged, baseline: Baseline) -> tuple[str, ...]:
    name = baseline.student_for(judged.student)
    if name == judged.student:
        return ()
    return (f"the baseline is the student {name!r} of {baseline.name!r}",)


def _baseline_remarks(
    chosen: Selection, found: BaselinePairing, named: tuple[str, ...]
) -> tuple[str, ...]:
    remarks = [*named, *_missing_remarks(chosen)]
    for count, why in (
        (found.changed, "changed since the baseline"),
        (found.absent, "without a score in the baseline"),
        (found.gone, "scored by the baseline and no longer in the suite"),
    ):
        if count:
            remarks.append(f"{counted(count, 'sample')} left out, {why}")
    return tuple(remarks)


def measure_brier_difference(judged: Judged, target: Target, level: float) -> Measurement:
    """Student's minus teacher's Brier score."""
    chosen = _selection(judged, target)
    return _on_losses(target, chosen, chosen.teacher_brier, chosen.student_brier, level, 1.0)


def measure_log_loss_difference(judged: Judged, target: Target, level: float) -> Measurement:
    """Student's minus teacher's log-loss; unknown where one of them is infinite."""
    chosen = _selection(judged, target)
    return _on_losses(target, chosen, chosen.teacher_log_loss, chosen.student_log_loss, level, None)


def _check_unit(target: Target, before: FloatArray, after: FloatArray) -> None:
    """Scores without a declared maximum that all lie in [0, 1] are taken for shares, too."""
    if not len(after) or (target.metric is not None and target.metric.high is not None):
        return
    scores = np.concatenate([before, after])
    if scores.min() >= 0 and scores.max() <= 1:
        check_difference(target.place, target.rule, 1.0)


def _limits(target: Target) -> Limits | None:
    """Where the metric says that a score lies; never what was seen, where it says anything."""
    return None if target.metric is None else (target.metric.low, target.metric.high)


def _selection(judged: Judged, target: Target) -> Selection:
    table = judged.tables.get((judged.student, str(target.suite), str(target.score)))
    if table is None or target.slice is None or target.slice not in table.slices:
        raise ConfigError(
            f"{target.place}: the run has no pairs of {judged.student!r} on {target.suite!r}, "
            f"{target.slice}"
        )
    return selection_of(table, target.slice)


def _on_scores(
    target: Target,
    chosen: Selection,
    interval: Interval,
    margins: FloatArray | None,
    floor: int | None = None,
) -> Measurement:
    return Measurement(
        interval=interval,
        margins=None if margins is None else _towards(target, margins),
        clusters=chosen.clusters,
        left_out=chosen.n_missing,
        floor=floor,
        remarks=_missing_remarks(chosen),
    )


def _on_losses(
    target: Target,
    chosen: Selection,
    teacher: FloatArray | None,
    student: FloatArray | None,
    level: float,
    most: float | None,
) -> Measurement:
    if teacher is None or student is None:
        raise ConfigError(
            f"{target.place}: no sample of {target.suite!r}, {target.slice}, has probabilities of "
            "both models beside a reference"
        )
    left_out = chosen.n_missing + chosen.n - len(teacher)
    remark = f"{counted(left_out, 'sample')} left out, without probabilities of both models"
    interval = _loss_difference(chosen, teacher, student, level, most)
    margins = None
    if interval.estimate is not None:
        margins = _towards(target, student - teacher - target.rule.limit)
    return Measurement(
        interval=interval,
        margins=margins,
        clusters=chosen.probability_clusters,
        left_out=left_out,
        remarks=(remark,) if left_out else (),
    )


def _loss_difference(
    chosen: Selection, teacher: FloatArray, student: FloatArray, level: float, most: float | None
) -> Interval:
    confidence = one_sided(level)
    infinite = int((~(np.isfinite(teacher) & np.isfinite(student))).sum())
    if infinite:
        said = counted(infinite, "reference")
        reason = f"{said} at probability 0, so the log-loss is infinite: use brier_difference"
        return unknown(reason, confidence=confidence, method="paired difference", n=len(teacher))
    return paired_difference(
        teacher,
        student,
        clusters=chosen.probability_clusters,
        confidence=confidence,
        limits=(0.0, most),
    )


def _towards(target: Target, above_limit: FloatArray) -> FloatArray:
    return above_limit if target.rule.direction == "min" else -above_limit


def _binary(chosen: Selection) -> bool:
    return is_binary(chosen.teacher) and is_binary(chosen.student)


def _missing_remarks(chosen: Selection) -> tuple[str, ...]:
    missing = chosen.missing
    if not missing.total:
        return ()
    said = left_out_words(missing, zeros=False)
    return (f"{counted(missing.total, 'sample')} left out ({said})",)
