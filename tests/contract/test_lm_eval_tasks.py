"""lm-eval tasks in a run, over tiny language models: from the configuration to the report."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from kdeval.cli.main import cli
from kdeval.compare.compute import compare_run
from kdeval.compare.fidelity import fidelity
from kdeval.compare.selection import select
from kdeval.config.schema import load_config
from kdeval.errors import DataError, KdevalError, ModelError, UsageError
from kdeval.workflows.evaluate import Evaluated, evaluate
from tests.contract.causal_models import save_llama, save_tokenizer
from tests.contract.lm_eval_tasks import write_rows, write_tasks

TASKS = ["capitals", "yes_no", "writing", "texts", "last_words", "sums"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two Llamas of random weights, tasks, and a configuration."""
    folder = tmp_path_factory.mktemp("lm-eval")
    for name, seed in (("teacher", 1), ("student", 2)):
        save_llama(folder / name, seed=seed, positions=512)
        save_tokenizer(folder / name, chat=True)
    write_tasks(folder / "tasks")
    _configure(folder, {"tasks": TASKS, "num_fewshot": 2, "include_path": "tasks"})
    return folder


def _configure(folder: Path, lm_eval: Any, *, name: str = "kdeval.yaml", **more: Any) -> Path:
    models = [
        {"name": name, "type": "causal_lm", "path": name, "dtype": "float32", "device": "cpu"}
        for name in ("teacher", "student")
    ]
    content = {
        "lm_eval": lm_eval, "latency_probe": False, "teacher": models[0], "students": models[1:],
        **more,
    }  # fmt: skip
    (folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder / name


def _echoes(folder: Path, lm_eval: Any, **teacher: Any) -> Path:
    """The same over echo models."""
    return _configure(
        folder, lm_eval, teacher={"name": "teacher", "type": "echo", **teacher},
        students=[{"name": "student", "type": "echo", "seed": 3}],
    )  # fmt: skip


def _run(file: Path, out: str = "run", **options: Any) -> Evaluated:
    return evaluate(load_config(file), file.parent / out, base=file.parent, **options)


@pytest.fixture(scope="module")
def done(project: Path) -> Evaluated:
    return _run(project / "kdeval.yaml")


@pytest.fixture(scope="module")
def theirs(project: Path) -> dict[str, Mapping[str, Any]]:
    """What lm-eval itself says of the same models and tasks, with its own HF model."""
    before = Path.cwd()
    os.chdir(project / "tasks")
    try:
        manager = TaskManager(include_path=str(project / "tasks"), include_defaults=False)
        return {
            name: simple_evaluate(
                model=HFLM(str(project / name), device="cpu", dtype="float32"), tasks=TASKS,
                num_fewshot=2, task_manager=manager, bootstrap_iters=0,
            )
            for name in ("teacher", "student")
        }  # fmt: skip
    finally:
        os.chdir(before)


def test_every_figure_is_that_of_lm_eval(
    done: Evaluated, theirs: dict[str, Mapping[str, Any]]
) -> None:
    """Each metric, filter and task (and the group) has lm-eval's own number, of both models."""
    found = {
        (cell.suite, cell.metric, cell.slice): cell
        for cell in compare_run(done.run).students[0].cells
    }
    checked = set()
    for side in ("teacher", "student"):
        results = theirs[side]["results"] | theirs[side].get("groups", {})
        for task, figures in results.items():
            for key, value in figures.items():
                metric, _, filtered = key.partition(",")
                if not filtered or metric.endswith("_stderr") or metric == "median_acc":
                    continue
                name = metric if filtered == "none" else f"{metric} ({filtered})"
                place = ("sums", name, f"task={task}") if "sums_" in task else (task, name, "all")
                if task == "last_words" and metric == "acc":
                    assert found[place].n == 16
                ours = getattr(found[place], f"{side}_score").estimate
                assert ours == pytest.approx(value, abs=2e-4, rel=1e-4), (task, key)
                checked.add((task, name))
    assert len(checked) == 17
    assert ("sums", "acc") in checked
    assert found["capitals", "acc", "all"].chance == pytest.approx(1 / 3)
    assert found["capitals", "brier_score", "all"].chance is None


def test_what_cannot_be_carried_is_named(done: Evaluated) -> None:
    """A median of documents is none of kdeval's aggregations: left out, with a note."""
    suites = {suite.name: suite for suite in done.run.manifest.suites}
    assert suites["last_words"].metrics == ("acc", "perplexity")
    assert any("median_acc is left out" in note for note in compare_run(done.run).notes)


def test_the_manifest_says_how_the_tasks_were_run(done: Evaluated) -> None:
    """lm-eval's version, each task's, the examples, and that these are benchmarks."""
    suites = {suite.name: suite for suite in done.run.manifest.suites}
    assert list(suites) == TASKS
    entry = suites["capitals"]
    assert entry.benchmark is not None
    assert entry.benchmark.tasks["capitals"].version == "1.5"
    assert entry.benchmark.tasks["capitals"].num_fewshot == 2
    assert entry.benchmark.settings == {"num_fewshot": 2}
    assert entry.role == "benchmark"
    assert entry.kind == "multiple_choice"
    assert entry.clustered
    assert suites["sums"].tasks == ("sums_1", "sums_2", "sums_3")
    assert suites["sums"].slice_keys == ("group",)
    notes = "\n".join(compare_run(done.run).notes)
    assert f"capitals: run by lm-eval {entry.benchmark.version}, task version 1.5, 2-shot" in notes


def test_choices_have_probabilities_in_their_place(done: Evaluated) -> None:
    """Of acc the log-likelihoods, of acc_norm those over a choice's length; so calibration and
    divergence see what the metric compared.
    """
    pairs = done.run.pairs()
    samples = done.run.samples().set_index(["suite", "sample_id"])
    rows = pairs[pairs["suite"] == "capitals"].set_index(["metric", "sample_id"])
    for number in range(16):
        sample = samples.loc[("capitals", str(number))]
        plain, normed = (rows.loc[(metric, str(number))] for metric in ("acc", "acc_norm"))
        choices = yaml.safe_load(sample["choices"])
        expected = [
            value / len(choice)
            for value, choice in zip(plain["teacher_log_probs"], choices, strict=True)
        ]
        assert list(normed["teacher_log_probs"]) == pytest.approx(expected)
        assert int(normed["teacher_output"]) == expected.index(max(expected))
        assert normed["teacher_score"] == (
            int(normed["teacher_output"]) == sample["reference_index"]
        )
        assert sample["text"].endswith("Answer:")
        assert sample["text"].count("Question:") == 3  # two examples and the question itself
    chosen = select(done.run, student="student", suite="capitals", metric="acc")
    assert chosen is not None
    assert chosen.probabilities is not None
    assert len(chosen.probabilities.rows) == 16
    assert fidelity(chosen, confidence=0.95)[0].kl is not None


def test_documents_of_one_passage_are_one_cluster(done: Evaluated) -> None:
    """Two questions about each passage count as one unit; suites without passages have none."""
    samples = done.run.samples()
    clusters = samples[samples["suite"] == "capitals"]["cluster"]
    assert clusters.nunique() == 8
    assert clusters.value_counts().eq(2).all()
    assert samples[samples["suite"] == "writing"]["cluster"].nunique() == 8
    assert samples[samples["suite"] == "yes_no"]["cluster"].isna().all()


def test_a_second_run_asks_nothing(done: Evaluated, project: Path) -> None:
    """Every answer comes from the store, and the run says the same."""
    before = done.run.pairs()
    again = _run(project / "kdeval.yaml")
    assert again.asked == {"teacher": 0, "student": 0}
    assert again.cached["teacher"] > 80
    cached = [column for column in before if column.endswith("_cached")]
    pd.testing.assert_frame_equal(
        again.run.pairs().drop(columns=cached), before.drop(columns=cached)
    )


def test_a_chat_template_is_each_models_own(project: Path) -> None:
    """The prompt that samples show is the teacher's, rendered; documents still meet."""
    file = _configure(
        project,
        {"tasks": ["capitals"], "include_path": "tasks", "apply_chat_template": True,
         "system_instruction": "Be brief.", "limit": 3},
        name="chat.yaml",
    )  # fmt: skip
    done = _run(file, "chat")
    samples = done.run.samples()
    assert len(samples) == 3
    assert samples["text"].iloc[0].startswith("<|system|>Be brief.<|end|><|user|>")
    notes = "\n".join(compare_run(done.run).notes)
    assert "with each model's chat template" in notes
    assert "only the first 3 documents of 16, which are no random sample" in notes


def test_a_chat_of_messages_is_shown_as_messages(tmp_path: Path) -> None:
    """Models without a template of their own, as APIs, are asked messages."""
    write_tasks(tmp_path / "tasks")
    done = _run(
        _echoes(
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
    done = _run(_echoes(tmp_path, {"tasks": ["mixed", "alike"], "include_path": "tasks"}))
    kinds = {suite.name: suite.kind for suite in done.run.manifest.suites}
    assert kinds == {
        "yes_no": "multiple_choice", "writing": "generation", "sums": "multiple_choice",
        "tagged": "multiple_choice",
    }  # fmt: skip


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
    notes = _run(_echoes(tmp_path, lm_eval)).warnings
    told = "is that of all its documents together, where lm-eval takes the mean of its tasks' own"
    assert [note.partition(f" {told}")[0] for note in notes] == ["alike: acc", "both: f1"]


def test_limit_draws_a_sample_over_all_tasks(tmp_path: Path) -> None:
    """--limit is a seeded sample of each suite, within lm-eval's own limit; ids stay lm-eval's."""
    write_tasks(tmp_path / "tasks")
    file = _echoes(tmp_path, {"tasks": ["sums", "capitals"], "include_path": "tasks"})
    whole = _run(file, "whole").run.samples().set_index(["suite", "sample_id"])
    part = _run(file, "part", limit=6).run.samples().set_index(["suite", "sample_id"])
    assert part.groupby("suite", observed=True).size().to_dict() == {"sums": 6, "capitals": 6}
    assert set(part.loc["sums"]["task"]) == {"sums_1", "sums_2", "sums_3"}
    assert list(part.loc["capitals"].index) != [str(n) for n in range(6)]
    shared = whole.loc[part.index]
    assert (shared["content_hash"] == part["content_hash"]).all()
    assert (shared["text"] == part["text"]).all()
    lm_eval = {"tasks": ["capitals"], "include_path": "tasks", "limit": 8}
    first = _run(_echoes(tmp_path, lm_eval), "first", limit=6).run
    assert {int(number) for number in first.samples()["sample_id"]} < set(range(8))
    assert any("only the first 8 documents of 16" in note for note in compare_run(first).notes)


def test_a_failed_request_is_missing_and_no_wrong_answer(tmp_path: Path) -> None:
    """Its document leaves both sides with the reason; the figure is that of the others."""
    write_tasks(tmp_path / "tasks")
    lm_eval = {"tasks": ["capitals", "writing"], "include_path": "tasks"}
    whole = compare_run(_run(_echoes(tmp_path, lm_eval), "whole").run).students[0]
    done = _run(_echoes(tmp_path, lm_eval, fail_share=0.4), "part")
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
    """It has no figures, and the run says why; the other task has its own."""
    tasks = write_tasks(tmp_path / "tasks")
    for seed, name in enumerate(("teacher", "student")):
        save_llama(tmp_path / name, seed=seed, positions=64)
        save_tokenizer(tmp_path / name)
    writing = (tasks / "writing.yaml").read_text().replace("max_gen_toks: 6", "max_gen_toks: 90")
    (tasks / "writing.yaml").write_text(writing)
    file = _configure(tmp_path, {"tasks": ["writing", "yes_no"], "include_path": "tasks"})
    done = _run(file)
    assert done.failures["teacher"].total() == done.failures["student"].total() == 16
    told = "writing: every request to every model failed, so it has no figures"
    assert told in done.warnings
    assert f"{told}." in compare_run(done.run).notes
    assert {cell.suite for cell in compare_run(done.run).students[0].cells} == {"yes_no"}


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """What is in the store is not asked again: half of it taken away, half is asked."""
    write_tasks(tmp_path / "tasks")
    file = _echoes(tmp_path, {"tasks": ["capitals", "texts"], "include_path": "tasks"})
    first = _run(file)
    with sqlite3.connect(tmp_path / "run" / "predictions.sqlite") as store:
        gone = store.execute(
            "DELETE FROM responses WHERE key IN (SELECT key FROM responses LIMIT 20)"
        ).rowcount
    again = _run(file)
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
    file = _echoes(tmp_path, {"tasks": ["sums"], "include_path": "tasks"})
    _run(file)
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


@pytest.mark.parametrize(
    ("lm_eval", "error", "expected"),
    [
        (["arc_eazy"], UsageError, "did you mean 'arc_easy'?"),
        (["zzzz zzzz"], UsageError, "lm-eval has no task, group or tag of that name"),
        ({"tasks": ["capitols"], "include_path": "tasks"}, UsageError, "'capitals'?"),
        ({"tasks": ["sums", "sums_1"], "include_path": "tasks"}, UsageError, "comes twice"),
        (["arc_easy"], DataError, "'allenai/ai2_arc' (ARC-Easy) is out of reach"),
        ({"tasks": ["broken"], "include_path": "tasks"}, DataError, "broken.yaml"),
        ({"tasks": ["no_data"], "include_path": "tasks"}, DataError, "gone.jsonl"),
        ({"tasks": ["no_package"], "include_path": "tasks"}, DataError, "is not installed"),
        ({"tasks": ["no_column"], "include_path": "tasks"}, DataError, "no_column.yaml): KeyError"),
        ({"tasks": ["unsafe"], "include_path": "tasks"}, UsageError, "`unsafe_code: true`"),
        ({"tasks": ["beams"], "include_path": "tasks"}, UsageError, "num_beams=3"),
        ({"tasks": ["crash"], "include_path": "tasks"}, DataError, "lm-eval failed on crash"),
    ],
)
def test_what_is_wrong_with_a_task_is_told(
    tmp_path: Path, lm_eval: Any, error: type[KdevalError], expected: str
) -> None:
    """One line that names the task and the way out, before any model is asked (but a crash)."""
    tasks = write_tasks(tmp_path / "tasks")
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
    with pytest.raises(error) as raised:
        _run(_echoes(tmp_path, lm_eval))
    assert expected in str(raised.value)
    if "arc_easy" in expected:
        return
    if "out of reach" in expected:
        assert "dataset_path: json" in str(raised.value)
        assert "task: my_arc_easy" in str(raised.value)


def test_what_has_no_sense_with_tasks_is_refused(tmp_path: Path) -> None:
    """Recorded models cannot be asked, and looks are over suites."""
    write_tasks(tmp_path / "tasks")
    lm_eval = {"tasks": ["capitals"], "include_path": "tasks"}
    (tmp_path / "log.csv").write_text("id,output\n0,1\n")
    recorded = {"type": "recorded", "path": "log.csv", "columns": {"id": "id", "output": "output"}}
    file = _configure(
        tmp_path, lm_eval, teacher={"name": "teacher", **recorded},
        students=[{"name": "student", "type": "echo"}],
    )  # fmt: skip
    with pytest.raises(ModelError, match="recorded predictions answer the samples of a log"):
        _run(file)
    (tmp_path / "gate.yaml").write_text("rules: [{metric: difference, min: -0.1}]\n")
    file = _echoes(tmp_path, lm_eval)
    result = CliRunner().invoke(
        cli, ["run", str(file), "--out", str(tmp_path / "x"),
              "--until-decided", str(tmp_path / "gate.yaml")],
    )  # fmt: skip
    assert "--until-decided asks suites only" in str(result.exception)
    assert "ask its tasks by `kdeval run` with one of their own" in str(result.exception)
