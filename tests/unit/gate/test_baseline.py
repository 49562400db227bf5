from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdeval.errors import RunError, UsageError
from kdeval.gate.baseline import BaselineScores, load_baseline, pair, write_baseline


@pytest.fixture
def run(make_run: Callable[..., Any], suite_scores: type[Any]) -> Any:
    students = {"old": [1.0, 0.0, None, 1.0], "new": [1.0, 1.0, 1.0, 0.0]}
    return make_run(suite_scores(teacher=[1.0, 1.0, 1.0, 1.0], students=students))


def test_a_file_holds_what_the_run_says(run: Any, tmp_path: Path) -> None:
    """Written and read again, a baseline is the run's scores; errors are left out."""
    written = write_baseline(tmp_path / "reports" / "baseline.json", run)
    read = load_baseline(tmp_path / "reports" / "baseline.json")
    assert read == written == load_baseline(run.path) == load_baseline(tmp_path / "reports")
    old = read.suites["sentiment"]["exact"]["old"]
    assert (old.ids, old.scores) == (("s0", "s1", "s3"), (1.0, 0.0, 1.0))
    assert read.header == run.manifest.header
    assert read.students == ("old", "new")


def test_a_file_holds_no_text(run: Any, tmp_path: Path) -> None:
    """Neither inputs nor outputs: ids, short hashes and scores."""
    write_baseline(tmp_path / "baseline.json", run)
    data = json.loads((tmp_path / "baseline.json").read_text(encoding="utf-8"))
    assert (data["kind"], data["schema_version"]) == ("kdeval.baseline", 1)
    assert set(data["suites"]["sentiment"]["exact"]["new"]) == {"ids", "content_hashes", "scores"}
    assert "text 0" not in json.dumps(data)


def test_the_student_is_chosen(run: Any) -> None:
    """The one asked for, else the namesake of the gated one, else the only one."""
    assert load_baseline(run.path, "old").student_for("new") == "old"
    assert load_baseline(run.path).student_for("new") == "new"
    with pytest.raises(UsageError, match=r"several students \(old, new\) and none called 'third'"):
        load_baseline(run.path).student_for("third")
    with pytest.raises(UsageError, match=r"no student 'odl'; did you mean 'old'\?"):
        load_baseline(run.path, "odl")


def test_the_only_student_is_the_baseline(
    make_run: Callable[..., Any], suite_scores: type[Any]
) -> None:
    """With one student there is nothing to choose."""
    only = make_run(suite_scores(teacher=[1.0], students={"old": [1.0]}))
    assert load_baseline(only.path).student_for("new") == "old"


def test_edited_samples_are_left_out_and_counted() -> None:
    """A sample pairs only with the same id and the same content."""
    scores = BaselineScores(ids=("a", "b"), content_hashes=("1" * 12, "2" * 12), scores=(1.0, 0.5))
    found = pair(scores, ["c", "b", "a"], ["1" * 64, "2" * 64, "3" * 64])
    assert (found.rows.tolist(), found.scores.tolist()) == ([1], [0.5])
    assert (found.changed, found.absent) == (1, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no baseline file"),
        ("[]", "its kind is None, not 'kdeval.baseline'"),
        ('{"kind": "kdeval.report"}', "its kind is 'kdeval.report', not 'kdeval.baseline'"),
        ('{"kind": "kdeval.baseline", "schema_version": 9}', "schema version 9, but this kdeval"),
        ('{"kind": "kdeval.baseline", "schema_version": 1}', "is a damaged baseline file: name"),
    ],
)
def test_an_unreadable_file_says_why(tmp_path: Path, content: str, message: str) -> None:
    """Another file, another version, a damaged one: each is told apart."""
    file = tmp_path / "baseline.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(RunError) as caught:
        load_baseline(file)
    assert message in str(caught.value)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """Neither a run directory nor a file."""
    with pytest.raises(RunError, match="no such baseline file or run directory"):
        load_baseline(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("scores", [1.0], "differ in length"),
        ("scores", [1.0, float("nan"), 1.0], "a score is not finite"),
        ("scores", "many", "scores"),
    ],
)
def test_damaged_columns_are_refused(
    run: Any, tmp_path: Path, key: str, value: object, message: str
) -> None:
    """Columns of different length or with NaN never reach a verdict."""
    file = tmp_path / "baseline.json"
    write_baseline(file, run)
    data = json.loads(file.read_text(encoding="utf-8"))
    data["suites"]["sentiment"]["exact"]["old"][key] = value
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(RunError, match=message):
        load_baseline(file)
