"""kdeval's models under lm-eval's interface: failures, limits, chats, and models that cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from kdeval.benchmarks.language_model import FAILED_LOG_LIKELIHOOD, KdevalLM
from kdeval.config.schema import RecordedModelConfig
from kdeval.errors import ModelError
from kdeval.models.echo import EchoModel
from kdeval.models.ensemble import Ensemble
from kdeval.models.protocols import Request
from kdeval.models.recorded import RecordedModel
from kdeval.records import Message
from tests.contract.causal_models import build
from tests.contract.lm_eval_instances import CONTEXTS, asked, writings


def test_what_is_cut_is_told(chat_llama: Path):
    """A context longer than the model's window is no secret."""
    ours = KdevalLM(build(chat_llama))
    ours.loglikelihood(asked("loglikelihood", ("short", " a")))
    assert ours.model.notes == ()
    ours.loglikelihood(asked("loglikelihood", (CONTEXTS[6], " a")))
    assert ours.model.notes == (
        "1 of lm-eval's prompts lost its beginning: the model takes 256 tokens",
    )


def test_a_penalty_that_is_not_applied_is_told(chat_llama: Path, tmp_path: Path):
    """Some models' own generation settings change even greedy texts of lm-eval's HF model."""
    for file in chat_llama.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    settings = json.loads((chat_llama / "generation_config.json").read_text())
    (tmp_path / "generation_config.json").write_text(
        json.dumps({**settings, "repetition_penalty": 1.3, "do_sample": True, "temperature": 0.6})
    )
    for folder, told in ((chat_llama, False), (tmp_path, True)):
        ours = KdevalLM(build(folder))
        ours.loglikelihood(asked("loglikelihood", ("a", " b")))
        assert ours.model.notes == ()
        ours.generate_until(writings(("a",), ([],), (2,)))
        assert any("repetition_penalty: 1.3" in note for note in ours.model.notes) is told


def test_what_cannot_be_scored_fails_with_a_reason(chat_llama: Path):
    """Where lm-eval's own model stops with an AssertionError: nothing to score, or too much."""
    ours = KdevalLM(build(chat_llama), on_failure="record")
    instances = asked("loglikelihood", ("a", ""), ("a", "é" * 600), ("a", " fine"))
    found = ours.loglikelihood(instances)
    assert [value for value, _ in found[:2]] == [FAILED_LOG_LIKELIHOOD] * 2
    assert found[2][0] > -100
    assert {document: reason[:30] for (_, document), reason in ours.failures.items()} == {
        0: "the continuation '' has no tok", 1: "a continuation of 1200 tokens,",
    }  # fmt: skip
    with pytest.raises(ModelError, match=r"limit|may be written"):
        KdevalLM(build(chat_llama)).generate_until(
            asked("generate_until", ("a", {"max_gen_toks": 300}))
        )


def test_failed_requests_make_no_result():
    """Unless the caller records failures, they end the evaluation with their number."""
    instances = asked("loglikelihood", *((f"c{n}", " a") for n in range(40)))
    model = EchoModel(fail_share=0.2)
    recording = KdevalLM(model, on_failure="record")
    found = recording.loglikelihood(instances)
    assert 0 < len(recording.failures) < 40
    assert {index for index, (value, _) in enumerate(found) if value == FAILED_LOG_LIKELIHOOD} == {
        document for _, document in recording.failures
    }
    failed = f"echo: {len(recording.failures)} of 40 requests failed"
    with pytest.raises(ModelError, match=failed) as caught:
        KdevalLM(model, name="echo").loglikelihood(instances)
    task = next(iter(recording.failures))[0]
    assert str(caught.value).endswith(f"leave out of --tasks: {task}")


def test_requests_come_in_an_order_that_shares_beginnings():
    """Contexts that begin alike are neighbours, and answers go back to where they belong."""
    seen: list[str] = []
    model = EchoModel()

    def ask(requests: Any) -> Any:
        seen.extend(request.input for request in requests)
        return model.log_likelihoods(requests)

    contexts = ["b1", "a", "b0", "c", "a2"]
    found = KdevalLM(model, ask=ask).loglikelihood(
        asked("loglikelihood", *((context, " x") for context in contexts))
    )
    assert seen == sorted(contexts)
    alone = [
        KdevalLM(model).loglikelihood(asked("loglikelihood", (context, " x")))[0]
        for context in contexts
    ]
    assert found == alone


def test_a_model_that_takes_messages_gets_them():
    """Without a chat template of its own, a chat reaches it as messages; stop strings hold all
    the same for a model that does not heed them.
    """
    got: list[Request] = []

    class Api:
        fingerprint = "f"

        def generate(self, requests: Any) -> Any:
            got.extend(requests)
            return EchoModel().generate(requests)

    ours = KdevalLM(Api())
    text = ours.apply_chat_template([{"role": "user", "content": "Hi there"}])
    instances = writings((text,), ([], ["re", " the"]), (20,))
    assert ours.generate_until(instances) == ["user: Hi there", "user: Hi"]
    assert got[0].input == (Message(role="user", content="Hi there"),)
    scored = KdevalLM(EchoModel())
    scored.loglikelihood(asked("loglikelihood", (text, " you")))
    assert scored.asked["t", 0].requests[0].input == got[0].input
    assert ours.tokenizer_name == "kdeval-messages"


def _ensemble(combine: Any) -> KdevalLM:
    """Two equal models as one."""
    members = {"a": EchoModel(), "b": EchoModel()}
    return KdevalLM(Ensemble("both", members, {"a": "1", "b": "2"}, combine=combine), name="both")


def test_models_that_cannot_say_so(tmp_path: Path):
    """Texts cannot be averaged nor likelihoods voted on, and a log answers its own samples."""
    likelihood, text = asked("loglikelihood", ("a", "b")), asked("generate_until", ("a", {}))
    votes, means = (_ensemble(combine) for combine in ("majority", "mean_probability"))
    with pytest.raises(ModelError, match="both: log-likelihoods of tasks cannot be voted on"):
        votes.loglikelihood(likelihood)
    with pytest.raises(ModelError, match="both: texts of generation have no probabilities"):
        means.generate_until(text)
    alone = KdevalLM(EchoModel()).loglikelihood(likelihood)[0][0]
    assert means.loglikelihood(likelihood)[0][0] == pytest.approx(alone)
    chat = means.apply_chat_template([{"role": "user", "content": "a"}])
    with pytest.raises(ModelError, match="both: each member has a chat template of its own"):
        means.loglikelihood(asked("loglikelihood", (chat, "b")))
    assert votes.generate_until(text) == ["a"]
    (tmp_path / "log.jsonl").write_text('{"id": "1", "output": "x"}\n')
    recorded = RecordedModel.from_config(
        RecordedModelConfig.model_validate(
            {"name": "log", "type": "recorded", "path": str(tmp_path / "log.jsonl"),
             "columns": {"id": "id", "output": "output"}}
        )
    )  # fmt: skip
    with pytest.raises(ModelError, match="log: recorded predictions answer the samples of a log"):
        KdevalLM(recorded, name="log").generate_until(asked("generate_until", ("a", {})))
