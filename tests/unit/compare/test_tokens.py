"""Tokens and what a request's time is made of; what is unknown stays unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kdeval.latency.requests import writes_tokens
from kdeval.latency.token_times import token_times
from kdeval.latency.tokens import PairedMeans, length_ratio, token_figures
from kdeval.stats.means.paired import retention
from kdeval.store.run_directory import ModelEntry, RunDirectory, write_manifest

WriteRun = Callable[..., RunDirectory]


def _typed(run: RunDirectory, kind: str, suite_kind: str) -> RunDirectory:
    """The same run with models of that type and its suite of that kind."""
    manifest = run.manifest
    manifest = replace(
        manifest,
        teacher=replace(manifest.teacher, type=kind),
        students=tuple(replace(entry, type=kind) for entry in manifest.students),
        suites=tuple(replace(suite, kind=suite_kind) for suite in manifest.suites),
    )
    write_manifest(run.path, manifest)
    return RunDirectory.open(run.path)


def test_means_are_over_requests_where_both_are_known(write_run: WriteRun) -> None:
    """One side's missing count takes the request out of both means, and coverage says so."""
    rows: list[dict[str, Any]] = [
        {"teacher_output_tokens": 10 + i, "student_output_tokens": 20 + 2 * i + i % 3}
        for i in range(30)
    ]
    rows[0]["student_output_tokens"] = None
    rows[1]["teacher_output_tokens"] = None
    found = token_figures(write_run(rows), "student", 0.95)
    assert found is not None
    assert found.input is None
    output = found.output
    assert output is not None
    assert output.coverage == "known of 28 of 30 requests"
    teacher = np.array([10.0 + i for i in range(2, 30)])
    student = np.array([20.0 + 2 * i + i % 3 for i in range(2, 30)])
    assert output.teacher == pytest.approx(teacher.mean())
    assert output.student == pytest.approx(student.mean())
    assert output.ratio is not None
    expected = retention(teacher, student)
    for end in ("estimate", "low", "high"):
        assert getattr(output.ratio, end) == pytest.approx(getattr(expected, end))
    assert output.ratio.method == "Fieller t"


def test_one_side_alone_is_told_without_a_ratio(write_run: WriteRun) -> None:
    """The teacher's mean stands; the student's is missing with the reason."""
    rows = [{"teacher_output_tokens": 7, "teacher_truncated": i < 3} for i in range(10)]
    found = token_figures(write_run(rows), "student", 0.95)
    assert found is not None
    assert found.output == PairedMeans(
        n=0, total=10, teacher=7.0, student=None, reason="student does not tell output tokens"
    )
    assert found.truncated is not None
    assert found.truncated.teacher == pytest.approx(0.3)


def test_counts_that_never_meet_give_no_mean(write_run: WriteRun) -> None:
    """Means over other requests than the other model's would mislead."""
    rows: list[dict[str, Any]] = [
        {("teacher" if i % 2 else "student") + "_output_tokens": 5} for i in range(10)
    ]
    found = token_figures(write_run(rows), "student", 0.95)
    assert found is not None
    assert found.output is not None
    assert (found.output.teacher, found.output.student, found.output.ratio) == (None, None, None)
    assert found.output.reason == "no request has output tokens of both models"


def test_no_count_is_none(write_run: WriteRun) -> None:
    """A classifier that counts nothing has no row of dashes."""
    assert token_figures(write_run([{}] * 5), "student", 0.95) is None
    assert token_times(write_run([{}] * 5), "student", 0.95) is None


def test_choices_by_likelihood_are_not_written(write_run: WriteRun) -> None:
    """Tokens of a label that was only looked up do not count; those of a log do."""
    rows = [
        {"teacher_output_tokens": 2, "student_output_tokens": 3, "teacher_input_tokens": 9,
         "student_input_tokens": 9, "teacher_truncated": False, "student_truncated": True}
        for _ in range(10)
    ]  # fmt: skip
    run = write_run(rows)
    recorded = token_figures(run, "student", 0.95)
    assert recorded is not None
    assert recorded.output is not None
    causal = token_figures(_typed(run, "causal_lm", "multiple_choice"), "student", 0.95)
    assert causal is not None
    assert causal.output is None
    assert causal.truncated is None
    assert causal.input is not None
    entry = ModelEntry(name="m", type="causal_lm", fingerprint="f")
    assert writes_tokens(entry, "generation")
    assert not writes_tokens(entry, "classification")


