"""How a simulated error rate is judged, and the table that a validity run prints or writes."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy import stats

_CHANCE_OF_FALSE_ALARM = 1e-3
_RATE = "measured error rate"
_FILE = "KDEVAL_ERROR_RATES"
"""Environment variable: where the rows are written as JSON, beside being printed."""

_rows: list[list[str | float]] = []


class ViolationError(AssertionError):
    """An error rate above what was promised."""


def judge(
    item: pytest.Item,
    claim: str,
    world: str,
    errors: int,
    trials: int,
    nominal: float,
    slack: float,
) -> None:
    """Records the rate; raises ViolationError when it cannot be reconciled with slack x nominal.

    The margin is binomial: a method whose true error is exactly slack x nominal is refused in one
    of a thousand runs.
    """
    row = [claim, world, int(errors), int(trials), float(nominal), float(slack)]
    item.user_properties.append((_RATE, row))
    if stats.binom.sf(errors - 1, trials, slack * nominal) < _CHANCE_OF_FALSE_ALARM:
        raise ViolationError(
            f"{claim}, {world}: {errors} errors in {trials} trials ({errors / trials:.2%}), "
            f"promised at most {slack} x {nominal:.2%}"
        )


@pytest.fixture
def exact(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Judge of exact and finite-sample methods: error at most nominal."""
    return lambda claim, world, errors, trials, nominal: judge(
        request.node, claim, world, errors, trials, nominal, 1.0
    )


@pytest.fixture
def asymptotic(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Judge of asymptotic methods: error at most 1.25 x nominal unless a limit is stated."""
    return lambda claim, world, errors, trials, nominal, slack=1.25: judge(
        request.node, claim, world, errors, trials, nominal, slack
    )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gathers what each test measured, in whichever process it ran."""
    if report.when == "call":
        _rows.extend(row for name, row in report.user_properties if name == _RATE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The measured table."""
    if not _rows:
        return
    terminalreporter.section("measured error rates")
    for claim, world, errors, trials, nominal, slack in sorted(_rows):
        terminalreporter.write_line(
            f"{claim:<42} {world:<48} {errors / trials:7.2%} of {nominal:6.2%}"
            f"  (allowed {slack:g} x, {trials} trials)"
        )
    if os.environ.get(_FILE):
        Path(os.environ[_FILE]).write_text(json.dumps(sorted(_rows)))
