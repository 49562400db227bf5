"""A student that is measured while transformers' Trainer trains it, for real."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate", reason="the Trainer needs accelerate")

from kdeval.compare.compute import compare_run  # noqa: E402
from kdeval.config.schema import load_config  # noqa: E402
from kdeval.errors import ConfigError, DataError, ModelError, RunError  # noqa: E402
from kdeval.models.echo import EchoModel  # noqa: E402
from kdeval.models.live import live_model  # noqa: E402
from kdeval.models.resolver import build_model  # noqa: E402
from kdeval.report.document import report_document  # noqa: E402
from kdeval.report.html.page import report_html  # noqa: E402
from kdeval.store.run_directory import RunDirectory  # noqa: E402
from kdeval.training.callback import KdevalCallback  # noqa: E402
from tests.contract.causal_models import save_llama, save_tokenizer  # noqa: E402
from tests.contract.conftest import LABELS, WORDS  # noqa: E402

_CONFIG = """\
suites: [suite.yaml]
seed: 3
teacher: {name: teacher, type: echo, seed: 5}
students:
  - {name: student, type: sequence_classifier, path: nowhere, batch_size: 16}
costs:
  student: {usd_per_request: 0.001}
"""
_SUITE = """\
name: films
kind: classification
data: films.jsonl
id: id
input: "{{ text }}"
reference: "{{ label }}"
labels: [negative, positive]
"""
N = 80


def _texts(n: int, seed: int) -> list[tuple[str, int]]:
    rng = np.random.default_rng(seed)
    rows = [" ".join(rng.choice(WORDS, size=6)) for _ in range(n)]
    return [(text, int("good" in text)) for text in rows]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    rows = [
        {"id": f"r{index}", "text": f"{text} {index}", "label": LABELS[label]}
        for index, (text, label) in enumerate(_texts(N, 1))
    ]
    (tmp_path / "films.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "suite.yaml").write_text(_SUITE)
    file = tmp_path / "kdeval.yaml"
    file.write_text(_CONFIG)
    return file


def _trainer(tiny_bert: Path, out: Path, callbacks: list[Any], **changes: Any) -> Any:
    """Three steps on CPU, evaluated and saved after each; dropout is on."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tiny_bert)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert)
    examples = [{**tokenizer(text), "labels": label} for text, label in _texts(24, 2)]
    settings = {
        "max_steps": 3, "eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps",
        "save_steps": 1, "per_device_train_batch_size": 8, "learning_rate": 0.01, "seed": 0,
        "report_to": [], "use_cpu": True, "disable_tqdm": True, "logging_strategy": "no",
    } | changes  # fmt: skip
    return transformers.Trainer(
        model=model,
        args=transformers.TrainingArguments(output_dir=str(out), **settings),
        train_dataset=examples,
        eval_dataset=examples[:4],
        processing_class=tokenizer,
        data_collator=transformers.DataCollatorWithPadding(tokenizer),
        callbacks=callbacks,
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Samples that the teacher was asked."""
    found: list[str] = []
    classify = EchoModel.classify

    def counted(self, requests):
        found.extend(request.sample_id for request in requests)
        return classify(self, requests)

    monkeypatch.setattr(EchoModel, "classify", counted)
    return found


def test_each_checkpoint_is_a_student(
    tiny_bert: Path, config: Path, tmp_path: Path, asked: list[str]
) -> None:
    """Three students, a series, a teacher asked once; answers are those of the saved weights."""
    callback = KdevalCallback(config, tmp_path / "run")
    _trainer(tiny_bert, tmp_path / "out", [callback]).train()
    assert len(asked) == N
    run = RunDirectory.open(tmp_path / "run")
    names = [entry.name for entry in run.manifest.students]
    assert names == ["student-1", "student-2", "student-3"]
    assert len({entry.fingerprint for entry in run.manifest.students}) == 3
    assert run.manifest.students[0].price == {"usd_per_request": 0.001}
    assert run.manifest.series[0].members == tuple(names)
    compared = compare_run(run)
    (curve,) = compared.series[0].checkpoints
    assert [point.step for point in curve.points] == [1.0, 2.0, 3.0]
    assert "Learning curve" in report_html(report_document(run, compared))
    frame = run.pairs(["student", "sample_id", "student_log_probs"])
    for step in (1, 3):
        settings = load_config(config, live=("student",)).students[0]
        saved = build_model(
            settings.model_copy(update={"path": str(tmp_path / "out" / f"checkpoint-{step}")})
        )
        live = frame[frame["student"] == f"student-{step}"]
        requests = _requests(run)
        found = np.array([list(r.log_probs.values()) for r in saved.classify(requests)])
        assert np.abs(found - np.stack(live["student_log_probs"].tolist())).max() < 1e-5


def _requests(run: RunDirectory) -> list[Any]:
    from kdeval.models.protocols import Request

    samples = run.samples(["sample_id", "text"])
    return [
        Request(sample_id=row[0], suite="films", kind="classification", input=row[1], labels=LABELS)
        for row in samples.itertuples(index=False)
    ]


def test_training_goes_on_as_if_it_had_not_been_measured(
    tiny_bert: Path, config: Path, tmp_path: Path
) -> None:
    """With dropout, the weights after three steps are the same to the last bit."""
    found = []
    for name, callbacks in (("with", [KdevalCallback(config, tmp_path / "run")]), ("without", [])):
        trainer = _trainer(tiny_bert, tmp_path / name, callbacks)
        trainer.train()
        found.append({key: value.clone() for key, value in trainer.model.state_dict().items()})
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_a_resumed_training_takes_up_its_checkpoints(
    tiny_bert: Path, config: Path, tmp_path: Path, asked: list[str]
) -> None:
    """Two steps, then a new process resumes from them: one run with all three."""
    out, run = tmp_path / "out", tmp_path / "run"
    _trainer(tiny_bert, out, [KdevalCallback(config, run)], max_steps=2).train()
    before = compare_run(RunDirectory.open(run)).student("student-1")
    _trainer(tiny_bert, out, [KdevalCallback(config, run)]).train(
        resume_from_checkpoint=str(out / "checkpoint-2")
    )
    done = RunDirectory.open(run)
    assert [entry.name for entry in done.manifest.students] == [f"student-{k}" for k in (1, 2, 3)]
    assert compare_run(done).student("student-1").cells == before.cells
    assert len(asked) == N


def test_a_new_training_starts_anew(tiny_bert: Path, config: Path, tmp_path: Path) -> None:
    for steps in (2, 1):
        callback = KdevalCallback(config, tmp_path / "run", when="save")
        _trainer(tiny_bert, tmp_path / f"out{steps}", [callback], max_steps=steps).train()
    manifest = RunDirectory.open(tmp_path / "run").manifest
    assert [entry.name for entry in manifest.students] == ["student-1"]
    assert manifest.series == ()


def test_other_suites_are_no_continuation(tiny_bert: Path, config: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    _trainer(tiny_bert, out, [KdevalCallback(config, run)], max_steps=1).train()
    lines = (tmp_path / "films.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "films.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(RunError, match="measured on other suites"):
        _trainer(tiny_bert, out, [KdevalCallback(config, run)]).train(
            resume_from_checkpoint=str(out / "checkpoint-1")
        )


def test_a_bad_configuration_stops_before_the_first_step(
    tiny_bert: Path, config: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="there is no model 'pupil' to be trained"):
        KdevalCallback(config, tmp_path / "run", student="pupil")
    (tmp_path / "films.jsonl").write_text("")
    trainer = _trainer(tiny_bert, tmp_path / "out", [KdevalCallback(config, tmp_path / "run")])
    with pytest.raises(DataError, match="empty"):
        trainer.train()
    assert trainer.state.global_step == 0


def test_a_later_failure_is_logged_and_training_goes_on(
    tiny_bert: Path, config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another process holds the run's lock at the second step."""
    from kdeval.store.predictions import writer_lock

    held = []

    class Holder(transformers.TrainerCallback):
        def on_step_begin(self, args, state, control, **found):
            if state.global_step == 1:
                held.append(writer_lock(tmp_path / "run" / "predictions.sqlite"))
            elif held:
                held.pop().close()

    callbacks = [KdevalCallback(config, tmp_path / "run"), Holder()]
    with caplog.at_level(logging.WARNING, logger="kdeval"):
        trainer = _trainer(tiny_bert, tmp_path / "out", callbacks)
        trainer.train()
    assert trainer.state.global_step == 3
    assert "could not measure step 2" in caplog.text
    manifest = RunDirectory.open(tmp_path / "run").manifest
    assert [entry.name for entry in manifest.students] == ["student-1", "student-3"]


def test_sharded_weights_are_refused(config: Path, tmp_path: Path) -> None:
    class State:
        is_world_process_zero = True
        global_step = 0

    class Sharded:
        fsdp = "full_shard"

    with pytest.raises(ModelError, match="sharded"):
        KdevalCallback(config, tmp_path / "run").on_train_begin(
            Sharded(), State(), None, model=None
        )


def test_other_processes_do_nothing(config: Path, tmp_path: Path) -> None:
    class State:
        is_world_process_zero = False
        global_step = 1

    callback = KdevalCallback(config, tmp_path / "run")
    callback.on_train_begin(None, State(), None, model=None)
    callback.on_evaluate(None, State(), None, model=None)
    assert not (tmp_path / "run").exists()


def test_a_live_language_model_answers_as_its_saved_weights(tmp_path: Path) -> None:
    """Choosing and writing; and its fingerprint follows the weights."""
    from kdeval.config.transformers_models import CausalLMConfig
    from kdeval.models.protocols import Request

    folder = tmp_path / "llama"
    folder.mkdir()
    save_llama(folder)
    save_tokenizer(folder)
    settings = CausalLMConfig(
        name="lm", type="causal_lm", path=str(folder), generation={"max_new_tokens": 6}
    )
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    live, saved = live_model(settings, model, tokenizer), build_model(settings)
    choose = [
        Request(
            sample_id="a", suite="x", kind="multiple_choice", input="The capital of Italy is",
            choices=("Rome", "Paris"),
        )
    ]  # fmt: skip
    one, other = live.score_choices(choose)[0], saved.score_choices(choose)[0]
    assert one.log_probs == pytest.approx(other.log_probs, abs=1e-5)
    write = [Request(sample_id="b", suite="x", kind="generation", input="The capital of France")]
    assert live.generate(write)[0].output == saved.generate(write)[0].output
    before = live.fingerprint
    assert live_model(settings, model, tokenizer).fingerprint == before
    with torch.no_grad():
        model.model.embed_tokens.weight[0, 0] += 1
    assert live_model(settings, model, tokenizer).fingerprint != before