def test_a_constant_ratio_has_no_interval() -> None:
    """There is nothing to make one of, and the reason is about lengths, not scores."""
    teacher = np.array([2.0, 5.0, 9.0])
    found = length_ratio(teacher, 2 * teacher, confidence=0.95)
    assert found.estimate == pytest.approx(2.0)
    assert (found.low, found.high) == (None, None)
    assert found.reason is not None
    assert "same in every request" in found.reason
    silent = length_ratio(np.zeros(4), teacher[:0].sum() + np.ones(4), confidence=0.95)
    assert silent.estimate is None
    assert silent.reason == "the teacher's mean is 0"


def test_clusters_widen_the_length_ratio(write_run: WriteRun) -> None:
    """Samples of one document share their length."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for document in range(20):
        length = int(rng.integers(5, 60))
        for _ in range(10):
            rows.append(
                {"teacher_output_tokens": 30 + int(rng.integers(3)),
                 "student_output_tokens": length, "cluster": f"d{document}"}
            )  # fmt: skip
    clustered = token_figures(write_run(rows), "student", 0.95)
    for row in rows:
        del row["cluster"]
    alone = token_figures(write_run(rows), "student", 0.95)
    assert clustered is not None
    assert alone is not None
    widths = []
    for found in (clustered, alone):
        assert found.output is not None
        ratio = found.output.ratio
        assert ratio is not None
        assert ratio.low is not None
        assert ratio.high is not None
        widths.append(ratio.high - ratio.low)
    assert widths[0] > 2 * widths[1]


def test_the_probe_wins_and_only_written_rounds_count(write_run: WriteRun) -> None:
    """A round that looked up a choice has no first token, and is no part of the time a token."""
    rows = [
        {"teacher_first_token_s": 9.0, "student_first_token_s": 9.0} for _ in range(10)
    ]  # fmt: skip
    run = _typed(write_run(rows), "causal_lm", "generation")
    recorded = token_times(run, "student", 0.95)
    assert recorded is not None
    assert recorded.first_token is not None
    assert recorded.first_token.source == "recorded"
    assert recorded.parts is None
    probed = []
    for number in range(40):
        wrote = number % 4 != 0
        for name, first, step, tokens in (("teacher", 0.2, 0.04, 20), ("student", 0.1, 0.01, 36)):
            tokens += number % 3
            probed.append(
                {"round": number, "model": name,
                 "seconds": first + step * (tokens - 1) if wrote else 0.05,
                 "first_token_s": first if wrote else None,
                 "between_tokens_s": step if wrote else None, "output_tokens": tokens}
            )  # fmt: skip
    pd.DataFrame(probed).to_parquet(run.path / "latency.parquet")
    found = token_times(run, "student", 0.95)
    assert found is not None
    assert found.first_token is not None
    assert found.between_tokens is not None
    assert found.parts is not None
    assert (found.first_token.source, found.first_token.n) == ("probe", 30)
    assert found.first_token.ratio.estimate == pytest.approx(0.5)
    assert found.between_tokens.ratio.estimate == pytest.approx(0.25)
    parts = found.parts
    assert parts.n == 30
    assert parts.length.estimate is not None
    assert parts.time.estimate == pytest.approx(parts.length.estimate * parts.per_token)
    assert parts.length.estimate == pytest.approx(37 / 21, rel=0.01)
    assert parts.time.estimate == pytest.approx((0.1 + 0.36) / (0.2 + 0.04 * 20), rel=0.01)


def test_recorded_times_make_the_parts_too(write_run: WriteRun) -> None:
    """Logs with seconds and tokens say why a request takes so long."""
    rows = [
        {"teacher_s": 1.0 + i / 50, "student_s": 0.8 + i / 40, "teacher_output_tokens": 100 + i,
         "student_output_tokens": 180 + (i * 7) % 11} for i in range(40)
    ]  # fmt: skip
    found = token_times(write_run(rows), "student", 0.95)
    assert found is not None
    assert found.first_token is None
    assert found.parts is not None
    assert found.parts.source == "recorded"
    assert found.parts.n == 40
    assert found.parts.time.low is not None
    assert found.parts.per_token < found.parts.time.low < 1.2 < found.parts.length.estimate  # type: ignore[operator]
