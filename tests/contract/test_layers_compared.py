"""A run that compares language models layer by layer, from the models to the report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

import kdeval.diagnostics.hidden_states as diagnostics
from kdeval.compare.compute import compare_run
from kdeval.compare.hidden_states import HiddenStateFigures
from kdeval.compare.layers_compared import hidden_states_of
from kdeval.config.schema import load_config
from kdeval.errors import ConfigError, ModelError, UsageError
from kdeval.models.causal.model import CausalLM
from kdeval.report.document import report_document
from kdeval.report.html.page import report_html
from kdeval.report.markdown import report_markdown
from kdeval.report.terminal import report_renderables
from kdeval.store.hidden import HIDDEN_FILES
from kdeval.store.run_directory import RunDirectory
from kdeval.workflows.evaluate import evaluate
from tests.contract.causal_models import save_gpt2
from tests.contract.inside_models import LAYERS, SAMPLES, save_layered, write_choices

FEW = 16
STUDENTS = {
    "copy": {}, "dropped": {"dropped": (3,)}, "noisy": {"noise": 0.05}, "noisier": {"noise": 0.4},
    "narrow": {"hidden": 16, "layers": 3, "seed": 5},
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a teacher with students that are made of it, and a narrower one."""
    base = tmp_path_factory.mktemp("layers")
    save_layered(base / "teacher")
    for name, changes in STUDENTS.items():
        save_layered(base / name, **changes)  # type: ignore[arg-type]
    evaluate(load_config(write_choices(base, list(STUDENTS))), base / "out")
    return base


@pytest.fixture(scope="module")
def figures(project: Path) -> dict[str, HiddenStateFigures]:
    found = hidden_states_of(RunDirectory.open(project / "out"), 0.95)
    return {name: suite for name, (suite,) in found.items()}


def estimate(found: HiddenStateFigures) -> float:
    assert found.mean is not None
    assert found.mean.estimate is not None
    return found.mean.estimate


def test_a_copy_is_the_teacher_at_every_layer(figures: dict[str, HiddenStateFigures]) -> None:
    """CKA 1 along the diagonal, every relation kept, the same attention, no head moved."""
    found = figures["copy"]
    assert found.samples == SAMPLES
    assert [pair.teacher for pair in found.pairs] == list(range(LAYERS + 1))
    assert [pair.nearest for pair in found.pairs] == list(range(LAYERS + 1))
    for pair in found.pairs:
        assert pair.cka.estimate == pytest.approx(1, abs=1e-9)
        assert pair.as_near == (pair.teacher,)
    assert found.unmatched == ()
    assert found.relations is not None
    assert found.relations.distances.loss.estimate == pytest.approx(0, abs=1e-9)
    assert found.relations.angles.correlation.estimate == pytest.approx(1)
    assert found.attention is not None
    assert [pair.student for pair in found.attention.pairs] == list(range(1, LAYERS + 1))
    for attended in found.attention.pairs:
        assert attended.divergence.estimate == pytest.approx(0, abs=1e-9)
        assert attended.kept_heads == attended.heads == 4


def test_a_layer_that_was_dropped_is_found(figures: dict[str, HiddenStateFigures]) -> None:
    """The mapping leaves out what the fourth block (layer 4) wrote, and is exact before it."""
    found = figures["dropped"]
    assert found.unmatched == (4,)
    assert [pair.teacher for pair in found.pairs] == [0, 1, 2, 3, 5, 6]
    assert [pair.cka.estimate for pair in found.pairs[:4]] == [pytest.approx(1)] * 4
    assert found.pairs[-1].cka.high is not None
    assert found.pairs[-1].cka.high < 1


def test_more_noise_is_less_alike(figures: dict[str, HiddenStateFigures]) -> None:
    """In layers, in attention and in how samples stand to each other; and above chance."""
    little, much = figures["noisy"], figures["noisier"]
    assert 1 > estimate(little) > estimate(much)
    assert much.unrelated is not None
    assert estimate(much) > much.unrelated
    for one, other in ((little, much),):
        assert one.relations is not None
        assert other.relations is not None
        losses = [item.relations.angles.loss.estimate for item in (one, other) if item.relations]
        assert losses[0] < losses[1]  # type: ignore[operator]
        shares = [
            [pair.divergence.estimate or 0.0 for pair in item.attention.pairs]
            for item in (one, other)
            if item.attention is not None
        ]
        assert max(shares[0]) < min(shares[1])


