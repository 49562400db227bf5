"""An exported teacher is replayed as it answered: the same comparison without the model."""

from __future__ import annotations

import errno
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kdeval.config.schema import load_config
from kdeval.errors import ConfigError, DataError, RunError, UsageError
from kdeval.gate.baseline import baseline_of
from kdeval.records import Response
from kdeval.store.export_file import is_export
from kdeval.store.run_directory import RunDirectory
from kdeval.workflows.evaluate import evaluate
from kdeval.workflows.export import export_answers

_MODEL = '''\
"""Tells everything that an answer can tell, and fails now and then."""
import hashlib, math
from kdeval.records import Response, Timing, ToolCall

class Rich:
    parameters = 1234
    def __init__(self, seed):
        self.fingerprint = f"rich-{seed}"
    def classify(self, requests):
        return [self._chosen(r, r.labels) for r in requests]
    def score_choices(self, requests):
        return [self._chosen(r, tuple(map(str, range(len(r.choices))))) for r in requests]
    def generate(self, requests):
        return [self._told(r, output=f"the answer is {self._share(r):.1f}", truncated=True,
                           tool_calls=(ToolCall(name="f", arguments={"x": [1]}),),
                           samples=("a", "b"), reasoning_tokens=3) for r in requests]
    def score_texts(self, requests):
        return [self._told(r, output=r.choices[0]) for r in requests]
    def _share(self, request):
        text = f"{self.fingerprint}{request.text}".encode()
        return hashlib.sha256(text).digest()[0] / 255
    def _chosen(self, request, options):
        p = 0.1 + 0.8 * self._share(request)
        rest = math.log((1 - p) / (len(options) - 1))
        logs = {option: rest for option in options}
        logs[options[-1]] = math.log(p)
        best = max(options, key=logs.get)
        return self._told(request, output=best, log_probs=logs, confidence=math.exp(logs[best]),
                          top_log_probs={" x": -0.1, "\\u00e9": -3.3})
    def _told(self, request, **told):
        share = self._share(request)
        if share < 0.1:
            return Response(error=f"Timeout: no answer to {request.text!r}")
        timing = Timing(origin="wall", total_s=share, first_token_s=share / 3,
                        between_tokens_s=share / 7, queue_s=0.01)
        return Response(**told, input_tokens=7, output_tokens=11, mean_log_prob=-share / 3,
                        timing=timing, cost_usd=share / 1000)
'''
_SUITES = {
    "labels": 'kind: classification\nreference: "{{ label }}"\nlabels: [odd, even]\n',
    "choices": (
        'kind: multiple_choice\nreference: "{{ index }}"\nchoices: ["p", "q", "{{ text }}"]\n'
    ),
    "texts": (
        'kind: generation\nreference: "{{ number }}"\nscorers: [numeric, rougeL, wer]\n'
    ),
    "likely": 'kind: likelihood\nreference: "{{ text }} {{ label }}"\n',
}  # fmt: skip
_NOT_COMPARED = ("teacher_cached", "student_cached", "teacher_key", "student_key")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Four suites of 60 samples and a finished run of two models over them, in `run`."""
    _write_data(tmp_path)
    for name, settings in _SUITES.items():
        (tmp_path / f"{name}.yaml").write_text(
            f'name: {name}\ndata: data.jsonl\nid: id\ninput: "{{{{ text }}}}"\n{settings}'
        )
    (tmp_path / "rich_model.py").write_text(_MODEL)
    _evaluate(tmp_path, "run", _live("big"), _live("small"))
    return tmp_path


def _write_data(directory: Path, changed: tuple[int, ...] = (), extra: int = 0) -> None:
    rows = [
        {
            "id": f"n{i}",
            "text": f"number {i}{' indeed' if i in changed else ''}",
            "label": "even" if i % 2 == 0 else "odd",
            "index": i % 3,
            "number": round((i % 10) / 10, 1),
        }
        for i in range(60 + extra)
    ]
    (directory / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _written(project: Path, out: str, teacher: Any, student: Any) -> Path:
    config = {
        "suites": [f"{name}.yaml" for name in _SUITES],
        "latency_probe": False,
        "teacher": teacher,
        "students": [student],
    }
    (project / f"{out}.yaml").write_text(json.dumps(config))
    return project / f"{out}.yaml"


def _evaluate(project: Path, out: str, teacher: Any, student: Any) -> Any:
    config = load_config(_written(project, out, teacher, student))
    return evaluate(config, project / out, base=project)


def _live(name: str) -> dict[str, Any]:
    return {"name": name, "type": "rich_model:Rich", "options": {"seed": name}}


def _recorded(name: str, path: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "type": "recorded", "path": path, **settings}


def _pairs(run: Path, *left_out: str) -> pd.DataFrame:
    table = pd.read_parquet(run / "pairs.parquet")
    return table.drop(columns=[*_NOT_COMPARED, *left_out])


def test_recorded_models_give_the_same_pairs(project: Path) -> None:
    """Outputs, scores, probabilities, tokens, costs, latencies, errors: bit by bit."""
    for name in ("big", "small"):
        done = export_answers(project / "run", project / f"{name}.jsonl", model=name)
        assert done.answers == 240
        assert 0 < done.failed < 60
    replayed = _evaluate(
        project, "ci", _recorded("big", "big.jsonl"), _recorded("small", "small.jsonl")
    )
    assert replayed.warnings == ()
    before, after = _pairs(project / "run"), _pairs(project / "ci")
    assert before["teacher_error"].notna().any()
    for column in ("log_probs", "top_log_probs", "samples", "truncated", "between_tokens_s"):
        assert before[f"teacher_{column}"].notna().any(), column
    pd.testing.assert_frame_equal(before, after, check_exact=True)
    first, second = (RunDirectory.open(project / name) for name in ("run", "ci"))
    assert baseline_of(first).suites == baseline_of(second).suites
    assert second.manifest.teacher.parameters == first.manifest.teacher.parameters == 1234


def test_without_text_the_scores_are_the_same(project: Path) -> None:
    """Nothing that a model wrote is in the file, nor any input; labels and choices stay."""
    done = export_answers(project / "run", project / "big.jsonl.gz", text=False)
    texts = _pairs(project / "run").query("suite == 'texts' and metric == 'wer'")
    assert done.without_text == texts["teacher_error"].isna().sum()
    text = gzip.decompress((project / "big.jsonl.gz").read_bytes()).decode()
    assert "number" not in text
    assert "answer is" not in text
    _evaluate(project, "ci", _recorded("big", "big.jsonl.gz"), _live("small"))
    told = ("output", "tool_calls", "samples", "error", "score_reason")
    words = [f"teacher_{name}" for name in told]
    before, after = _pairs(project / "run", *words), _pairs(project / "ci", *words)
    pd.testing.assert_frame_equal(before, after, check_exact=True)
    errors = pd.read_parquet(project / "ci" / "pairs.parquet")["teacher_error"].dropna()
    assert set(errors) == {"Timeout"}


def test_the_same_run_gives_the_same_bytes(project: Path) -> None:
    """So that a commit shows what changed and nothing else."""
    for name in ("one.jsonl", "two.jsonl", "one.jsonl.gz", "two.jsonl.gz"):
        export_answers(project / "run", project / name)
    for suffix in ("jsonl", "jsonl.gz"):
        one, two = (project / f"{name}.{suffix}" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    header, first, *_ = (project / "one.jsonl").read_text().splitlines()
    assert json.loads(header)["model"]["fingerprint"]
    assert str(project) not in header
    assert list(json.loads(first)) == [
        "suite", "id", "content_hash", "key", "response", "checksum",
    ]  # fmt: skip


def test_samples_that_changed_or_came_later_have_no_answer(project: Path) -> None:
    """They are told and counted as failed, never answered with what was said to others."""
    export_answers(project / "run", project / "big.jsonl")
    _write_data(project, changed=(3, 4), extra=5)
    done = _evaluate(project, "ci", _recorded("big", "big.jsonl"), _live("small"))
    told = [line for line in done.warnings if "suite 'labels'" in line]
    assert any("5 of 65 samples" in line and "'n60'" in line for line in told)
    assert any("2 of 65 samples" in line and "'n3', 'n4'" in line for line in told)
    pairs = pd.read_parquet(project / "ci" / "pairs.parquet").query("suite == 'labels'")
    errors = pairs.set_index("sample_id")["teacher_error"]
    assert "changed since" in errors["n3"]
    assert "not asked" in errors["n62"]


@pytest.mark.parametrize("text", [True, False])
def test_a_corrected_reference_keeps_the_answer(project: Path, text: bool) -> None:
    """It is marked by the new reference; not where a score by the old one stands for a text."""
    export_answers(project / "run", project / "big.jsonl", text=text)
    data = project / "data.jsonl"
    data.write_text(data.read_text().replace('"label": "odd"', '"label": "even"', 1))
    replayed = _evaluate(project, "ci", _recorded("big", "big.jsonl"), _live("small"))
    changed = [line for line in replayed.warnings if "changed since" in line]
    suites = ["likely"] if text else ["labels", "likely"]  # the text whose likelihood is asked
    assert len(changed) == len(suites)
    for line, suite in zip(changed, suites, strict=True):
        assert f"1 of 60 samples of suite '{suite}'" in line
    if not text:
        return
    before, after = (
        pd.read_parquet(project / name / "pairs.parquet").set_index(["suite", "sample_id"])
        for name in ("run", "ci")
    )
    place = ("labels", "n1")
    assert pd.isna(before.loc[place, "teacher_error"])
    assert after.loc[place, "teacher_output"] == before.loc[place, "teacher_output"]
    assert after.loc[place, "teacher_score"] == 1 - before.loc[place, "teacher_score"]


def test_what_is_not_asked_is_not_missed(project: Path) -> None:
    """An export of a part, replayed with the same --limit, has every answer."""
    config = load_config(project / "run.yaml")
    evaluate(config, project / "part", base=project, limit=10)
    export_answers(project / "part", project / "part.jsonl", text=False)
    teacher = _recorded("big", "part.jsonl")
    replayed = load_config(_written(project, "ci", teacher, _live("small")))
    assert evaluate(replayed, project / "ci", base=project, limit=10).warnings == ()
    more = evaluate(replayed, project / "more", base=project, limit=15).warnings
    assert any("of 15 samples of suite 'labels' were not asked" in line for line in more)


def test_a_price_beside_recorded_costs_is_told(project: Path) -> None:
    """What was paid comes first, so the configured price would be ignored without a word."""
    export_answers(project / "run", project / "big.jsonl")
    file = _written(project, "ci", _recorded("big", "big.jsonl"), _live("small"))
    config = json.loads(file.read_text()) | {"costs": {"big": {"usd_per_request": 9.0}}}
    file.write_text(json.dumps(config))
    summary = evaluate(load_config(file), project / "ci", base=project).summary
    told = [line for line in summary if "is not used" in line]
    assert len(told) == 1
    assert told[0].startswith("warning: big: its price under `costs`")


def test_scores_by_other_scorers_do_not_stand_for_texts(project: Path) -> None:
    """With the text the answers are marked again; without, the run is refused."""
    export_answers(project / "run", project / "whole.jsonl")
    export_answers(project / "run", project / "bare.jsonl", text=False)
    suite = project / "texts.yaml"
    suite.write_text(suite.read_text().replace("rougeL", "{type: rouge1}"))
    _evaluate(project, "whole", _recorded("big", "whole.jsonl"), _live("small"))
    with pytest.raises(DataError, match="suite 'texts' is not marked as when this was exported"):
        _evaluate(project, "bare", _recorded("big", "bare.jsonl"), _live("small"))


def _cut(text: str) -> str:
    return "".join(text.splitlines(keepends=True)[:-3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_cut, "237 answers, but its header tells 240"),
        (lambda text: text.replace('"schema_version":2', '"schema_version":9', 1), "version 9"),
        (lambda text: text.replace('"content_hash"', '"hash"', 1), "big.jsonl:2: 'content_hash'"),
        (lambda text: text.partition("\n")[2], "map its columns"),
        (
            lambda text: text.replace('"labels","id"', '"other","id"'),
            "jsonl:2: the answer to 'n0' of",
        ),
        (lambda text: text.replace('"output":"odd"', '"output":"even"', 1), "export the run again"),
    ],
)
def test_a_damaged_file_is_refused(
    project: Path, change: Callable[[str], str], message: str
) -> None:
    """With the file, what is wrong, and how to mend it."""
    file = project / "big.jsonl"
    export_answers(project / "run", file)
    file.write_text(change(file.read_text()))
    with pytest.raises(DataError, match=message):
        _evaluate(project, "ci", _recorded("big", "big.jsonl"), _live("small"))


def test_columns_of_an_export_are_refused(project: Path) -> None:
    """There is nothing to map."""
    export_answers(project / "run", project / "big.jsonl")
    assert is_export(project / "big.jsonl")
    assert not is_export(project / "data.jsonl")
    model = _recorded("big", "big.jsonl", columns={"id": "id", "output": "response"})
    with pytest.raises(ConfigError, match="leave out `columns`"):
        _evaluate(project, "ci", model, model | {"name": "again"})


def test_a_full_disk_leaves_what_was_there(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that says where, the file of before, and no part of a new one."""
    out = project / "big.jsonl"
    export_answers(project / "run", out)
    before = out.read_bytes()

    def full(response: Response) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kdeval.workflows.export.encode_response", full)
    with pytest.raises(UsageError, match=r"cannot write .*big\.jsonl: No space left on device"):
        export_answers(project / "run", out)
    assert out.read_bytes() == before
    assert not list(project.glob("*.partial"))


def test_what_cannot_be_exported_is_said(project: Path) -> None:
    """Another model, another format, a run without its answers."""
    run = project / "run"
    with pytest.raises(UsageError, match=r"no 'bog' in the run; did you mean 'big'\?"):
        export_answers(run, project / "x.jsonl", model="bog")
    with pytest.raises(UsageError, match=r"ends in \.jsonl"):
        export_answers(run, project / "x.csv")
    (project / "x.jsonl").mkdir()
    with pytest.raises(UsageError, match="is a directory"):
        export_answers(run, project / "x.jsonl")
    (run / "predictions.sqlite").unlink()
    with pytest.raises(RunError, match=r"predictions\.sqlite is missing"):
        export_answers(run, project / "y.jsonl")
