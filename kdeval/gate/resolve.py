"""Which suite, slice and score each rule of a policy means in a given run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kdeval.compare.comparison import ALL, Comparison, RunComparison
from kdeval.config.yaml_file import nearest
from kdeval.errors import ConfigError, UsageError
from kdeval.gate.policy import GatePolicy, Rule
from kdeval.gate.possible import widest_difference
from kdeval.gate.quantity import is_share
from kdeval.records import Metric

__all__ = ["Target", "check_difference", "chosen_student", "resolve"]

_EACH = "each"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A rule and the place in the run where it is judged.

    Attributes:
        place: where the rule stands in the policy, for messages: "rules.2".
        suite: None, as slice and score, for what is measured over the whole run.
        score: the suite's metric whose samples count.
        metric: what the run says about that score, None when it says nothing.
        share: whether that score is a share, written in percent.
        suites_in_run: how many suites the run has: with one, words need not name it.
    """

    place: str
    rule: Rule
    suite: str | None
    slice: str | None
    score: str | None
    metric: Metric | None
    share: bool
    suites_in_run: int


def chosen_student(
    comparison: RunComparison, policy: GatePolicy, student: str | None
) -> Comparison:
    """The student to judge: the one asked for, else the policy's, else the only one.

    Raises:
        UsageError: there is none of that name, or there are several and none was named.
    """
    names = [item.student for item in comparison.students]
    name = student if student is not None else policy.student
    if name is None:
        if len(names) != 1:
            raise UsageError(
                f"the run has {len(names)} students ({', '.join(names)}): name one with "
                "--student, or with `student:` in the policy"
            )
        name = names[0]
    found = comparison.student(name)
    if found is None:
        raise UsageError(f"the run has no student {name!r}; {nearest(name, names)}")
    return found


def resolve(
    policy: GatePolicy,
    student: Comparison,
    metrics: Mapping[str, Metric],
    slices: Mapping[str, tuple[str, ...]] | None = None,
) -> tuple[Target, ...]:
    """Every rule with its place in the run; `each` and "tag=*" become one target a slice.

    Args:
        policy: the rules.
        student: the student judged.
        metrics: metric name to what its number means.
        slices: suite to its slices where the run will have more than it has now.

    Raises:
        ConfigError: listing every rule that names what the run does not have.
    """
    targets: list[Target] = []
    problems: list[str] = []
    for index, rule in enumerate(policy.rules):
        place = f"rules.{index} ({rule.metric})"
        try:
            targets.extend(_targets(place, rule, student, metrics, slices or {}))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return tuple(targets)


def _targets(
    place: str,
    rule: Rule,
    student: Comparison,
    metrics: Mapping[str, Metric],
    slices: Mapping[str, tuple[str, ...]],
) -> Iterable[Target]:
    if rule.whole_run or rule.macro:
        return [
            Target(
                place=place,
                rule=rule,
                suite=None,
                slice=None,
                score=None,
                metric=None,
                share=rule.macro,
                suites_in_run=len(student.suites),
            )
        ]
    if rule.suite == _EACH and _EACH not in student.suites:
        suites = student.suites
    else:
        suites = (_one_of(place, "suite", rule.suite, student.suites, "the run"),)
    return [
        target
        for suite in suites
        for target in _in_suite(place, rule, suite, student, metrics, slices)
    ]


