"""How a simulated error rate is judged, and the table that a validity run prints."""

from collections.abc import Callable

import pytest
from scipy import stats

_ROWS: list[tuple[str, str, int, int, float, float]] = []
_CHANCE_OF_FALSE_ALARM = 1e-3


class ViolationError(AssertionError):
    """An error rate above what was promised."""


def judge(claim: str, world: str, errors: int, trials: int, nominal: float, slack: float) -> None:
    """Records the rate; raises ViolationError when it cannot be reconciled with slack x nominal.

    The margin is binomial: a method whose true error is exactly slack x nominal is refused in one
    of a thousand runs.
    """
    _ROWS.append((claim, world, errors, trials, nominal, slack))
    if stats.binom.sf(errors - 1, trials, slack * nominal) < _CHANCE_OF_FALSE_ALARM:
        raise ViolationError(
            f"{claim}, {world}: {errors} errors in {trials} trials ({errors / trials:.2%}), "
            f"promised at most {slack} x {nominal:.2%}"
        )


@pytest.fixture
def exact() -> Callable[..., None]:
    """Judge of exact and finite-sample methods: error at most nominal."""
    return lambda claim, world, errors, trials, nominal: judge(
        claim, world, int(errors), trials, nominal, 1.0
    )


@pytest.fixture
def asymptotic() -> Callable[..., None]:
    """Judge of asymptotic methods: error at most 1.25 x nominal unless a limit is stated."""
    return lambda claim, world, errors, trials, nominal, slack=1.25: judge(
        claim, world, int(errors), trials, nominal, slack
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The measured table."""
    if not _ROWS:
        return
    terminalreporter.section("measured error rates")
    for claim, world, errors, trials, nominal, slack in sorted(_ROWS):
        terminalreporter.write_line(
            f"{claim:<42} {world:<48} {errors / trials:7.2%} of {nominal:6.2%}"
            f"  (allowed {slack:g} x, {trials} trials)"
        )
