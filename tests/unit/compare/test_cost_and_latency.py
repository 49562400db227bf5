"""Cost and latency beside each other; what is unknown stays unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from kdeval.cost.figures import cost_figures
from kdeval.latency.figures import latency_figures
from kdeval.store.run_directory import RunDirectory

WriteRun = Callable[..., RunDirectory]


def _rows(n: int = 40, **rest: Any) -> list[dict[str, Any]]:
    return [
        {"ref": "yes", "teacher": "yes", "student": "yes",
         **{name: value(i) if callable(value) else value for name, value in rest.items()}}
        for i in range(n)
    ]  # fmt: skip


def _probe(run: RunDirectory) -> None:
    rows = [
        {"round": r, "model": model, "seconds": base * (1 + 0.01 * (r % 7))}
        for r in range(50)
        for model, base in (("teacher", 0.2), ("student", 0.05))
    ]
    pd.DataFrame(rows).to_parquet(run.path / "latency.parquet")


def test_no_price_no_cost(write_run: WriteRun) -> None:
    """Not zero: nothing."""
    assert cost_figures(write_run(_rows()), "student", 0.95) is None


def test_one_price_is_not_enough_for_a_ratio(write_run: WriteRun) -> None:
    """The known side is told, the ratio is missing with the reason."""
    run = write_run(_rows(), prices={"teacher": {"usd_per_request": 0.01}})
    figures = cost_figures(run, "student", 0.95)
    assert figures is not None
    assert figures.teacher_usd == pytest.approx(0.01)
    assert figures.student_usd is None
    assert figures.ratio is None
    assert figures.reason is not None
    assert "cost of student is unknown" in figures.reason


def test_prices_per_token_follow_the_tokens(write_run: WriteRun) -> None:
    """Each side by its own tokens; a sample without counts is left out of both."""
    rows = _rows(teacher_tokens=lambda i: 100 + i, student_tokens=lambda i: 100 + 2 * i)
    rows[0]["student_tokens"] = None
    prices = {
        "teacher": {"usd_per_million_input_tokens": 1.0, "usd_per_million_output_tokens": 3.0},
        "student": {"usd_per_million_input_tokens": 0.1, "usd_per_million_output_tokens": 0.3},
    }
    figures = cost_figures(write_run(rows, prices=prices), "student", 0.95)
    assert figures is not None
    assert figures.n == 39
    assert figures.teacher_usd == pytest.approx(4e-6 * (100 + 20))
    assert figures.ratio is not None
    assert figures.ratio.estimate == pytest.approx(0.1 * (100 + 40) / (100 + 20))
    assert figures.ratio.low < figures.ratio.estimate < figures.ratio.high


def test_fixed_prices_have_no_sampling_error(write_run: WriteRun) -> None:
    """Two constants make a ratio with no width."""
    prices = {
        "teacher": {"usd_per_hour": 2.0, "requests_per_hour": 1000.0},
        "student": {"usd_per_request": 0.0005},
    }
    figures = cost_figures(write_run(_rows(), prices=prices), "student", 0.95)
    assert figures is not None
    assert figures.ratio is not None
    assert (figures.ratio.low, figures.ratio.estimate, figures.ratio.high) == pytest.approx(
        (0.25, 0.25, 0.25)
    )


def test_machine_hours_take_the_probe_with_its_error(write_run: WriteRun) -> None:
    """Without a stated throughput the probe's is used, said so, and carries its spread."""
    prices = {"teacher": {"usd_per_hour": 3.6}, "student": {"usd_per_hour": 3.6}}
    run = write_run(_rows(), prices=prices)
    assert cost_figures(run, "student", 0.95) is None
    _probe(run)
    figures = cost_figures(run, "student", 0.95)
    assert figures is not None
    assert figures.teacher_usd == pytest.approx(0.2 * 1.03 / 1000, rel=0.01)
    assert "one request at a time" in figures.basis
    assert figures.ratio is not None
    assert figures.ratio.estimate == pytest.approx(0.25)


def test_recorded_costs_come_first(write_run: WriteRun) -> None:
    """What a log says was paid beats a configured price."""
    rows = _rows(teacher_usd=0.02, student_usd=lambda i: 0.001 * (1 + i % 2))
    prices = {"teacher": {"usd_per_request": 9.0}}
    figures = cost_figures(write_run(rows, prices=prices), "student", 0.95)
    assert figures is not None
    assert figures.teacher_usd == pytest.approx(0.02)
    assert figures.ratio is not None
    assert figures.ratio.estimate == pytest.approx(0.075)


def test_latency_of_the_probe_wins_over_the_log(write_run: WriteRun) -> None:
    """Both were measured in turn on one machine."""
    run = write_run(_rows(teacher_s=lambda i: 1.0 + i / 100, student_s=lambda i: 0.9 + i / 100))
    recorded = latency_figures(run, "student", 0.95)
    assert recorded is not None
    assert recorded.source == "recorded"
    assert recorded.n == 40
    _probe(run)
    probed = latency_figures(run, "student", 0.95)
    assert probed is not None
    assert probed.source == "probe"
    assert probed.n == 50
    assert probed.ratio["p50"].estimate == pytest.approx(0.25)


def test_nothing_measured_is_none(write_run: WriteRun) -> None:
    """No latency is no latency."""
    assert latency_figures(write_run(_rows()), "student", 0.95) is None
