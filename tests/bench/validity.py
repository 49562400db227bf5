"""The table of promises and measured errors, from a seeded run of tests/validity."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy import stats

from tests.bench import readme

NAME = "measured errors"
FULL = readme.README.parent / "reports" / "validity.md"
CONTROL = "control: "

PROMISES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("retention, score test", ("^retention, false", "^retention, either")),
    ("retention above chance", ("^retention above chance",)),
    ("difference, Tango", ("^difference, false", "^difference, either")),
    ("scores and rates, Wilson", ("^rate, ", "^agreement")),
    ("real scores: Fieller and t", (" Fieller, either", ", t, either")),
    ("clusters: Rao-Scott, CR1", ("Rao-Scott", "CR1, either")),
    ("macro, worst and every task", ("^macro ", "^worst task", "any task named", "^every task")),
    ("strict: exact and betting", ("^strict ", ", betting, either", "^betting bound")),
    ("five O'Brien-Fleming looks", ("O'Brien-Fleming", " looks")),
    ("betting at every sample", ("^betting at every",)),
    ("planned samples, power of 80 %", ("^planned ",)),
    ("no bounded mean: bootstrap", (", bootstrap, ",)),
    ("router: exact, betting, conformal", ("flips, Clopper-Pearson", "WSR betting", "^conformal")),
    ("calibration: p-values", ("^p-value of", "^calibration p-value")),
    ("calibration: intervals", (
        "^AUROC", "^accuracy of the", "^student's own", "^closest distillation",
        "^calibrator called",
    )),
    ("fidelity: tokens, self-agreement", ("by token", "^self-agreement")),
    ("students against each other", ("student called", "^ranking, ", "Kendall's", "checkpoint")),
    ("benchmark against production", ("^transfer gap",)),
    ("speed: latency and length ratios", ("^latency ", "^length ratio")),
    ("layers: CKA and relations", ("^debiased CKA", "^highest CKA", " of distances, ")),
)  # fmt: skip
"""A line of the README's table, and the patterns of the claims that belong to it; the first line
that fits has the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One simulated error rate.

    Attributes:
        claim: what is promised.
        world: where it was simulated.
        errors: how often it did not hold.
        trials: how often it was tried.
        nominal: the promised rate.
        slack: the allowed multiple of it.
    """

    claim: str
    world: str
    errors: int
    trials: int
    nominal: float
    slack: float

    @property
    def closeness(self) -> tuple[float, float]:
        """How close the rate is to being refused; larger is closer."""
        chance = float(stats.binom.sf(self.errors - 1, self.trials, self.slack * self.nominal))
        return -chance, self.errors / self.trials / self.nominal


def line_of(claim: str) -> str:
    """The line that a claim belongs to.

    Raises:
        LookupError: If it belongs to none.
    """
    for title, parts in PROMISES:
        if any(re.search(part, claim) for part in parts):
            return title
    raise LookupError(f"no line of PROMISES in tests/bench/validity.py has the claim {claim!r}")


def bench_validity(directory: Path) -> None:
    """tests/validity, whose measured errors go into the README and reports/validity.md."""
    rates = measured(directory / "rates.json")
    FULL.write_text(full_table(rates))
    body = short_table(rates)
    readme.write(NAME, body)
    print(body)


def measured(file: Path) -> list[Rate]:
    """The rates that a run of tests/validity in a process of its own finds."""
    command = [sys.executable, "-m", "pytest", "tests/validity", "-p", "no:randomly", "-q", "-n2"]
    environment = {**os.environ, "KDEVAL_ERROR_RATES": str(file), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=readme.README.parent, env=environment, check=True)
    names = ("claim", "world", "errors", "trials", "nominal", "slack")
    return [Rate(**dict(zip(names, row, strict=True))) for row in json.loads(file.read_text())]


def short_table(rates: Sequence[Rate]) -> str:
    """One line a promise; controls are left out, since they have to miss."""
    lines: dict[str, list[Rate]] = {title: [] for title, _ in PROMISES}
    for rate in rates:
        if not rate.claim.startswith(CONTROL):
            lines[line_of(rate.claim)].append(rate)
    head = ("promise", "worlds", "all worlds", "worst world", "error", "nominal", "allowed")
    return readme.table(head, [_line(title, found) for title, found in lines.items() if found])


def _line(title: str, rates: Sequence[Rate]) -> list[str]:
    worst = max(rates, key=lambda rate: rate.closeness)
    ratio = sum(r.errors for r in rates) / sum(r.trials * r.nominal for r in rates)
    return [
        title,
        f"{len(rates)}",
        f"{ratio:.2f} x",
        f"{worst.claim}: {worst.world}",
        f"{readme.percent(worst.errors / worst.trials, 1)} of {worst.trials:,}",
        readme.percent(worst.nominal, 1),
        f"{worst.slack:g} x",
    ]


def full_table(rates: Sequence[Rate]) -> str:
    """Every claim in every world, controls included."""
    rows = [
        [
            f"{r.claim}: {r.world}",
            readme.percent(r.errors / r.trials, 2),
            readme.percent(r.nominal, 1),
            f"{r.slack:g} x",
            f"{r.trials:,}",
        ]
        for r in rates
    ]
    head = ("claim and world", "measured", "nominal", "allowed", "trials")
    return (
        "# Measured errors of every statistical promise\n\n"
        "Written by `make bench ARGS=validity` from a seeded run of tests/validity. A rate is "
        "refused where a true\nrate of allowed x nominal would give it in less than one of 1,000 "
        "runs. Controls are what others do;\nthe tests insist that they are refused.\n\n"
        f"{readme.table(head, rows)}\n"
    )
