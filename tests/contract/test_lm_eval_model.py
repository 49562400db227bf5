"""kdeval's models under lm-eval's interface: they answer what lm-eval's own HF model answers."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from kdeval.benchmarks.language_model import FAILED_LOG_LIKELIHOOD, KdevalLM
from kdeval.benchmarks.model_args import model_from_args
from kdeval.config.schema import RecordedModelConfig
from kdeval.errors import MissingExtraError, ModelError, UsageError
from kdeval.models.echo import EchoModel
from kdeval.models.ensemble import Ensemble
from kdeval.models.protocols import Request
from kdeval.models.recorded import RecordedModel
from kdeval.records import Message
from kdeval.workflows.lm_eval_command import run_lm_eval
from tests.contract.causal_models import (
    CORPUS,
    build,
    save_gpt2,
    save_llama,
    save_mamba,
    save_tokenizer,
)

CONTEXTS = (
    "The capital of France is",
    "The capital of France is  ",
    "",
    "one two three four\n\n",
    "Ünïcödé 日本",
    "<|bos|>The capital",
    "The capital of Italy is good. " * 40,
    "<|end|>x",
)
CONTINUATIONS = (
    " Paris",
    " Rome in Italy, good",
    "é",
    "\n",
    "a b c d e f g",
    "日本 good",
    "<|bos|> x",
)
MODELS = {
    "llama": (save_llama, False),
    "llama_bos": (save_llama, True),
    "gpt2_bos": (save_gpt2, True),
    "mamba": (save_mamba, False),
}


@pytest.fixture(scope="module", params=MODELS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a tiny model; two tokenizers begin texts with a token of their own."""
    save, bos = MODELS[request.param]
    path = tmp_path_factory.mktemp(request.param)
    save(path)
    save_tokenizer(path, bos=bos, chat=True)
    return path


@pytest.fixture(scope="module", params=[1, 4])
def both(request: pytest.FixtureRequest, folder: Path) -> tuple[HFLM, KdevalLM]:
    """lm-eval's HF model at that batch size, and ours."""
    theirs = HFLM(str(folder), device="cpu", dtype="float32", batch_size=request.param)
    return theirs, KdevalLM(build(folder, dtype="float32", batch_size=4))


def asked(kind: str, *arguments: tuple[Any, ...]) -> list[Instance]:
    """Instances, one a document."""
    return [Instance(kind, {}, args, 0, ("t", i, 1)) for i, args in enumerate(arguments)]


def greedy_pairs(model: HFLM) -> list[tuple[str, str]]:
    """Contexts with the one token that the model itself writes after each."""
    contexts = [" ".join(text.split()[:n]) for text in CORPUS for n in range(1, 6)]
    written = model.generate_until(
        asked("generate_until", *((c, {"max_gen_toks": 1}) for c in contexts)), disable_tqdm=True
    )
    pairs = zip(contexts, written, strict=True)
    return [pair for pair in pairs if pair[1] and "\ufffd" not in pair[1]]


def test_log_likelihoods_are_those_of_lm_eval(both: tuple[HFLM, KdevalLM]):
    """White space at a context's end, no context, too long a context, Unicode, special tokens."""
    theirs, ours = both
    pairs = list(itertools.product(CONTEXTS, CONTINUATIONS))
    pairs.remove(("", "<|bos|> x"))
    instances = asked("loglikelihood", *pairs, *greedy_pairs(theirs))
    expected = theirs.loglikelihood(instances, disable_tqdm=True)
    found = ours.loglikelihood(instances)
    assert [value for value, _ in found] == pytest.approx([v for v, _ in expected], abs=1e-4)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
    assert any(greedy for _, greedy in found)


def test_whole_texts_are_windowed_as_by_lm_eval(both: tuple[HFLM, KdevalLM]):
    """Texts of no token, of one window and of several; lm-eval sums them in float32."""
    theirs, ours = both
    long = " ".join(f"{n} is {n * n}; the capital of {n % 7} is Paris {n}." for n in range(50))
    instances = asked("loglikelihood_rolling", ("",), ("é",), ("The capital is Rome.",), (long,))
    expected = theirs.loglikelihood_rolling(instances, disable_tqdm=True)
    assert ours.loglikelihood_rolling(instances) == pytest.approx(expected, rel=2e-6, abs=1e-4)
    assert ours.asked["t", 3].responses[-1].output_tokens > 256


def writings(contexts: Any, stops: Any, limits: Any) -> list[Instance]:
    """Instances of every combination."""
    return asked(
        "generate_until",
        *(
            (context, {"until": until, "max_gen_toks": limit})
            for context, until, limit in itertools.product(contexts, stops, limits)
        ),
    )


def test_texts_are_those_of_lm_eval(both: tuple[HFLM, KdevalLM]):
    """Stop strings, end tokens and limits; a long prompt loses its beginning."""
    theirs, ours = both
    instances = writings(
        (*CONTEXTS[:2], *CONTEXTS[3:5], CONTEXTS[6]), (["\n", "q"], " a", []), (4, 16)
    )
    expected = theirs.generate_until(instances, disable_tqdm=True)
    assert ours.generate_until(instances) == expected
    assert len(set(expected)) > 5


