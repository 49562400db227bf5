"""lm-eval tasks in a run as any suite: groups, limits, failures, resuming, gate and router."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from click.testing import CliRunner

from kdeval.cli.main import cli
from kdeval.compare.compute import compare_run
from tests.contract.lm_eval_runs import configure, over_echoes, run_of
from tests.contract.lm_eval_tasks import write_rows, write_tasks


def test_a_chat_of_messages_is_shown_as_messages(tmp_path: Path) -> None:
    """Models without a template of their own, as APIs, are asked messages."""
    write_tasks(tmp_path / "tasks")
    done = run_of(
        over_echoes(
            tmp_path,
            {"tasks": ["capitals", "writing"], "include_path": "tasks", "limit": 2,
             "apply_chat_template": True, "system_instruction": "Be brief."},
        )
    )  # fmt: skip
    samples = done.run.samples().set_index(["suite", "sample_id"])
    for suite in ("capitals", "writing"):
        assert samples.loc[(suite, "0")]["text"].startswith("system: Be brief.\nuser: ")


def test_a_group_of_unlike_tasks_is_a_suite_each(tmp_path: Path) -> None:
    """Tasks that are marked differently have no figure in common; those alike stay together."""
    tasks = write_tasks(tmp_path / "tasks")
    (tasks / "mixed.yaml").write_text("group: mixed\ntask: [yes_no, writing, sums]\n")
    (tasks / "tagged.yaml").write_text("include: yes_no.yaml\ntask: tagged\ntag: alike\n")
    done = run_of(over_echoes(tmp_path, {"tasks": ["mixed", "alike"], "include_path": "tasks"}))
    kinds = {suite.name: suite.kind for suite in done.run.manifest.suites}
    assert kinds == {
        "yes_no": "multiple_choice", "writing": "generation", "sums": "multiple_choice",
        "tagged": "multiple_choice",
    }  # fmt: skip
    told = [line for line in done.warnings if line.startswith("lm_eval:")]
    assert told == [
        "lm_eval: mixed: its tasks are answered or marked in different ways, so it is 3 suites: "
        "yes_no, writing, sums"
    ]


def test_a_groups_figure_that_is_not_lm_evals_is_told(tmp_path: Path) -> None:
    """lm-eval averages its tasks' figures; over all documents only a mean by size is the same."""
    tasks = write_tasks(tmp_path / "tasks")
    (tasks / "alike.yaml").write_text(
        "group: alike\ntask: [sums_1, sums_3]\n"
        "aggregate_metric_list: [{metric: acc, weight_by_size: false}]\n"
    )
    (tasks / "again.yaml").write_text("include: yes_no.yaml\ntask: again\n")
    (tasks / "both.yaml").write_text(
        "group: both\ntask: [yes_no, again]\naggregate_metric_list: [{metric: acc}, {metric: f1}]\n"
    )
    lm_eval = {"tasks": ["alike", "both"], "include_path": "tasks"}
    notes = run_of(over_echoes(tmp_path, lm_eval)).warnings
    told = "is that of all its documents together, where lm-eval takes the mean of its tasks' own"
    assert [note.partition(f" {told}")[0] for note in notes] == ["alike: acc", "both: f1"]


def test_limit_draws_a_sample_over_all_tasks(tmp_path: Path) -> None:
    """--limit is a seeded sample of each suite, within lm-eval's own limit; ids stay lm-eval's."""
    write_tasks(tmp_path / "tasks")
    file = over_echoes(tmp_path, {"tasks": ["sums", "capitals"], "include_path": "tasks"})
    whole = run_of(file, "whole").run.samples().set_index(["suite", "sample_id"])
    part = run_of(file, "part", limit=6).run.samples().set_index(["suite", "sample_id"])
    assert part.groupby("suite", observed=True).size().to_dict() == {"sums": 6, "capitals": 6}
    assert set(part.loc["sums"]["task"]) == {"sums_1", "sums_2", "sums_3"}
    assert list(part.loc["capitals"].index) != [str(n) for n in range(6)]
    shared = whole.loc[part.index]
    assert (shared["content_hash"] == part["content_hash"]).all()
    assert (shared["text"] == part["text"]).all()
    lm_eval = {"tasks": ["capitals"], "include_path": "tasks", "limit": 8}
    first = run_of(over_echoes(tmp_path, lm_eval), "first", limit=6).run
    assert {int(number) for number in first.samples()["sample_id"]} < set(range(8))
    assert any("only the first 8 documents of 16" in note for note in compare_run(first).notes)


