"""The noise floor of tiny transformers models: batch size, dtype and seed really vary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml

from kdeval.config.schema import load_config
from kdeval.models.variants import Condition
from kdeval.workflows.aa import SelfCompared, compare_with_itself
from tests.contract.causal_models import save_llama, save_tokenizer


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def causal(tmp_path: Path) -> Path:
    """A tiny Llama, a suite of labels and one of texts."""
    (tmp_path / "model").mkdir()
    save_llama(tmp_path / "model")
    save_tokenizer(tmp_path / "model")
    rows = [{"t": f"one two {n} good" + " bad" * (n % 5), "y": "good"} for n in range(24)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shared = {"data": "rows.jsonl", "input": "t", "reference": "y"}
    for name, settings in (
        ("labels", {"kind": "classification", "labels": ["good", "bad"]}),
        ("texts", {"kind": "generation", "scorers": ["exact"]}),
    ):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, **shared, **settings}))
    return tmp_path


def _measure(
    folder: Path, *vary: Condition, suite: str = "labels", temperature: float = 0.0
) -> SelfCompared:
    model = {
        "type": "causal_lm", "path": "model", "device": "cpu",
        "generation": {"max_new_tokens": 4, "temperature": temperature},
    }  # fmt: skip
    config = {
        "suites": [f"{suite}.yaml"],
        "teacher": {"name": "t", **model},
        "students": [{"name": "s", **model, "dtype": "bfloat16"}],
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    return compare_with_itself(
        load_config(folder / "run.yaml"), folder / "out", base=folder, vary=vary,
        progress=lambda *_: None,
    )  # fmt: skip


def test_dtype_and_batch_size_of_a_greedy_model(causal: Path) -> None:
    """bfloat16 moves probabilities, a batch of one hardly; each condition is asked for itself."""
    done = _measure(causal)
    (floor,) = done.floors
    found = {item.condition: item.cells[0] for item in floor.conditions}
    assert set(found) == {"batch_size", "dtype", "repeat"}
    assert done.asked == 4 * 24
    moved = {name: cell.largest_probability_change for name, cell in found.items()}
    assert moved["repeat"] is not None
    assert moved["repeat"] < 1e-5
    assert moved["batch_size"] is not None
    assert moved["batch_size"] < 1e-4
    assert moved["dtype"] is not None
    assert moved["dtype"] > 1e-3
    whole = floor.floor("labels", "label")
    assert whole is not None
    assert whole.largest_probability_change == moved["dtype"]
    assert whole.self_agreement is not None
    assert whole.self_agreement_under != "bfloat16 instead of float32"
    assert whole.numerics_agreement_under == "bfloat16 instead of float32"
    assert whole.numerics_agreement is not None
    changed = found["dtype"].changed
    assert changed is not None
    assert whole.numerics_agreement.estimate == pytest.approx(1 - (changed.estimate or 0))
    reasons = {item.condition: item.reason for item in floor.not_varied}
    assert "greedily" in reasons["seed"]
    assert _measure(causal).asked == 0


def test_seeds_of_a_model_that_samples(causal: Path) -> None:
    """Other seeds write other texts; a repeat is left out, for it would draw anew as well."""
    (floor,) = _measure(causal, suite="texts", temperature=1.5).floors
    found = {item.condition: item.cells[0] for item in floor.conditions}
    assert set(found) == {"batch_size", "seed", "dtype"}
    assert found["seed"].changed is not None
    assert (found["seed"].changed.estimate or 0) > 0.5
    assert found["batch_size"].changed is not None
    assert (found["batch_size"].changed.estimate or 0) < 0.1
    agreed = floor.floors[0].self_agreement
    assert agreed is not None
    assert agreed.estimate == pytest.approx(1 - (found["seed"].changed.estimate or 0))


def test_a_batch_size_of_one_is_compared_with_a_larger_one(causal: Path) -> None:
    """The other batch size is another one whatever is configured."""
    from kdeval.config.schema import CausalLMConfig
    from kdeval.models.causal.model import CausalLM
    from kdeval.models.variants import variants_of

    config = CausalLMConfig(name="t", type="causal_lm", path=str(causal / "model"), batch_size=1)
    (variant,), _ = variants_of(config, CausalLM(config), ["classification"], ["batch_size"])
    assert (variant.batch_size, variant.settings) == (8, {"batch_size": 8})
