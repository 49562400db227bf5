"""`kdeval lm-eval`: lm-eval's own command line, and the models that it may name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from kdeval.benchmarks.language_model import KdevalLM
from kdeval.benchmarks.model_args import model_from_args
from kdeval.errors import MissingExtraError, UsageError
from kdeval.models.echo import EchoModel
from kdeval.workflows.lm_eval_command import run_lm_eval

CONFIG = """
suites: [s.yaml]
teacher: {name: big, type: echo, seed: 1}
students: [{name: small, type: causal_lm, path: FOLDER}]
"""
SUITE = "name: s\nkind: multiple_choice\ndata: s.jsonl\ninput: q\nchoices: c\nreference: a\n"


def test_model_args_name_a_directory_or_a_configured_model(chat_llama: Path, tmp_path: Path):
    """As lm-eval hands them over; its own --batch_size counts where they say none."""
    ours = KdevalLM.create_from_arg_string(
        f"pretrained={chat_llama},dtype=float32", {"batch_size": 16, "device": "cpu"}
    )
    assert (ours.name, ours.model.batch_size, ours.model.dtype) == (chat_llama.name, 16, "float32")
    (tmp_path / "kdeval.yaml").write_text(CONFIG.replace("FOLDER", str(chat_llama)))
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
def test_wrong_model_args_are_told(args: dict[str, str], message: str, chat_llama: Path):
    """Each with the value and the way out."""
    given = {key: value.replace("LLAMA", str(chat_llama)) for key, value in args.items()}
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
    chat_llama: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
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
            "run", "--model", model, "--model_args", f"{where}={chat_llama},dtype=float32",
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