def test_a_failed_request_is_missing_and_no_wrong_answer(tmp_path: Path) -> None:
    """Its document leaves both sides with the reason; the figure is that of the others."""
    write_tasks(tmp_path / "tasks")
    lm_eval = {"tasks": ["capitals", "writing"], "include_path": "tasks"}
    whole = compare_run(run_of(over_echoes(tmp_path, lm_eval), "whole").run).students[0]
    done = run_of(over_echoes(tmp_path, lm_eval, fail_share=0.4), "part")
    pairs = done.run.pairs()
    failed = pairs[pairs["teacher_error"].notna()]
    assert 0 < len(failed) < len(pairs)
    assert failed["teacher_score"].isna().all()
    assert failed["student_score"].notna().all()
    assert done.failures["teacher"].total() > 0
    cells = {(c.suite, c.metric): c for c in compare_run(done.run).students[0].cells}
    for cell in whole.cells:
        if cell.slice != "all":
            continue
        found = cells[cell.suite, cell.metric]
        assert found.missing.teacher_errors > 0
        assert found.n + found.missing.total == cell.n
    answered = pairs[(pairs["suite"] == "capitals") & (pairs["metric"] == "acc")].dropna(
        subset="teacher_score"
    )
    assert cells["capitals", "acc"].teacher_score.estimate == answered["teacher_score"].mean()


def test_a_task_that_nobody_answered_is_told(tmp_path: Path) -> None:
    """It has no figures, and the run and its report say why."""
    write_tasks(tmp_path / "tasks")
    failing = [{"name": name, "type": "echo", "fail_share": 1.0} for name in ("teacher", "student")]
    lm_eval = {"tasks": ["writing", "yes_no"], "include_path": "tasks"}
    done = run_of(configure(tmp_path, lm_eval, teacher=failing[0], students=failing[1:]))
    for task in ("writing", "yes_no"):
        told = f"{task}: every request to every model failed, so it has no figures"
        assert told in done.warnings
        assert f"{told}." in compare_run(done.run).notes


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """What is in the store is not asked again: half of it taken away, half is asked."""
    write_tasks(tmp_path / "tasks")
    file = over_echoes(tmp_path, {"tasks": ["capitals", "texts"], "include_path": "tasks"})
    first = run_of(file)
    with sqlite3.connect(tmp_path / "run" / "predictions.sqlite") as store:
        gone = store.execute(
            "DELETE FROM responses WHERE key IN (SELECT key FROM responses LIMIT 20)"
        ).rowcount
    again = run_of(file)
    assert sum(again.asked.values()) == gone == 20
    assert sum(first.asked.values()) == sum(again.cached.values()) + 20


def test_gate_route_and_noise_floor_take_tasks_as_suites(tmp_path: Path) -> None:
    """A rule on a task and on one of a group, a router, and a model against itself."""
    write_tasks(tmp_path / "tasks")
    rows = [
        {"question": f"{topic} number {n}", "choices": ["yes", "no"], "answer": n % 2}
        for n in range(150)
        for topic in ("planets", "rivers")
    ]
    write_rows(tmp_path / "tasks" / "sums_1.jsonl", rows)
    file = over_echoes(tmp_path, {"tasks": ["sums"], "include_path": "tasks"})
    run_of(file)
    (tmp_path / "gate.yaml").write_text(
        "rules:\n"
        "  - {metric: difference, suite: sums, score: acc, min: -0.3}\n"
        '  - {metric: difference, suite: sums, slice: "task=sums_1", min: -0.3}\n'
    )
    invoke = CliRunner().invoke
    run = str(tmp_path / "run")
    gated = invoke(cli, ["gate", run, "--policy", str(tmp_path / "gate.yaml")])
    assert "PASS" in gated.output.upper(), gated.output
    fitted = invoke(cli, ["route", "fit", run, "--out", str(tmp_path / "router")])
    assert fitted.exception is None, fitted.output
    floor = invoke(cli, ["aa", str(file), "--out", run])
    assert "sums, acc" in floor.output, floor.output
    report = invoke(cli, ["report", run, "--format", "md", "--full"])
    assert "run by lm-eval" in report.output + (tmp_path / "run/report/report.md").read_text()