def test_another_width_and_depth_compare(figures: dict[str, HiddenStateFigures]) -> None:
    """A table of four rows and seven columns; an unrelated model is far from a copy."""
    found = figures["narrow"]
    assert (len(found.cka), len(found.cka[0])) == (4, LAYERS + 1)
    assert found.student_layers == (0, 1, 2, 3)
    assert estimate(found) < estimate(figures["noisier"])


def test_every_form_of_the_report_tells_it(project: Path) -> None:
    """A section with a drawn map, lines on the terminal and in Markdown, and the JSON."""
    run = RunDirectory.open(project / "out")
    document = report_document(run, compare_run(run), include_text=False)
    page = report_html(document)
    section = page[page.index('id="layers"') : page.index('id="speed"')]
    assert "What the layers learnt" in section
    assert section.count("<svg") == len(STUDENTS)
    assert "none with 4" in section
    lines = report_markdown(document)
    console = Console(width=4000, record=True)
    console.print(*report_renderables(document))
    for text in (section, lines, console.export_text()):
        assert "All of them are the same, up to rounding" in text
        assert "explains and does not judge" in text
    [details] = [item for item in document.details if item.student == "copy"]
    assert details.layers[0].pairs[2].teacher == 2


def test_what_is_current_is_not_read_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One changed student is read alone, the others are copied; without it the files go."""
    base = tmp_path / "project"
    shutil.copytree(project, base)
    file = write_choices(base, ["copy", "narrow"])
    read: list[str] = []
    plain = CausalLM.hidden_states

    def spied(self: CausalLM, requests: Sequence[Any], *, tokens: Any) -> Any:
        read.append(self._config.name)
        return plain(self, requests, tokens=tokens)

    monkeypatch.setattr(CausalLM, "hidden_states", spied)
    before = hidden_states_of(RunDirectory.open(base / "out"), 0.95)["narrow"]
    evaluate(load_config(file), base / "out")
    assert read == []
    save_layered(base / "copy", noise=0.1)
    done = evaluate(load_config(file), base / "out")
    assert set(read) == {"copy"}
    after = hidden_states_of(done.run, 0.95)
    assert after["narrow"] == before
    assert estimate(after["copy"][0]) < 1
    read.clear()
    done = evaluate(load_config(write_choices(base, ["copy"], hidden_states={"samples": 20})),
                    base / "out")  # fmt: skip
    assert set(read) == {"teacher", "copy"}
    assert hidden_states_of(done.run, 0.95)["copy"][0].samples == 20
    evaluate(load_config(write_choices(base, ["copy"], hidden_states=False)), base / "out")
    assert not any((base / "out" / name).exists() for name in HIDDEN_FILES)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    for name in ("teacher", "student"):
        save_layered(tmp_path / name, layers=1)
    return write_choices(tmp_path, ["student"], samples=FEW)


def test_models_that_were_only_read_for_it_are_released(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all answers known, no two models are in memory together."""
    evaluate(load_config(small), small.parent / "out")
    for name in HIDDEN_FILES:
        (small.parent / "out" / name).unlink()
    held: list[bool] = []
    models: list[CausalLM] = []
    plain = CausalLM.hidden_states

    def spied(self: CausalLM, requests: Sequence[Any], *, tokens: Any) -> Any:
        held.append(any(model.in_memory for model in models if model is not self))
        models.append(self)
        return plain(self, requests, tokens=tokens)

    monkeypatch.setattr(CausalLM, "hidden_states", spied)
    evaluate(load_config(small), small.parent / "out")
    assert len({id(model) for model in models}) == 2
    assert not any(held)
    assert not any(model.in_memory for model in models)


