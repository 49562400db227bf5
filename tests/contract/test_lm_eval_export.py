"""A teacher's answers to lm-eval's tasks, exported and replayed by lm-eval as it marks them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from kdeval.cli.main import cli
from kdeval.errors import ModelError, UsageError
from kdeval.workflows.evaluate import Evaluated
from kdeval.workflows.export import export_answers
from tests.contract.lm_eval_runs import configure, run_of
from tests.contract.lm_eval_tasks import write_tasks

TASKS = ["capitals", "writing", "texts", "sums"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two echo models in `run`; two of its tasks take several requests a document."""
    folder = tmp_path_factory.mktemp("lm-eval-export")
    tasks = write_tasks(folder / "tasks")
    for name, more in (
        ("capitals", "  - {metric: acc_mutual_info}\n"),
        ("writing", "repeats: 2\n"),
    ):
        file = tasks / f"{name}.yaml"
        file.write_text(file.read_text() + more)
    _run(folder, "run", {"type": "echo", "fail_share": 0.1})
    return folder


def _recorded(run: str) -> dict[str, str]:
    return {"type": "recorded", "path": f"{run}.jsonl"}


def _run(project: Path, out: str, teacher: Any, **lm_eval: Any) -> Evaluated:
    file = configure(
        project,
        {"tasks": TASKS, "include_path": "tasks", "num_fewshot": 1} | lm_eval,
        name=f"{out}.yaml",
        teacher={"name": "teacher", **teacher},
        students=[{"name": "student", "type": "echo", "seed": 3}],
    )
    return run_of(file, out)


def _tables(run: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scored pairs but for what tells of the store, and samples."""
    pairs = pd.read_parquet(run / "pairs.parquet")
    of_store = [name for name in pairs if name.endswith(("_key", "_cached"))]
    return pairs.drop(columns=of_store), pd.read_parquet(run / "samples.parquet")


@pytest.mark.parametrize("chat", [False, True])
def test_a_replay_gives_the_same_pairs(project: Path, chat: bool) -> None:
    """Bit by bit, failures included; a replay can be exported and replayed, too."""
    run, settings = f"live-{chat}", {"apply_chat_template": chat}
    live = _run(project, run, {"type": "echo", "fail_share": 0.1}, **settings)
    done = export_answers(project / run, project / f"{run}.jsonl")
    assert done.left_out == {}
    assert (done.answers, done.failed > 0) == (16 * (2 + 2 + 1) + 15, True)
    before = _tables(project / run)
    assert before[0]["teacher_error"].notna().any()
    for again in (f"{run}-replayed", f"{run}-replayed-again"):
        replayed = _run(project, again, _recorded(run), **settings)
        assert replayed.warnings == live.warnings
        for first, second in zip(before, _tables(project / again), strict=True):
            pd.testing.assert_frame_equal(first, second, check_exact=True)
        export_answers(project / again, project / f"{run}.jsonl")


def test_without_text_choices_and_likelihoods_are_replayed(project: Path) -> None:
    """Texts are marked anew by lm-eval, so a task that has some is left out, and refused later."""
    file = project / "bare.jsonl"
    command = ["export", str(project / "run"), "--out", str(file), "--no-text"]
    said = CliRunner().invoke(cli, command).output
    assert "left out: writing: lm-eval marks texts anew" in said
    assert "country" not in file.read_text()
    with pytest.raises(ModelError, match="no answers to writing; it has answers to: capitals, tex"):
        _run(project, "bare", _recorded("bare"))
    _run(project, "bare", _recorded("bare"), tasks=["capitals", "texts", "sums"])
    before, after = (
        _tables(project / name)[0]
        .astype({"suite": str, "metric": str})
        .drop(columns="teacher_error")
        for name in ("run", "bare")
    )
    kept = before[before["suite"] != "writing"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, after, check_exact=True)


def test_another_prompt_is_never_answered(project: Path) -> None:
    """Other examples make another question: missing, with the reason, and no wrong answer."""
    export_answers(project / "run", project / "one_shot.jsonl")
    _run(project, "two_shot", _recorded("one_shot"), tasks=["capitals"], num_fewshot=2)
    pairs = pd.read_parquet(project / "two_shot" / "pairs.parquet")
    assert pairs["teacher_score"].isna().all()
    assert pairs["teacher_error"].str.contains("lm-eval did not ask this").all()
    assert pairs["student_score"].notna().all()


def test_a_task_of_an_exported_group_is_replayed(project: Path) -> None:
    """Though the group was exported as one suite."""
    export_answers(project / "run", project / "group.jsonl")
    done = _run(project, "group", _recorded("group"), tasks=["sums_2"])
    assert (done.asked["teacher"], done.failures["teacher"].total()) == (5, 0)


def test_a_template_of_the_models_own_is_not_exported(project: Path, chat_llama: Path) -> None:
    """A file cannot render it, so the export says what to do instead."""
    teacher = {"type": "causal_lm", "path": str(chat_llama), "device": "cpu"}
    _run(project, "own", teacher, tasks=["texts"], limit=2, apply_chat_template=True)
    with pytest.raises(UsageError, match=r"nothing can be .* texts: .* share a --cache"):
        export_answers(project / "own", project / "own.jsonl")
