"""Rules on a whole run: latency, cost, failed requests."""

from __future__ import annotations

from math import ceil, log
from typing import Any

import pandas as pd
import pytest

from kdeval.errors import ConfigError
from tests.unit.gate.judging import MakeRun, decide, only


def test_latency(run_of: MakeRun, run_parts: type[Any]) -> None:
    """The probe's quantile ratio; p50 unless told."""
    latencies = {"big": [0.010 + i / 1e5 for i in range(100)],
                 "small": [0.004 + i / 1e5 for i in range(100)]}  # fmt: skip
    run = run_of(100, both=100, parts=run_parts(latencies=latencies))
    rule = only(decide(run, {"metric": "latency_ratio", "max": 0.5}))
    assert (rule.verdict, rule.quantile, rule.suite) == ("pass", "p50", None)
    assert rule.rule == "p50 latency, student / teacher: at most 0.50"
    assert only(decide(run, {"metric": "latency_ratio", "max": 0.2})).verdict == "fail"
    with pytest.raises(ConfigError, match="no latencies of both 'big' and 'small'"):
        decide(run_of(100, both=100), {"metric": "latency_ratio", "max": 0.5})


def test_a_fixed_price_is_compared_as_it_stands(run_of: MakeRun, run_parts: type[Any]) -> None:
    """No sampling error, so no interval and no minimum n; a limit met exactly is met."""
    prices = {"big": {"usd_per_request": 0.01}, "small": {"usd_per_request": 0.003}}
    run = run_of(10, both=10, parts=run_parts(prices=prices))
    rule = only(decide(run, {"metric": "cost_ratio", "max": 0.3}))
    assert rule.verdict == "pass"
    assert rule.evidence.startswith("cost ratio 0.30; limit 0.30")
    assert only(decide(run, {"metric": "cost_ratio", "max": 0.2})).verdict == "fail"


def test_costs_of_samples_have_an_n(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """Recorded costs count as samples even where they are all the same, and missing ones show."""
    rule = {"metric": "cost_ratio", "max": 0.2}

    def run_with(known: int) -> Any:
        run = make_run(suite_scores(teacher=[1.0] * 300, students={"small": [1.0] * 300}))
        pairs = pd.read_parquet(run.path / "pairs.parquet")
        pairs["teacher_cost_usd"] = 0.01
        pairs["student_cost_usd"] = [0.001] * known + [None] * (300 - known)
        pairs.to_parquet(run.path / "pairs.parquet")
        return run

    few = only(decide(run_with(30), rule, max_missing=1))
    assert (few.verdict, few.n, few.min_n, few.samples_missing) == ("inconclusive", 30, 50, 20)
    assert "cost ratio 0.10" in few.evidence
    assert "30 requests, fewer than min_n: 50 (the default" in few.evidence
    assert "costs known of 30 of 300 requests" in few.evidence
    some = only(decide(run_with(100), rule))
    assert (some.verdict, some.left_out) == ("inconclusive", 200)
    assert "200 of 300 requests are missing (66.7 %); at most 5.0 % may be" in some.evidence
    most = only(decide(run_with(290), rule))
    assert (most.verdict, most.n) == ("pass", 290)
    assert "costs known of 290 of 300 requests" in most.evidence


def test_an_unknown_price_is_an_input_error(run_of: MakeRun, run_parts: type[Any]) -> None:
    """Unknown is not free."""
    run = run_of(10, both=10, parts=run_parts(prices={"big": {"usd_per_request": 0.01}}))
    with pytest.raises(ConfigError, match=r"the cost ratio is unknown: the cost of small"):
        decide(run, {"metric": "cost_ratio", "max": 0.3})
    with pytest.raises(ConfigError, match=r"the cost ratio is unknown: give prices"):
        decide(run_of(10, both=10), {"metric": "cost_ratio", "max": 0.3})


def test_error_share_is_exact(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """Clopper-Pearson on the student's requests, with the floor of an errorless run."""
    run = make_run(suite_scores(teacher=[1.0] * 400, students={"small": [1.0] * 400}))
    assert only(decide(run, {"metric": "error_share", "max": 0.01})).verdict == "pass"
    short = make_run(suite_scores(teacher=[1.0] * 200, students={"small": [1.0] * 200}))
    rule = only(decide(short, {"metric": "error_share", "max": 0.01}))
    assert (rule.verdict, rule.floor) == ("inconclusive", ceil(log(0.05) / log(0.99)))
    bad = make_run(suite_scores(teacher=[1.0] * 200, students={"small": [None] * 20 + [1.0] * 180}))
    assert only(decide(bad, {"metric": "error_share", "max": 0.01})).verdict == "fail"


def test_recorded_latencies_say_of_how_many_requests(run_of: MakeRun) -> None:
    """Logs that tell some latencies only are no sample of all of them."""
    run = run_of(100, both=100)
    pairs = pd.read_parquet(run.path / "pairs.parquet")
    pairs["teacher_latency_s"] = [0.1 + i / 1e4 for i in range(80)] + [None] * 20
    pairs["student_latency_s"] = [0.02 + i / 1e4 for i in range(80)] + [None] * 20
    pairs.to_parquet(run.path / "pairs.parquet")
    rule = only(decide(run, {"metric": "latency_ratio", "max": 0.5}))
    assert (rule.verdict, rule.n) == ("pass", 80)
    assert rule.evidence.endswith("latencies as recorded in logs, of 80 of 100 requests")