def test_special_tokens_stop_texts_as_in_lm_eval(llama: Path):
    """A special token that holds a stop string ends the text, and is no part of it.

    lm-eval's own model does so one text at a time; in a batch it writes on after the stop.
    """
    theirs = HFLM(str(llama), device="cpu", dtype="float32", batch_size=1)
    instances = writings(CONTEXTS[3:], (["e"], ["<|user|>", "<|system|>"]), (24,))
    expected = theirs.generate_until(instances, disable_tqdm=True)
    assert KdevalLM(build(llama, dtype="float32")).generate_until(instances) == expected
    plain = KdevalLM(build(llama, dtype="float32")).generate_until(
        writings(CONTEXTS[3:], ([],), (24,))
    )
    assert any(len(text) < len(whole) for text, whole in zip(expected[1::2], plain, strict=True))


def test_chats_are_rendered_as_by_lm_eval(both: tuple[HFLM, KdevalLM]):
    """The template's text is scored as it is, with no second token at its beginning."""
    theirs, ours = both
    history = [{"role": "user", "content": "Rome?"}, {"role": "assistant", "content": "The"}]
    texts = [
        model.apply_chat_template(turns, add_generation_prompt=begin)
        for model in (theirs, ours)
        for turns, begin in ((history[:1], True), (history, False))
    ]
    assert texts[:2] == texts[2:]
    instances = asked("loglikelihood", *((text, " capital") for text in texts[:2]))
    expected = theirs.loglikelihood(instances, disable_tqdm=True)
    assert ours.loglikelihood(instances)[0][0] == pytest.approx(expected[0][0], abs=1e-4)
    assert ours.chat_template(True) == theirs.chat_template(True)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a tiny Llama of 256 positions."""
    path = tmp_path_factory.mktemp("llama")
    save_llama(path)
    save_tokenizer(path, bos=True, chat=True)
    return path


def test_what_is_cut_is_told(llama: Path):
    """A context longer than the model's window is no secret."""
    ours = KdevalLM(build(llama))
    ours.loglikelihood(asked("loglikelihood", ("short", " a")))
    assert ours.model.notes == ()
    ours.loglikelihood(asked("loglikelihood", (CONTEXTS[6], " a")))
    assert ours.model.notes == (
        "1 of lm-eval's prompts lost its beginning: the model takes 256 tokens",
    )


def test_a_penalty_that_is_not_applied_is_told(llama: Path, tmp_path: Path):
    """Some models' own generation settings change even greedy texts of lm-eval's HF model."""
    for file in llama.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    settings = json.loads((llama / "generation_config.json").read_text())
    (tmp_path / "generation_config.json").write_text(
        json.dumps({**settings, "repetition_penalty": 1.3, "do_sample": True, "temperature": 0.6})
    )
    for folder, told in ((llama, False), (tmp_path, True)):
        ours = KdevalLM(build(folder))
        ours.loglikelihood(asked("loglikelihood", ("a", " b")))
        assert ours.model.notes == ()
        ours.generate_until(writings(("a",), ([],), (2,)))
        assert any("repetition_penalty: 1.3" in note for note in ours.model.notes) is told


def test_what_cannot_be_scored_fails_with_a_reason(llama: Path):
    """Where lm-eval's own model stops with an AssertionError: nothing to score, or too much."""
    ours = KdevalLM(build(llama), on_failure="record")
    instances = asked("loglikelihood", ("a", ""), ("a", "é" * 600), ("a", " fine"))
    found = ours.loglikelihood(instances)
    assert [value for value, _ in found[:2]] == [FAILED_LOG_LIKELIHOOD] * 2
    assert found[2][0] > -100
    assert {document: reason[:30] for (_, document), reason in ours.failures.items()} == {
        0: "the continuation '' has no tok", 1: "a continuation of 1200 tokens,",
    }  # fmt: skip
    with pytest.raises(ModelError, match=r"limit|may be written"):
        KdevalLM(build(llama)).generate_until(asked("generate_until", ("a", {"max_gen_toks": 300})))


def test_failed_requests_make_no_result(llama: Path):
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


CONFIG = """
suites: [s.yaml]
teacher: {name: big, type: echo, seed: 1}
students: [{name: small, type: causal_lm, path: FOLDER}]
"""
SUITE = "name: s\nkind: multiple_choice\ndata: s.jsonl\ninput: q\nchoices: c\nreference: a\n"


