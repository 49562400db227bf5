"""Runs every benchmark, or those whose names are given: python -m tests.bench help router."""

from __future__ import annotations

import csv
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.comparison import bench_bootstrap, bench_comparison
from tests.bench.false_passes import bench_false_passes
from tests.bench.process import kdeval, measure
from tests.bench.validity import bench_validity
from tests.cli.test_shared_data import CONFIG, MMLU, SUITE


def bench_help(directory: Path) -> None:
    """`kdeval --help` beside a Python that does nothing."""
    nothing = measure([sys.executable, "-c", "pass"], runs=7)
    shown = measure(kdeval("--help"), runs=7)
    print(f"  python -c pass        {nothing}")
    print(f"  kdeval --help         {shown}   x{shown.wall_s / nothing.wall_s:.1f}")


def bench_recorded(directory: Path) -> None:
    """Run and report of 14,042 recorded outcomes with 57 slices and clusters."""
    if MMLU.exists():
        data = MMLU
    else:
        data = directory / "recorded.csv"
        _write_recorded(data)
        print("  (the shared data is not here: a synthetic table of the same shape)")
    (directory / "mmlu.yaml").write_text(SUITE.format(data=data))
    (directory / "kdeval.yaml").write_text(CONFIG.format(data=data))
    print(f"  kdeval run            {measure(kdeval('run', 'kdeval.yaml'), directory)}")
    print(f"  kdeval report         {measure(kdeval('report', 'runs/kdeval'), directory)}")


def _write_recorded(file: Path) -> None:
    chance = random.Random(0)
    with file.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(
            ["domain", "prompt", "mixtral-8x7b-instruct-v0.1__correct",
             "gpt-4-1106-preview__correct"]
        )  # fmt: skip
        for index in range(14_042):
            text = f"question {index // 3} about something {index} " + "words " * 60
            writer.writerow(
                [f"domain{index % 57}", text, chance.random() < 0.68, chance.random() < 0.81]
            )


def bench_overhead(directory: Path) -> None:
    """The harness alone: echo models over suites of growing size, JSONL to scored pairs."""
    smallest: tuple[int, float] | None = None
    for n in (10_000, 100_000, 300_000):
        _write_echo(directory, n)
        figures = measure(kdeval("run", "echo.yaml", "--fresh", "--out", f"run{n}"), directory)
        smallest = smallest or (n, figures.peak_mb)
        more = "" if smallest[0] == n else f"  {_kb_each(smallest, n, figures.peak_mb):.1f} kB each"
        print(f"  {n:7,} echo samples   {figures}{more}")
    _write_echo(directory, 100_000)
    for out, what in (("run100000", "adding 200,000 answers to a cache"), ("again", "taking them")):
        command = kdeval("run", "echo.yaml", "--out", out, "--cache", "cache")
        print(f"  {what:33}  {measure(command, directory)}")


def _write_echo(directory: Path, n: int) -> None:
    """A suite of `n` samples, and a configuration that asks it of two echo models."""
    rows = (json.dumps({"text": f"sample {i} " + "x" * 40, "label": "ab"[i % 2]}) for i in range(n))
    (directory / "data.jsonl").write_text("\n".join(rows) + "\n")
    (directory / "suite.yaml").write_text(
        "name: echo\nkind: classification\ndata: data.jsonl\n"
        'input: "{{ text }}"\nreference: "{{ label }}"\nlabels: [a, b]\n'
    )
    (directory / "echo.yaml").write_text(
        "suites: [suite.yaml]\nlatency_probe: false\n"
        "teacher: {name: t, type: echo}\nstudents: [{name: s, type: echo, seed: 1}]\n"
    )


def _kb_each(smallest: tuple[int, float], n: int, peak_mb: float) -> float:
    """What a further sample takes of memory."""
    return (peak_mb - smallest[1]) * 1024 / (n - smallest[0])


def bench_statistics(directory: Path) -> None:
    """Paired retention of a million pairs, independent and in clusters."""
    import numpy as np

    from kdeval.stats.means.paired import retention

    rng = np.random.default_rng(0)
    teacher = (rng.random(1_000_000) < 0.9).astype(float)
    student = np.where(rng.random(1_000_000) < 0.95, teacher, 1 - teacher)
    clusters = rng.integers(0, 100_000, 1_000_000)
    for name, codes in (("independent", None), ("100,000 clusters", clusters)):
        start = time.perf_counter()
        retention(teacher, student, clusters=codes)
        print(f"  {name:20}  {time.perf_counter() - start:.3f} s")


def bench_router(directory: Path) -> None:
    """Loading the router and deciding on one message, in process."""
    from kdeval_router import Router

    measure(kdeval("demo", "--small", "--out", "digits"), directory)
    folder = directory / "digits" / "router"
    lines = (directory / "digits" / "data.jsonl").read_text().splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    start = time.perf_counter()
    router = Router.load(folder)
    print(f"  load                  {1e3 * (time.perf_counter() - start):.1f} ms")
    for text in texts[:200]:
        router.decide(text)
    taken = []
    for text in texts * 3:
        start = time.perf_counter()
        router.decide(text)
        taken.append(1e6 * (time.perf_counter() - start))
    cuts = statistics.quantiles(taken, n=100)
    print(f"  decide                p50 {cuts[49]:.0f} us   p99 {cuts[98]:.0f} us")


def bench_generation(directory: Path) -> None:
    """SmolLM2-135M writes summaries and extractions: transformers, lm-eval and kdeval."""
    from tests.bench.generation import bench_generation as bench

    bench(directory)


def bench_language_models(directory: Path) -> None:
    """A real causal pair on three suites; log-likelihoods and greedy text whatever the batch."""
    from tests.bench.language_models import bench_language_models as bench

    bench(directory)


def bench_ray(directory: Path) -> None:
    """One process beside two Ray workers, and two of which one is killed midway."""
    from tests.bench.ray import bench_ray as bench

    bench(directory)


def bench_shared_prefix(directory: Path) -> None:
    """Multiple choice on SmolLM2-135M: kdeval's model beside lm-eval's own at its best batch."""
    from tests.bench.shared_prefix import bench_shared_prefix as bench  # torch, lm-eval

    bench(directory)


BENCHES: dict[str, Callable[[Path], None]] = {
    "help": bench_help,
    "recorded": bench_recorded,
    "overhead": bench_overhead,
    "statistics": bench_statistics,
    "comparison": bench_comparison,
    "bootstrap": bench_bootstrap,
    "router": bench_router,
    "shared_prefix": bench_shared_prefix,
    "language_models": bench_language_models,
    "generation": bench_generation,
    "ray": bench_ray,
    "false_passes": bench_false_passes,
    "validity": bench_validity,
}


def main(names: list[str]) -> None:
    """Prints each benchmark's figures."""
    if unknown := sorted(set(names) - set(BENCHES)):
        sys.exit(f"no benchmark named {', '.join(unknown)}: there are {', '.join(BENCHES)}")
    for name in names or list(BENCHES):
        print(f"{name}: {BENCHES[name].__doc__}")
        with tempfile.TemporaryDirectory() as directory:
            BENCHES[name](Path(directory))


if __name__ == "__main__":
    main(sys.argv[1:])
