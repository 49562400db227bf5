"""Which suites of a run a router can be fitted and judged on, and on which metric of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kdeval.errors import RoutingError
from kdeval.store.run_directory import RunDirectory, SuiteEntry

__all__ = ["RoutedSuites", "choose_suites", "suites_of_router"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedSuites:
    """Suites of a run, and what was left out.

    Attributes:
        metrics: suite to the metric whose scores count.
        left_out: suite to the reason; empty where the caller named the suites.
    """

    metrics: Mapping[str, str]
    left_out: Mapping[str, str]

    @property
    def notes(self) -> tuple[str, ...]:
        """One that names the suites left out, or none."""
        if not self.left_out:
            return ()
        named = "; ".join(f"{name} ({reason})" for name, reason in self.left_out.items())
        return (f"Suites left out: {named}. --suite names those that count.",)


def choose_suites(
    run: RunDirectory, *, metric: str | None = None, suites: Sequence[str] = ()
) -> RoutedSuites:
    """The suites to route on.

    Args:
        run: a finished run.
        metric: the metric of every suite; None takes each suite's first.
        suites: their names; none: all whose metric can be certified.

    Raises:
        RoutingError: an unknown suite, a suite in `suites` without such a metric, or none left.
    """
    return _chosen(run, _named(run, suites), lambda _: metric, explicit=bool(suites))


def suites_of_router(
    run: RunDirectory, metrics: Mapping[str, str], *, suites: Sequence[str] = ()
) -> RoutedSuites:
    """The suites that a router is judged on.

    Args:
        run: a finished run.
        metrics: suite to metric, as the router was fitted on them.
        suites: their names; none: those it was fitted on, or all where `run` has none of these.

    Raises:
        RoutingError: as `choose_suites`.
    """
    common = next(iter(metrics.values())) if len(set(metrics.values())) == 1 else None
    wanted = _named(run, suites)
    known = [suite for suite in wanted if suite.name in metrics]
    foreign: dict[str, str] = {}
    if known and not suites:
        foreign = {
            suite.name: "the router was not fitted on it" for suite in wanted if suite not in known
        }
        wanted = known
    found = _chosen(run, wanted, lambda suite: metrics.get(suite, common), explicit=bool(suites))
    return RoutedSuites(metrics=found.metrics, left_out={**foreign, **found.left_out})


def _named(run: RunDirectory, suites: Sequence[str]) -> list[SuiteEntry]:
    known = {suite.name: suite for suite in run.manifest.suites}
    unknown = [name for name in suites if name not in known]
    if unknown:
        raise RoutingError(
            f"{run.path} has no suite {unknown[0]!r} (--suite): it has {', '.join(known)}"
        )
    return [known[name] for name in dict.fromkeys(suites or known)]


def _chosen(
    run: RunDirectory,
    suites: Iterable[SuiteEntry],
    metric_of: Callable[[str], str | None],
    *,
    explicit: bool,
) -> RoutedSuites:
    metrics: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for suite in suites:
        name = metric_of(suite.name) or (suite.metrics[0] if suite.metrics else None)
        problem = _problem(run, suite, name)
        if name is not None and problem is None:
            metrics[suite.name] = name
        else:
            left_out[suite.name] = problem or "it has no metric"
    if left_out and (explicit or not metrics):
        listed = "; ".join(f"suite {name!r}: {reason}" for name, reason in left_out.items())
        raise RoutingError(
            f"{listed}. A router is certified on scores of 0 or 1 a sample where 1 is right: "
            "choose such a metric with --metric, and the suites that have it with --suite"
        )
    return RoutedSuites(metrics=metrics, left_out=left_out)


def _problem(run: RunDirectory, suite: SuiteEntry, metric: str | None) -> str | None:
    """Why that metric's scores cannot be certified, or None."""
    if metric is None or metric not in suite.metrics:
        held = ", ".join(map(repr, suite.metrics)) or "none"
        return f"it has no metric {metric!r}, only {held}"
    declared = run.manifest.metrics.get(metric)
    if declared is not None and not declared.higher_is_better:
        return f"{metric!r} is better when lower"
    if declared is not None and declared.aggregation != "mean":
        return f"{metric!r} scores a whole set, not a sample"
    odd = _not_binary(run, suite.name, metric)
    if odd is not None:
        return f"{metric!r} has scores that are not exactly 0 or 1 ({odd:g})"
    return None


def _not_binary(run: RunDirectory, suite: str, metric: str) -> float | None:
    """The first score of that suite that is neither; a recorded score declares no range."""
    pairs = run.pairs(["suite", "metric", "teacher_score", "student_score"])
    chosen = (pairs["suite"].astype(str) == suite) & (pairs["metric"].astype(str) == metric)
    for side in ("teacher_score", "student_score"):
        scores = pairs.loc[chosen, side].dropna().to_numpy(dtype=float)
        odd = scores[(scores != 0) & (scores != 1)]
        if len(odd):
            return float(odd[0])
    return None
