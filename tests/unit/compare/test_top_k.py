"""Bounds from lists of likeliest tokens in a run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kdeval.compare.pair_table import load_pairs
from kdeval.compare.top_k import top_k_of
from kdeval.report.details import details_of
from kdeval.report.fidelity_words import top_k_words
from kdeval.stats.fidelity.divergence import divergences


def logs(p: Any, k: int) -> dict[str, float]:
    return {f"t{i}": float(math.log(p[i])) for i in np.argsort(-p)[:k]}


def rows(n: int, k: int) -> tuple[list[dict[str, Any]], Any]:
    """Samples with the k likeliest of 20 tokens of both, and the whole distributions."""
    rng = np.random.default_rng(4)
    both = rng.dirichlet(np.full(20, 0.3), size=(2, n)) + 1e-9
    both[1] = 0.7 * both[0] + 0.3 * both[1]
    both /= both.sum(axis=2, keepdims=True)
    made = [
        {"ref": "a", "teacher": "a", "student": "a", "teacher_top": logs(p, k),
         "student_top": logs(q, k), "cluster": f"c{index // 3}"}
        for index, (p, q) in enumerate(zip(*both, strict=True))
    ]  # fmt: skip
    return made, both


def test_a_run_without_lists_has_no_bounds(write_run: Any) -> None:
    """Nothing is made of nothing; one side alone is nothing, too."""
    run = write_run([{"ref": "a", "teacher": "a", "student": "a", "teacher_top": {"a": -0.1}}],
                    labels=None)  # fmt: skip
    assert top_k_of(run, load_pairs(run), 0.95) == {}


def test_mean_bounds_hold_the_means_of_whole_distributions(write_run: Any) -> None:
    """The truth of these very samples lies between the bounds; clusters are kept."""
    made, (p, q) = rows(30, 6)
    run = write_run(made, labels=None)
    [(key, found)] = top_k_of(run, load_pairs(run), 0.95).items()
    truth = divergences(np.log(p), np.log(q))
    assert key == ("student", "x")
    assert found.n == 30
    assert 0 < found.kl_low.estimate <= truth.kl.mean()
    assert found.js_low.estimate <= truth.js.mean() <= found.js_high.estimate
    assert found.tv_low.estimate <= truth.tv.mean() <= found.tv_high.estimate
    assert found.js_high.clusters == 10
    assert 0.5 < found.known < 1


def test_the_report_tells_them_as_bounds(write_run: Any) -> None:
    """At least and between; never an estimate of KL."""
    run = write_run(rows(30, 6)[0], labels=None)
    [student] = details_of(run, 0.95)
    [suite] = student.suites
    words = top_k_words(suite.top_k)
    assert "KL at least" in words
    assert "without an upper bound" in words
    assert "30 samples" in words


def test_lists_survive_the_file_whole(write_run: Any) -> None:
    """Whole lists leave nothing open: both bounds meet."""
    run = write_run(rows(12, 20)[0], labels=None)
    [found] = top_k_of(run, load_pairs(run), 0.95).values()
    assert found.js_low.estimate == pytest.approx(found.js_high.estimate, abs=1e-6)
