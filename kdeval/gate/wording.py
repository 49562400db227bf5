"""The gate's sentences: what a rule asks, and what the figures say about it."""

from __future__ import annotations

from kdeval.gate.decision import Verdict
from kdeval.gate.measurement import Measurement
from kdeval.gate.policy import GatePolicy
from kdeval.gate.quantity import confidence_text, counted, enough_digits, number_text, unit_of
from kdeval.gate.resolve import Target
from kdeval.stats.interval import Interval

__all__ = ["could_show_text", "evidence_text", "rule_text"]

_NAMES = {
    "retention": "retention",
    "difference": "student minus teacher",
    "macro_retention": "macro retention",
    "macro_difference": "macro difference, student minus teacher",
    "baseline_difference": "student minus baseline",
    "negative_flips": "samples that the baseline has right and the student wrong",
    "transfer_gap": "student minus teacher, production minus benchmark,",
    "score": "the student's score",
    "brier_difference": "Brier score, student minus teacher",
    "log_loss_difference": "log-loss, student minus teacher",
    "latency_ratio": "latency, student / teacher",
    "cost_ratio": "cost, student / teacher",
    "error_share": "share of failed requests",
}


def rule_text(target: Target) -> str:
    """What the rule asks: "retention of exact, domain=tweets: at least 95.0 %"."""
    rule = target.rule
    words = _NAMES[rule.metric]
    if rule.above_chance:
        words += " above chance"
    if rule.metric == "latency_ratio":
        words = f"{rule.quantile or 'p50'} {words}"
    if target.score is not None and rule.metric not in ("brier_difference", "log_loss_difference"):
        words += f" of {target.score}"
    if target.suites_in_run > 1 and target.suite is not None:
        words += f" on {target.suite}"
    if target.slice is not None:
        words += f", {target.slice}"
    unit = unit_of(rule.metric, share=target.share)
    limit = number_text(rule.limit, unit, enough_digits(rule.limit, (), unit))
    return f"{words}: at {'least' if rule.direction == 'min' else 'most'} {limit}"


def evidence_text(
    target: Target,
    measured: Measurement,
    verdict: Verdict,
    *,
    policy: GatePolicy,
    level: float,
    incomplete: bool,
    samples_missing: int | None,
    could_show: str | None = None,
) -> str:
    """The figures, the limit, and for an inconclusive rule what is missing.

    Args:
        target: the rule and its place.
        measured: its figure.
        verdict: what came of it.
        policy: the rule's own.
        level: one-sided confidence of its bounds.
        incomplete: whether a larger share of the samples is missing than the policy allows.
        samples_missing: how many more would make the rule pass, where that is known.
        could_show: what another run of this size would show, in a sentence.
    """
    rule = target.rule
    max_missing = policy.most_missing(rule) if incomplete else None
    parts = [_figures(target, measured.interval, verdict, level)]
    if (
        policy.promise_of(rule) == "strict"
        and not measured.exact
        and measured.interval.estimate is not None
    ):
        parts.append(f"strict, {measured.interval.method}")
    if max_missing is not None:
        parts.append(_too_much_missing(target, measured, max_missing))
    elif verdict == "inconclusive":
        parts.append(_what_is_missing(target, measured, policy, samples_missing))
        parts.append(could_show or "")
    parts.extend(measured.remarks)
    return "; ".join(part for part in parts if part)


def could_show_text(target: Target, limit: float) -> str:
    """What another run of this size would show, in a sentence."""
    unit = unit_of(target.rule.metric, share=target.share)
    written = number_text(limit, unit, enough_digits(target.rule.limit, (limit,), unit))
    at = "at least" if target.rule.direction == "min" else "at most"
    return (
        f"another run of this size would show {at} {written} with 80 % probability, were the "
        "student as good as it looks"
    )


def _figures(target: Target, interval: Interval, verdict: Verdict, level: float) -> str:
    rule = target.rule
    unit = unit_of(rule.metric, share=target.share)
    name = rule.metric.replace("_", " ")
    ends = (interval.low, interval.high)
    digits = enough_digits(rule.limit, (interval.estimate, *ends), unit)
    limit = f"limit {number_text(rule.limit, unit, digits)}"
    if interval.estimate is None:
        return f"{name} unknown: {interval.reason or 'nothing was measured'}; {limit}"
    estimate = f"{name} {number_text(interval.estimate, unit, digits)}"
    low, high = (None if end is None else number_text(end, unit, digits) for end in ends)
    sure = f"with {confidence_text(level)} confidence"
    if low is not None and low == high and interval.low == interval.high:
        return f"{estimate}; {limit}"
    if verdict != "inconclusive":
        lower = (rule.direction == "min") == (verdict == "pass")
        return f"{estimate}, at {f'least {low}' if lower else f'most {high}'} {sure}; {limit}"
    if low is not None and high is not None:
        return f"{estimate}, at least {low} and at most {high}, each {sure}; {limit}"
    if low is None and high is None:
        return f"{estimate} without a bound: {interval.reason or 'unknown'}; {limit}"
    bound = f"at least {low}" if low is not None else f"at most {high}"
    return f"{estimate}, {bound} {sure}, the other side is unbounded; {limit}"


def _too_much_missing(target: Target, measured: Measurement, allowed: float) -> str:
    share = measured.share_missing
    digits = enough_digits(allowed, (share,), "percent")
    left_out, n, where = measured.left_out, measured.interval.n, ""
    if measured.thinnest is not None:
        name, left_out, n = measured.thinnest
        where = f"on the {'suite' if target.rule.metric == 'transfer_gap' else 'task'} {name}, "
    total = counted(n + left_out, _unit_word(target))
    verb = "is" if left_out == 1 else "are"
    return (
        f"{where}{left_out:,} of {total} {verb} missing ({number_text(share, 'percent', digits)})"
        f"; at most {number_text(allowed, 'percent', digits)} may be"
    )


def _what_is_missing(
    target: Target, measured: Measurement, policy: GatePolicy, samples_missing: int | None
) -> str:
    n, floor, min_n = measured.interval.n, measured.floor, policy.least_n(target.rule)
    parts = []
    if n < min_n:
        default = "" if policy.sets_least_n(target.rule) else " (the default; set it in the policy)"
        parts.append(f"{counted(n, _unit_word(target))}, fewer than min_n: {min_n}{default}")
    if floor is not None and n < floor:
        parts.append(
            f"cannot pass at this n: {counted(floor, _unit_word(target))} are needed even without "
            f"{'an error' if target.rule.whole_run else 'a single flip'}"
        )
    if samples_missing is not None:
        about = "" if n < min_n and samples_missing == min_n - n else "about "
        parts.append(f"needs {about}{counted(samples_missing, 'more ' + _unit_word(target))}")
    elif measured.interval.estimate is not None and _wrong_side(target, measured.interval.estimate):
        unit = unit_of(target.rule.metric, share=target.share)
        digits = enough_digits(target.rule.limit, (measured.interval.estimate,), unit)
        estimate = number_text(measured.interval.estimate, unit, digits)
        parts.append(
            f"no number of {_unit_word(target)}s would make it pass at the present estimate "
            f"{estimate}"
        )
    return "; ".join(parts)


def _wrong_side(target: Target, estimate: float) -> bool:
    limit = target.rule.limit
    return estimate <= limit if target.rule.direction == "min" else estimate >= limit


def _unit_word(target: Target) -> str:
    return "request" if target.rule.whole_run else "sample"