def _in_suite(
    place: str,
    rule: Rule,
    suite: str,
    student: Comparison,
    metrics: Mapping[str, Metric],
    slices: Mapping[str, tuple[str, ...]],
) -> Iterable[Target]:
    cells = [cell for cell in student.cells if cell.suite == suite]
    scores = tuple(dict.fromkeys(cell.metric for cell in cells))
    if rule.metric in ("brier_difference", "log_loss_difference"):
        score = scores[0]
    else:
        first = rule.score is None and rule.suite == _EACH
        named = scores[0] if first else rule.score
        score = _one_of(place, "score", named, scores, f"suite {suite!r}")
        if rule.metric != "negative_flips":
            _check_direction(place, rule, score, metrics.get(score))
    scored = [cell for cell in cells if cell.metric == score]
    share = is_share(scored, metrics.get(score))
    valid = slices.get(suite) or tuple(cell.slice for cell in scored)
    if rule.metric in ("difference", "baseline_difference", "transfer_gap"):
        check_difference(place, rule, widest_difference(metrics.get(score), share=share))
    return [
        Target(
            place=place,
            rule=rule,
            suite=suite,
            slice=name,
            score=score,
            metric=metrics.get(score),
            share=share,
            suites_in_run=len(student.suites),
        )
        for name in _slices(place, rule.slice, valid, suite)
    ]


def check_difference(place: str, rule: Rule, widest: float | None) -> None:
    """Refuses a limit that every difference, or none, clears: points written as a whole number.

    Args:
        place: where the rule stands in the policy.
        rule: on a difference of scores.
        widest: the largest difference there can be; None where there is no largest.

    Raises:
        ConfigError: the limit is not smaller than that.
    """
    if widest is None or abs(rule.limit) < widest:
        return
    problem = f"{place}: a difference of these scores lies between {-widest:g} and {widest:g}"
    if widest == 1.0 and abs(rule.limit) < 100:
        points = f"{abs(rule.limit):g} point" + ("" if abs(rule.limit) == 1 else "s")
        problem += f": write {rule.limit / 100:g} for {points}, not {rule.limit:g}"
    else:
        problem += f", both excluded as a limit, not {rule.limit:g}"
    raise ConfigError(problem)


def _one_of(place: str, what: str, name: str | None, valid: tuple[str, ...], owner: str) -> str:
    if name is None:
        if len(valid) == 1:
            return valid[0]
        raise ConfigError(
            f"{place}: {owner} has {len(valid)} {what}s ({', '.join(valid)}): "
            f"say which with `{what}:`"
        )
    if name not in valid:
        raise ConfigError(f"{place}: {owner} has no {what} {name!r}; {nearest(name, valid)}")
    return name


def _slices(place: str, name: str, valid: tuple[str, ...], suite: str) -> tuple[str, ...]:
    if name in valid:
        return (name,)
    tags = sorted({item.partition("=")[0] for item in valid if "=" in item})
    if name == "task=*" and "task" not in tags:
        return (ALL,)
    if name == _EACH:
        found = tuple(item for item in valid if item != ALL)
        problem = f"suite {suite!r} has no slices"
    elif name.endswith("=*"):
        found = tuple(item for item in valid if item.startswith(name[:-1]))
        problem = f"suite {suite!r} has no tag {name[:-2]!r}; {nearest(name[:-2], tags)}"
    else:
        found = ()
        problem = f"suite {suite!r} has no slice {name!r}; {nearest(name, valid)}"
    if not found:
        raise ConfigError(f"{place}: {problem}")
    return found


def _check_direction(place: str, rule: Rule, score: str, metric: Metric | None) -> None:
    higher = metric is None or metric.higher_is_better
    kept = rule.metric == "retention"
    expected = "min" if higher or kept else "max"
    if rule.direction != expected:
        if kept and not higher:
            raise ConfigError(
                f"{place}: takes min, not max: of {score!r}, lower is better, and retention is "
                "then teacher / student, so that less than 1 is a loss"
            )
        better = "higher" if higher else "lower"
        raise ConfigError(
            f"{place}: takes {expected}, not {rule.direction}: of {score!r}, {better} is better"
        )
    if metric is None or rule.metric != "score":
        return
    if (metric.low is not None and rule.limit < metric.low) or (
        metric.high is not None and rule.limit > metric.high
    ):
        raise ConfigError(
            f"{place}: {rule.limit:g} is no possible {score!r}: it lies between "
            f"{metric.low:g} and {metric.high:g}"
            if metric.low is not None and metric.high is not None
            else f"{place}: {rule.limit:g} is no possible {score!r}"
        )
