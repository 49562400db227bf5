"""lm-eval tasks in a run, over tiny language models: the figures are lm-eval's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from kdeval.compare.compute import compare_run
from kdeval.compare.fidelity import fidelity
from kdeval.compare.selection import select
from kdeval.workflows.evaluate import Evaluated
from tests.contract.causal_models import save_llama, save_tokenizer
from tests.contract.lm_eval_runs import configure, run_of
from tests.contract.lm_eval_tasks import write_tasks

TASKS = ["capitals", "yes_no", "writing", "texts", "last_words", "sums"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two Llamas of random weights, tasks, and a configuration."""
    folder = tmp_path_factory.mktemp("lm-eval")
    for name, seed in (("teacher", 1), ("student", 2)):
        save_llama(folder / name, seed=seed, positions=512)
        save_tokenizer(folder / name, chat=True)
    write_tasks(folder / "tasks")
    configure(folder, {"tasks": TASKS, "num_fewshot": 2, "include_path": "tasks"})
    return folder


@pytest.fixture(scope="module")
def done(project: Path) -> Evaluated:
    return run_of(project / "kdeval.yaml")


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
    again = run_of(project / "kdeval.yaml")
    assert again.asked == {"teacher": 0, "student": 0}
    assert again.cached["teacher"] > 80
    cached = [column for column in before if column.endswith("_cached")]
    pd.testing.assert_frame_equal(
        again.run.pairs().drop(columns=cached), before.drop(columns=cached)
    )


def test_a_chat_template_is_each_models_own(project: Path) -> None:
    """The prompt that samples show is the teacher's, rendered; documents still meet."""
    file = configure(
        project,
        {"tasks": ["capitals"], "include_path": "tasks", "apply_chat_template": True,
         "system_instruction": "Be brief.", "limit": 3},
        name="chat.yaml",
    )  # fmt: skip
    done = run_of(file, "chat")
    samples = done.run.samples()
    assert len(samples) == 3
    assert samples["text"].iloc[0].startswith("<|system|>Be brief.<|end|><|user|>")
    notes = "\n".join(compare_run(done.run).notes)
    assert "with each model's chat template" in notes
    assert "only the first 3 documents of 16, which are no random sample" in notes
