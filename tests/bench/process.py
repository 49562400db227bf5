"""Wall time and peak memory of a whole process, as the operating system accounts for it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Medians over the runs.

    Attributes:
        wall_s: from start to exit.
        cpu_s: user and system time.
        peak_mb: largest resident set of the process.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.wall_s:6.2f} s wall  {self.cpu_s:6.2f} s CPU  {self.peak_mb:6.0f} MB peak"


def measure(command: Sequence[str], cwd: Path | None = None, runs: int = 1) -> Figures:
    """Medians of `runs` runs of `command`, whose output is thrown away."""
    walls, cpus, peaks = [], [], []
    for _ in range(runs):
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        _, status, usage = os.wait4(process.pid, 0)
        walls.append(time.perf_counter() - start)
        if status != 0:
            assert process.stderr is not None
            raise RuntimeError(f"{command} failed:\n{process.stderr.read().decode()}")
        cpus.append(usage.ru_utime + usage.ru_stime)
        peaks.append(usage.ru_maxrss / 1024)
    return Figures(
        wall_s=statistics.median(walls),
        cpu_s=statistics.median(cpus),
        peak_mb=statistics.median(peaks),
    )


def kdeval(*arguments: str) -> list[str]:
    """The command line of `kdeval ARGUMENTS` in this environment."""
    return [sys.executable, "-m", "kdeval", *arguments]