def test_model_args_name_a_directory_or_a_configured_model(llama: Path, tmp_path: Path):
    """As lm-eval hands them over; its own --batch_size counts where they say none."""
    ours = KdevalLM.create_from_arg_string(
        f"pretrained={llama},dtype=float32", {"batch_size": 16, "device": "cpu"}
    )
    assert (ours.name, ours.model.batch_size, ours.model.dtype) == (llama.name, 16, "float32")
    (tmp_path / "kdeval.yaml").write_text(CONFIG.replace("FOLDER", str(llama)))
    (tmp_path / "s.yaml").write_text(SUITE)
    (tmp_path / "s.jsonl").write_text('{"q": "a", "c": ["x", "y"], "a": 0}\n')
    where = f"config={tmp_path}/kdeval.yaml"
    small = KdevalLM.create_from_arg_string(
        f"{where},model=small", {"batch_size": 1, "device": "cuda:0"}
    )
    assert (small.name, small.model.batch_size) == ("small", 8)
    assert isinstance(KdevalLM.create_from_arg_string(f"{where},model=big").model, EchoModel)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "takes path="),
        ({"path": "/no/such/model"}, "path=/no/such/model: no such directory"),
        ({"path": "LLAMA", "dtyp": "float32"}, "no 'dtyp'; did you mean 'dtype'"),
        ({"path": "LLAMA", "dtype": "float8"}, "dtype='float8'"),
        ({"config": "x.yaml"}, "beside config got nothing"),
    ],
)
def test_wrong_model_args_are_told(args: dict[str, str], message: str, llama: Path):
    """Each with the value and the way out."""
    given = {key: value.replace("LLAMA", str(llama)) for key, value in args.items()}
    with pytest.raises(UsageError, match=message):
        model_from_args(given)


TASK = """
task: TASK
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
"""
CHOICE = """
output_type: multiple_choice
doc_to_text: "{{q}} Answer:"
doc_to_choice: "{{choices}}"
doc_to_target: a
num_fewshot: 2
fewshot_split: test
metric_list: [{metric: acc}, {metric: acc_norm}, {metric: acc_mutual_info}]
"""
WRITING = """
output_type: generate_until
doc_to_text: "{{q}} Answer:"
doc_to_target: "{{choices[a]}}"
generation_kwargs: {until: ["\\n", "e"], max_gen_toks: 10}
metric_list: [{metric: exact_match}]
"""


def test_the_command_line_is_lm_evals(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """`kdeval lm-eval run --model kdeval` and `--model hf` differ in nothing that they log."""
    from lm_eval.tasks import TaskManager

    # lm-eval reads its own 14,000 task files first, which takes it seven seconds
    defaults = TaskManager.__init__.__defaults__
    assert defaults == (None, None, True, None)
    monkeypatch.setattr(TaskManager.__init__, "__defaults__", (None, None, False, None))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows = [
        {"q": f"Film {n}: is it good?", "choices": ["good", "bad film", "no"], "a": n % 3}
        for n in range(6)
    ]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    for name, text in (("tiny_choice", CHOICE), ("tiny_writing", WRITING)):
        head = TASK.replace("TASK", name).replace("DATA", str(tmp_path / "docs.jsonl"))
        (tasks / f"{name}.yaml").write_text(head + text)
    logs = {}
    for model, where in (("kdeval", "path"), ("hf", "pretrained")):
        out = tmp_path / model
        run_lm_eval([
            "run", "--model", model, "--model_args", f"{where}={llama},dtype=float32",
            "--tasks", "tiny_choice,tiny_writing", "--include_path", str(tasks),
            "--device", "cpu", "--log_samples", "--output_path", str(out),
        ])  # fmt: skip
        logs[model] = _logged(out)
    assert "tiny_choice" in capsys.readouterr().out
    (ours, our_results), (theirs, their_results) = logs["kdeval"], logs["hf"]
    assert len(ours) == len(theirs) == 12
    for found, expected in zip(ours, theirs, strict=True):
        assert found["prompt_hash"] == expected["prompt_hash"]
        _same(found["resps"], expected["resps"])
    assert our_results == their_results


def _logged(out: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Samples of all tasks in order, and the results."""
    rows = [
        json.loads(line)
        for file in sorted(out.rglob("samples_*.jsonl"), key=lambda file: file.name)
        for line in file.read_text().splitlines()
    ]
    results = json.loads(next(out.rglob("results_*.json")).read_text())["results"]
    return rows, results


def _same(found: Any, expected: Any) -> None:
    """Equal texts and flags, and log-likelihoods within 1e-4."""
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for mine, its in zip(found, expected, strict=True):
            _same(mine, its)
    elif re.fullmatch(r"-?\d+\.\d+", expected):
        assert float(found) == pytest.approx(float(expected), abs=1e-4)
    else:
        assert found == expected


def test_errors_of_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: Any):
    """lm-eval's help and exit codes are its own; without lm-eval there is the pip line."""
    with pytest.raises(SystemExit) as left:
        run_lm_eval(["run", "--help"])
    assert left.value.code == 0
    assert "--model_args" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        run_lm_eval(["ls", "--nonsense"])
    assert left.value.code == 2
    for raised, expected in ((KeyboardInterrupt(), SystemExit), (KeyError("x"), UsageError)):
        monkeypatch.setattr("lm_eval.__main__.cli_evaluate", lambda error=raised: _raise(error))
        with pytest.raises(expected, match=r"^130$|lm-eval failed: KeyError: 'x'"):
            run_lm_eval([])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kdeval\[lm-eval\]'"):
        run_lm_eval([])


def _raise(error: BaseException) -> None:
    raise error
