"""lm-eval tasks that cannot be run: what is wrong is told, with the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kdeval.cli.main import cli
from kdeval.errors import DataError, KdevalError, ModelError, UsageError
from tests.contract.lm_eval_runs import configure, over_echoes, run_of
from tests.contract.lm_eval_tasks import write_tasks


def _write_bad_tasks(tasks: Path) -> None:
    capitals = (tasks / "capitals.yaml").read_text().replace("task: capitals", "task: broken")
    writing = (tasks / "writing.yaml").read_text()
    (tasks / "broken.yaml").write_text(capitals.replace("metric: acc,", "metri: a,"))
    (tasks / "no_data.yaml").write_text(
        "include: capitals.yaml\ntask: no_data\ndataset_kwargs: {data_files: {test: gone.jsonl}}\n"
    )
    (tasks / "no_package.yaml").write_text(
        "include: capitals.yaml\ntask: no_package\nprocess_docs: !function needs.it\n"
    )
    (tasks / "no_column.yaml").write_text(
        "include: capitals.yaml\ntask: no_column\nprocess_docs: !function column.it\n"
    )
    (tasks / "column.py").write_text(
        "def it(docs):\n    return docs.filter(lambda doc: doc['description'])\n"
    )
    (tasks / "needs.py").write_text("import a_package_that_nobody_has\n")
    (tasks / "unsafe.yaml").write_text("include: writing.yaml\ntask: unsafe\nunsafe_code: true\n")
    (tasks / "beams.yaml").write_text(
        writing.replace("task: writing", "task: beams").replace(
            "max_gen_toks: 6", "max_gen_toks: 6, num_beams: 3"
        )
    )
    (tasks / "crash.yaml").write_text(
        "include: last_words.yaml\ntask: crash\nprocess_results: !function crash.it\n"
    )
    (tasks / "crash.py").write_text("def it(doc, results):\n    return {'acc': 1 / 0}\n")
    (tasks / "unclosed.yaml").write_text("task: unclosed\nx: {\n")
    (tasks / "nobody.yaml").write_text("group: nobody\ntask: []\n")
    (tasks / "gap.yaml").write_text("group: gap\ntask: [capitals, capitols]\n")
    (tasks / "no_rows.yaml").write_text(
        "include: capitals.yaml\ntask: no_rows\ndataset_kwargs: {data_files: {test: none.jsonl}}\n"
    )
    (tasks / "none.jsonl").write_text("")
    (tasks / "code.yaml").write_text(
        "include: writing.yaml\ntask: code\nprocess_results: !function marks.it\n"
    )
    (tasks / "marks.py").write_text(
        "raise ValueError('The metric executes code. ' * 20 + 'set HF_ALLOW_CODE_EVAL=\"1\"')\n"
    )


@pytest.mark.parametrize(
    ("lm_eval", "error", "expected"),
    [
        (["arc_eazy"], UsageError, "did you mean 'arc_easy'?"),
        (["zzzz zzzz"], UsageError, "lm-eval has no task, group or tag of that name"),
        ({"tasks": ["capitols"], "include_path": "tasks"}, UsageError, "'capitals'?"),
        (
            {"tasks": ["own_mc"], "include_path": ["empty", "tasks"]},
            UsageError,
            "of that name, no task was found in include_path PLACE/empty, nor has include_path "
            "PLACE/tasks",
        ),
        (
            {"tasks": ["capitals"], "include_path": "tasks", "num_fewshot": 99_999},
            UsageError,
            "prompts of task 'capitals' cannot show 99,999 examples: it has 6 to draw from",
        ),
        ({"tasks": ["sums", "sums_1"], "include_path": "tasks"}, UsageError, "comes twice"),
        (["arc_easy"], DataError, "'allenai/ai2_arc' (ARC-Easy) is out of reach"),
        ({"tasks": ["broken"], "include_path": "tasks"}, DataError, "broken.yaml"),
        ({"tasks": ["no_data"], "include_path": "tasks"}, DataError, "gone.jsonl"),
        ({"tasks": ["no_package"], "include_path": "tasks"}, DataError, "is not installed"),
        ({"tasks": ["no_column"], "include_path": "tasks"}, DataError, "no_column.yaml): KeyError"),
        ({"tasks": ["unsafe"], "include_path": "tasks"}, UsageError, "`unsafe_code: true`"),
        ({"tasks": ["beams"], "include_path": "tasks"}, UsageError, "num_beams=3"),
        ({"tasks": ["crash"], "include_path": "tasks"}, DataError, "lm-eval failed on crash"),
        ({"tasks": ["unclosed"], "include_path": "tasks"}, DataError, "unclosed.yaml: no valid"),
        ({"tasks": ["nobody"], "include_path": "tasks"}, DataError, "'nobody' has no tasks"),
        (
            {"tasks": ["gap"], "include_path": "tasks"},
            UsageError,
            "lists 'capitols', which no file",
        ),
        ({"tasks": ["no_rows"], "include_path": "tasks"}, DataError, "has no rows"),
        ({"tasks": ["code"], "include_path": "tasks"}, UsageError, "variable HF_ALLOW_CODE_EVAL=1"),
    ],
)
def test_what_is_wrong_with_a_task_is_told(
    tmp_path: Path, lm_eval: Any, error: type[KdevalError], expected: str
) -> None:
    """One line that names the task and the way out, before any model is asked (but a crash)."""
    (tmp_path / "empty").mkdir()
    _write_bad_tasks(write_tasks(tmp_path / "tasks"))
    with pytest.raises(error) as raised:
        run_of(over_echoes(tmp_path, lm_eval))
    assert expected.replace("PLACE", str(tmp_path)) in str(raised.value)
    assert "own_mc" not in str(raised.value) or "did you mean" not in str(raised.value)
    if "out of reach" in expected:
        assert "dataset_path: json" in str(raised.value)
        assert "task: my_arc_easy" in str(raised.value)


def test_what_has_no_sense_with_tasks_is_refused(tmp_path: Path) -> None:
    """Recorded models cannot be asked, and looks are over suites."""
    write_tasks(tmp_path / "tasks")
    lm_eval = {"tasks": ["capitals"], "include_path": "tasks"}
    (tmp_path / "log.csv").write_text("id,output\n0,1\n")
    recorded = {"type": "recorded", "path": "log.csv", "columns": {"id": "id", "output": "output"}}
    file = configure(
        tmp_path, lm_eval, teacher={"name": "teacher", **recorded},
        students=[{"name": "student", "type": "echo"}],
    )  # fmt: skip
    with pytest.raises(ModelError, match="recorded predictions answer the samples of a log"):
        run_of(file)
    (tmp_path / "gate.yaml").write_text("rules: [{metric: difference, min: -0.1}]\n")
    file = over_echoes(tmp_path, lm_eval)
    result = CliRunner().invoke(
        cli, ["run", str(file), "--out", str(tmp_path / "x"),
              "--until-decided", str(tmp_path / "gate.yaml")],
    )  # fmt: skip
    assert "--until-decided asks suites only" in str(result.exception)
    assert "ask its tasks by `kdeval run` with one of their own" in str(result.exception)