def test_interrupted_nothing_half_written_is_left(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error takes the unfinished files away; memory running out has a way out."""
    with monkeypatch.context() as patch:
        patch.setattr(diagnostics, "gram", _full)
        with pytest.raises(ModelError, match="fewer samples or layers"):
            evaluate(load_config(small), small.parent / "out")
    assert not list((small.parent / "out").glob("hidden*"))
    assert evaluate(load_config(small), small.parent / "out").run.hidden() is not None


def _full(*_: Any) -> None:
    raise MemoryError


def test_a_model_whose_code_fails_is_told(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the way out, and without a trace; the answers are kept."""

    def fails(self: CausalLM, requests: Sequence[Any], *, looking: int) -> Any:
        raise KeyError("attentions")

    monkeypatch.setattr(CausalLM, "attention_maps", fails)
    with pytest.raises(ModelError, match=r"teacher fails .* \(KeyError: 'attentions'\): leave"):
        evaluate(load_config(small), small.parent / "out")
    monkeypatch.setattr(CausalLM, "attention_maps", lambda self, requests, *, looking: [])
    with pytest.raises(ModelError, match=f"gave 0 for {FEW} samples"):
        evaluate(load_config(small), small.parent / "out")


def test_fewer_layers_and_no_attention_can_be_asked_for(small: Path) -> None:
    """Of more layers the first, the last and those between; no maps are computed."""
    save_layered(small.parent / "teacher", layers=4)
    config = yaml.safe_load(small.read_text())
    config["hidden_states"] = {"layers": 3, "attention": 0, "tokens": "last"}
    small.write_text(yaml.safe_dump(config))
    run = evaluate(load_config(small), small.parent / "out").run
    [found] = hidden_states_of(run, 0.95)["student"]
    assert (found.teacher_layers, found.student_layers) == ((0, 2, 4), (0, 1))
    assert found.attention is None
    assert found.tokens == "last"


def test_samples_that_a_model_cannot_read_are_told(small: Path) -> None:
    """By the run itself, with the reason; the others are compared."""
    file = small.parent / "student" / "config.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps({**settings, "max_position_embeddings": 16}))
    done = evaluate(load_config(small), small.parent / "out")
    [line] = [line for line in done.warnings if line.startswith("hidden_states")]
    assert "student did not read" in line
    assert "longer than the 16 tokens" in line
    [found] = hidden_states_of(done.run, 0.95)["student"]
    assert 8 <= found.samples < FEW
    assert sum(found.left_out.values()) == FEW - found.samples


def test_other_tokens_leave_attention_out(small: Path) -> None:
    """Pooled representations compare all the same; the reason is told."""
    folder = small.parent / "student"
    save_gpt2(folder)
    _without_a_merge(folder / "tokenizer.json")
    run = evaluate(load_config(small), small.parent / "out").run
    [found] = hidden_states_of(run, 0.95)["student"]
    assert found.pairs
    assert found.attention is not None
    assert found.attention.samples < FEW
    other = "the two read it as different tokens, by tokenizer or chat template"
    assert other in found.attention.left_out


def _without_a_merge(file: Path) -> None:
    """Tokens of the same texts that differ: a few merges are gone."""
    data = json.loads(file.read_text())
    for _ in range(8):
        merge = data["model"]["merges"].pop()
        pair = merge if isinstance(merge, list) else merge.split(" ")
        data["model"]["vocab"].pop("".join(pair), None)
    file.write_text(json.dumps(data))


def test_what_cannot_be_compared_is_refused_before_anything_is_asked(small: Path) -> None:
    """A teacher without weights; the first token of models that read one way; unknown settings."""
    config = yaml.safe_load(small.read_text())
    for changes, error, words in (
        ({"teacher": {"name": "teacher", "type": "echo"}}, UsageError, "is of type echo: leave"),
        ({"students": [{"name": "s", "type": "echo"}]}, UsageError, "student with open weights"),
        ({"hidden_states": {"tokens": "first"}}, UsageError, "first token sees no other"),
        ({"hidden_states": {"samples": 3}}, ConfigError, "samples"),
        ({"hidden_states": {"pooling": "mean"}}, ConfigError, "pooling"),
    ):
        small.write_text(yaml.safe_dump({**config, **changes}))
        with pytest.raises(error, match=words):
            evaluate(load_config(small), small.parent / "other")
    assert not (small.parent / "other").exists()
