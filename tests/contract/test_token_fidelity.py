"""A run that compares language models token by token."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import kdeval.diagnostics.token_fidelity as diagnostics
from kdeval.config.schema import load_config
from kdeval.diagnostics.token_divergence import NotFiniteError, token_figures
from kdeval.errors import ConfigError, ModelError, UsageError
from kdeval.stats.fidelity.divergence import divergences
from kdeval.store.run_directory import RunDirectory
from kdeval.workflows.evaluate import evaluate
from tests.contract.causal_models import save_gpt2, save_llama, save_tokenizer

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a run's configuration over tiny models; a student may have a tokenizer of its own."""

    def made(*, asked: Any = True, own_tokenizer: bool = False, **changes: Any) -> Path:
        for seed, name in enumerate(("teacher", "student")):
            (tmp_path / name).mkdir(exist_ok=True)
            save_llama(tmp_path / name, seed=seed)
            save_tokenizer(tmp_path / name, chat=True)
        if own_tokenizer:
            save_gpt2(tmp_path / "student")
            _rename_a_token(tmp_path / "student" / "tokenizer.json")
        rows = [{"t": f"one two {n}", "y": "four five"} for n in range(6)]
        (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        suite = {"name": "texts", "data": "texts.jsonl", "kind": "generation", "input": "t",
                 "reference": "y", "scorers": ["token_f1"], "max_new_tokens": 7}  # fmt: skip
        (tmp_path / "texts.yaml").write_text(yaml.safe_dump(suite))
        models = [
            {"name": name, "type": "causal_lm", "path": name, "device": "cpu"}
            for name in ("teacher", "student")
        ]
        config = {"suites": ["texts.yaml"], "teacher": models[0], "students": models[1:],
                  "latency_probe": False, "token_fidelity": asked, **changes}  # fmt: skip
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
        return tmp_path / "run.yaml"

    return made


def _rename_a_token(file: Path) -> None:
    """Another vocabulary over the same bytes: one merged token is gone."""
    data = json.loads(file.read_text())
    merged = " ".join(data["model"]["merges"][-1]) if isinstance(
        data["model"]["merges"][-1], list) else data["model"]["merges"][-1]  # fmt: skip
    data["model"]["merges"].pop()
    del data["model"]["vocab"][merged.replace(" ", "")]
    file.write_text(json.dumps(data))


def run(file: Path, **more: Any) -> RunDirectory:
    return evaluate(load_config(file), file.parent / "out", **more).run


def test_every_token_of_the_teachers_answers_has_its_row(make: Make) -> None:
    """Scalars only, at temperature 1 and at the distillation temperature."""
    found = run(make(distillation_temperature=4.0)).tokens()
    assert found is not None
    assert found.settings["text"] == "teacher_output"
    assert found.settings["temperature"] == 4.0
    assert found.texts["reason"].isna().all()
    assert found.texts["same_tokens"].all()
    assert found.texts["same_prompt"].all()
    counts = found.tokens.groupby("sample_id", observed=True).size()
    assert counts.to_dict() == dict(
        zip(found.texts["sample_id"], found.texts["teacher_tokens"], strict=True)
    )
    tokens = found.tokens
    assert (tokens["kl"] > 0).all()
    assert (tokens["teacher_entropy_at"] > tokens["teacher_entropy"]).all()
    spent = -tokens.groupby("sample_id", observed=True)["student_log_prob"].sum() / np.log(2)
    np.testing.assert_allclose(
        spent.sort_index(), found.texts.set_index("sample_id")["student_bits"].sort_index(),
        rtol=1e-4,
    )  # fmt: skip


def test_a_student_that_is_the_teacher_differs_nowhere(make: Make) -> None:
    """KL is nought and the likeliest token the same at every place."""
    file = make()
    settings = yaml.safe_load(file.read_text())
    settings["students"][0]["path"] = "teacher"
    file.write_text(yaml.safe_dump(settings))
    found = run(file).tokens()
    assert found is not None
    assert float(found.tokens["kl"].max()) < 1e-5
    assert found.tokens["same_top"].all()


def test_other_tokenizers_are_compared_in_bits_alone(make: Make) -> None:
    """Each reads the same text in its own tokens; there is no row by token."""
    found = run(make(own_tokenizer=True)).tokens()
    assert found is not None
    assert len(found.tokens) == 0
    assert not found.texts["same_tokens"].any()
    assert (found.texts["student_bits"] > 0).all()
    assert (found.texts["bytes"] > 0).all()


def test_the_reference_can_be_read_instead(make: Make) -> None:
    """Then the tokens are those of the reference."""
    found = run(make(asked={"text": "reference", "samples": 3})).tokens()
    assert found is not None
    assert len(found.texts) == 3
    assert {"".join(rows) for _, rows in found.tokens.groupby("sample_id")["token"]} == {
        "four five"
    }


def test_what_is_current_is_not_measured_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run reads no model; other settings measure anew; without them files go."""
    file = make()
    run(file)
    monkeypatch.setattr(diagnostics, "measure_tokens", _forbidden)
    assert run(file).tokens() is not None
    with pytest.raises(AssertionError, match="measured"):
        run(make(distillation_temperature=3.0))
    assert run(make(asked=False)).tokens() is None


def _forbidden(*_: Any, **__: Any) -> None:
    raise AssertionError("measured again")


def test_interrupted_nothing_half_written_is_left(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error takes the unfinished files away; the next run measures."""
    file = make()
    with monkeypatch.context() as patch:
        patch.setattr(diagnostics, "token_figures", _forbidden)
        with pytest.raises(AssertionError):
            run(file)
    assert not list((file.parent / "out").glob("t*.parquet*"))
    assert run(file).tokens() is not None


def test_without_open_weights_it_is_refused_before_anything_is_asked(make: Make) -> None:
    """A teacher that only answers cannot be compared token by token."""
    file = make(teacher={"name": "teacher", "type": "echo"})
    with pytest.raises(UsageError, match=r"open weights .* is of type \w+: leave"):
        run(file)
    assert not (file.parent / "out").exists()


def test_an_unknown_setting_is_refused(make: Make) -> None:
    """The temperature has one place in the configuration."""
    with pytest.raises(ConfigError, match="temperature"):
        load_config(make(asked={"temperature": 2}))


def test_figures_of_tokens_are_those_of_the_exact_formulas() -> None:
    """Float32 on the device against float64 in numpy; padding behind the vocabulary is cut."""
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(5, 300, generator=generator) * 3
    student = torch.cat([torch.randn(5, 300, generator=generator) * 3, torch.ones(5, 9)], 1)
    pieces = [(teacher[:2], student[:2]), (teacher[2:], student[2:])]
    found = token_figures(pieces, [0, 1, 2, 3, 299], temperature=2.0)
    p = torch.log_softmax(teacher.double(), -1).numpy()
    q = torch.log_softmax(student[:, :300].double(), -1).numpy()
    for ending, temperature in (("", 1.0), ("_at", 2.0)):
        exact = divergences(p, q, temperature=temperature)
        np.testing.assert_allclose(found[f"kl{ending}"], exact.kl, rtol=1e-4)
        np.testing.assert_allclose(found[f"js{ending}"], exact.js, rtol=1e-4)
        np.testing.assert_allclose(
            found[f"student_entropy{ending}"], exact.student_entropy, rtol=1e-4
        )
    np.testing.assert_allclose(found["teacher_log_prob"], p[range(5), [0, 1, 2, 3, 299]], rtol=1e-5)
    assert (found["same_top"] == (p.argmax(1) == q.argmax(1))).all()
    assert (found["student_top"] == q.argmax(1)).all()
    np.testing.assert_allclose(found["teacher_top_log_prob"], p.max(1), rtol=1e-4, atol=1e-5)


def test_logits_that_are_no_numbers_are_told() -> None:
    """NaN leaves the text out; a token beyond the logits is the model's fault."""
    with pytest.raises(NotFiniteError):
        token_figures([(torch.full((1, 4), torch.nan), torch.zeros(1, 4))], [0], temperature=2)
    with pytest.raises(ModelError, match="beyond the 4 logits"):
        token_figures([(torch.zeros(1, 4), torch.zeros(1, 6))], [5], temperature=2)
    with pytest.raises(ModelError, match="1 places for 2 tokens"):
        token_figures([(torch.zeros(1, 4), torch.zeros(1, 6))], [1, 2], temperature=2)


def test_two_models_that_do_not_fit_are_told_with_the_way_out(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory running out is the user's to mend, and no bug."""

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(diagnostics, "token_figures", full)
    with pytest.raises(ModelError, match="in memory together"):
        run(make())
