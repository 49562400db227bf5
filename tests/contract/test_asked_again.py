"""What was answered is never asked again; what would be answered otherwise is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdeval.config.schema import load_config
from kdeval.models.causal.model import CausalLM
from kdeval.models.protocols import Request
from kdeval.workflows.evaluate import evaluate
from tests.contract.causal_models import CHAT, save_llama, save_tokenizer

SAMPLES = 4


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Requests by the name of the model that was asked, counted in the models' own methods."""
    found: Counter[str] = Counter()
    for method in ("score_choices", "generate"):
        monkeypatch.setattr(CausalLM, method, _counted(getattr(CausalLM, method), found))
    return found


def _counted(method: Callable[..., Any], calls: Counter[str]) -> Callable[..., Any]:
    def counted(self: CausalLM, requests: Sequence[Request]) -> Any:
        calls[self._config.name] += len(requests)
        return method(self, requests)

    return counted


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A causal pair, a suite of choices and one of texts."""
    for seed, name in enumerate(("teacher", "student")):
        (tmp_path / name).mkdir()
        save_llama(tmp_path / name, seed=seed)
        save_tokenizer(tmp_path / name, chat=True)
    rows = [{"t": f"one two {n}", "o": ["a", "b c"], "i": n % 2, "y": "a"} for n in range(SAMPLES)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = {"data": "data.jsonl", "input": "t"}
    choices = {**common, "kind": "multiple_choice", "choices": "o", "reference": {"column": "i"}}
    texts = {**common, "kind": "generation", "reference": "y", "scorers": ["token_f1"]}
    for name, suite in {"choices": choices, "texts": texts}.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, **suite}))
    return tmp_path


def _asked(project: Path, calls: Counter[str], **student: Any) -> dict[str, int]:
    """What a run says that it asked, which is what the models were asked."""
    common = {"type": "causal_lm", "device": "cpu", "generation": {"max_new_tokens": 3}}
    config = {
        "suites": ["choices.yaml", "texts.yaml"],
        "teacher": {"name": "teacher", "path": "teacher", **common},
        "students": [{"name": "student", "path": "student", **common, **student}],
        "latency_probe": False,
    }
    (project / "run.yaml").write_text(yaml.safe_dump(config))
    calls.clear()
    done = evaluate(load_config(project / "run.yaml"), project / "out")
    assert not any(done.failures.values())
    assert calls == Counter({name: count for name, count in done.asked.items() if count})
    return done.asked


def test_a_second_run_asks_nothing_and_a_changed_model_everything(
    project: Path, calls: Counter[str]
) -> None:
    """Weights, chat template, dtype and decoding are part of the model; its batch size and the
    other model are not. What is as it was is known again.
    """
    every = 2 * SAMPLES
    assert _asked(project, calls) == {"teacher": every, "student": every}
    assert _asked(project, calls) == {"teacher": 0, "student": 0}
    assert _asked(project, calls, batch_size=2) == {"teacher": 0, "student": 0}

    save_llama(project / "student", seed=7)
    assert _asked(project, calls) == {"teacher": 0, "student": every}

    template = project / "student" / "chat_template.jinja"
    assert template.read_text() == CHAT
    template.write_text(CHAT.replace("<|end|>", "<|end|> "))
    assert _asked(project, calls) == {"teacher": 0, "student": every}

    assert _asked(project, calls, dtype="bfloat16") == {"teacher": 0, "student": every}
    decoding = {"max_new_tokens": 3, "temperature": 0.5}
    assert _asked(project, calls, generation=decoding) == {"teacher": 0, "student": every}
    normalised = {"normalize": "tokens"}
    assert _asked(project, calls, scoring=normalised) == {"teacher": 0, "student": every}

    save_llama(project / "student", seed=1)
    template.write_text(CHAT)
    assert _asked(project, calls) == {"teacher": 0, "student": 0}


def test_only_what_the_suite_changed_is_asked(project: Path, calls: Counter[str]) -> None:
    """A new sample, and a sample whose prompt changed, are asked; a changed reference is not."""
    _asked(project, calls)
    rows = [json.loads(line) for line in (project / "data.jsonl").read_text().splitlines()]
    rows[0]["t"] = "one two and more"
    rows[1]["y"], rows[1]["i"] = "b c", 0
    rows.append({"t": "one two many", "o": ["a", "b c"], "i": 1, "y": "a"})
    (project / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert _asked(project, calls) == {"teacher": 4, "student": 4}
