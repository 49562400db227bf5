"""A run with ensembles: members through the store, disagreement in the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kdeval.compare.compute import compare_run
from kdeval.config.schema import load_config
from kdeval.errors import ConfigError
from kdeval.models.echo import EchoModel
from kdeval.models.ensemble import Ensemble
from kdeval.models.protocols import Request
from kdeval.report.document import report_document
from kdeval.report.html.page import report_html
from kdeval.run.batches import batches_of
from kdeval.run.ensembles import executor_for
from kdeval.run.executor import LocalExecutor
from kdeval.run.prepare import prepare
from kdeval.store.predictions import PredictionStore
from kdeval.workflows.evaluate import Evaluated, evaluate

_SUITE = """\
name: x
kind: classification
data: data.jsonl
id: id
input: "{{ text }}"
reference: "{{ label }}"
labels: [bad, good]
"""
_MEMBERS = """\
    - {name: one, type: echo, seed: 1}
    - {name: two, type: echo, seed: 2}
    - {name: three, type: echo, seed: 3}
"""
_CONFIG = f"""\
suites: [suite.yaml]
latency_probe: false
teacher:
  name: team
  type: ensemble
  members:
{_MEMBERS}
students:
  - {{name: two, type: echo, seed: 2}}
  - name: vote
    type: ensemble
    combine: majority
    members:
{_MEMBERS}
"""


def _write(folder: Path, config: str = _CONFIG, n: int = 90) -> Path:
    rows = [
        {"id": f"r{i}", "text": f"text {i}", "label": "good" if i % 3 else "bad"} for i in range(n)
    ]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "suite.yaml").write_text(_SUITE)
    file = folder / "kdeval.yaml"
    file.write_text(config)
    return file


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Samples that any echo model was asked, in order, with the model's seed."""
    found: list[str] = []
    classify = EchoModel.classify

    def counted(self, requests):
        found.extend(f"{self.seed} {request.sample_id}" for request in requests)
        return classify(self, requests)

    monkeypatch.setattr(EchoModel, "classify", counted)
    return found


def _run(folder: Path, config: str = _CONFIG) -> Evaluated:
    return evaluate(load_config(_write(folder, config)), folder / "run")


def test_a_member_used_elsewhere_is_asked_once(tmp_path: Path, asked: list[str]) -> None:
    """Two ensembles of the same three members, one of them a student too: 3 x 90 requests."""
    _run(tmp_path)
    assert len(asked) == len(set(asked)) == 3 * 90
    with PredictionStore(tmp_path / "run" / "predictions.sqlite") as store:
        assert len(store) == 5 * 90  # three members, two ensembles; `two` is a member
    asked.clear()
    _run(tmp_path)
    assert asked == []


def test_members_are_taken_from_a_shared_cache(tmp_path: Path, asked: list[str]) -> None:
    """Another student, in another directory: no member is asked, not even for its latency."""
    config = _CONFIG.replace("latency_probe: false", "cache: answers")
    _run(tmp_path, config)
    asked.clear()
    students = "students:\n  - {name: four, type: echo, seed: 4}\n"
    file = _write(tmp_path, config.partition("students:")[0] + students)
    done = evaluate(load_config(file), tmp_path / "other")
    assert sorted(asked) == sorted(f"4 r{index}" for index in range(90))
    assert "read 90 of one, read 90 of two, read 90 of three, added 90 of four" in done.summary[2]
    assert any("latency was not probed" in line for line in done.warnings)


class Loaded(EchoModel):
    """In memory until it is released, eight at once, with something to say."""

    in_memory = True
    max_concurrency = 8
    notes = ("is odd",)

    def release(self) -> None:
        self.in_memory = False


def loaded_team(names: Sequence[str] = ("one", "two")) -> Ensemble:
    members = {name: Loaded(seed=seed, batch_size=1) for seed, name in enumerate(names)}
    prints = {name: model.fingerprint for name, model in members.items()}
    return Ensemble("team", members, prints, combine="majority")


def test_members_make_room_for_the_next_model(tmp_path: Path) -> None:
    """Without a latency probe, as a model alone does; with one all stay."""
    inputs = prepare(load_config(_write(tmp_path)))
    probed = replace(inputs, config=inputs.config.model_copy(update={"latency_probe": None}))
    team = loaded_team()
    probed.make_room(team)
    assert all(model.in_memory for model in team.members.values())
    inputs.make_room(team)
    assert not any(model.in_memory for model in team.members.values())


def test_members_that_answer_several_at_once_are_asked_so(tmp_path: Path) -> None:
    """What an API is asked at once does not depend on who asks: eight places are kept busy."""
    team = loaded_team()
    assert team.batch_size == team.writing_batch_size == 4 * 8
    together: list[int] = []

    class Watched(LocalExecutor):
        def answer(self, model, batches):  # type: ignore[no-untyped-def]
            asked = list(batches)
            together.append(len(asked))
            return super().answer(model, asked)

    requests = [
        Request(sample_id=f"r{i}", suite="x", kind="classification", input=f"{i}", labels=("a",))
        for i in range(40)
    ]
    with PredictionStore(tmp_path / "predictions.sqlite") as store:
        executor = executor_for(team, Watched(), store)
        found = [one for _, said in executor.answer(team, batches_of(team, requests))
                 for one in said]  # fmt: skip
    assert together == [32, 32, 8, 8]
    assert {one.output for one in found} == {"a"}


def test_members_say_what_a_reader_should_know() -> None:
    """With the member's name."""
    assert loaded_team().notes == ("member one: is odd", "member two: is odd")


def test_a_member_behind_an_api_has_a_price(tmp_path: Path) -> None:
    """Under `costs` by its own name, so that its budget holds."""
    member = (
        "{name: one, type: api, model: openai/home-made, api_base: 'http://127.0.0.1:1/v1', "
        "budget_usd: 1}"
    )
    config = _CONFIG.replace("{name: one, type: echo, seed: 1}", member, 1)
    with pytest.raises(ConfigError, match="one: budget_usd needs a price"):
        prepare(load_config(_write(tmp_path, config)))
    config += "costs: {one: {usd_per_request: 0.1}}\n"
    team = prepare(load_config(_write(tmp_path, config))).models["team"]
    assert isinstance(team, Ensemble)
    assert getattr(team.members["one"], "price_source", None) == "the configured price"
    unpriced = _CONFIG + "costs: {three: {usd_per_request: 0.1}}\n"
    with pytest.raises(ConfigError, match="costs: there is no model 'three'"):
        load_config(_write(tmp_path, unpriced))


def test_failed_requests_of_a_member_are_asked_again(tmp_path: Path) -> None:
    """They are missing in the ensemble, counted, and never a wrong answer."""
    failing = _CONFIG.replace(
        "{name: one, type: echo, seed: 1}", "{name: one, type: echo, seed: 1, fail_share: 0.2}"
    )
    done = _run(tmp_path, failing)
    missing = sum(done.failures["team"].values())
    assert 5 < missing < 40
    assert all(reason.startswith("one: ") for reason in done.failures["team"])
    cell = compare_run(done.run).students[0].cells[0]
    assert cell.missing.teacher_errors == missing
    again = evaluate(load_config(tmp_path / "kdeval.yaml"), tmp_path / "run")
    assert again.asked["team"] == missing


def test_the_report_says_where_the_members_disagree(tmp_path: Path) -> None:
    done = _run(tmp_path)
    compared = compare_run(done.run)
    team, vote = compared.ensembles
    assert (team.ensemble, vote.ensemble) == ("team", "vote")
    assert [item.member for item in team.members] == ["one", "two", "three"]
    two = team.members[1]
    pair = next(p for p in compared.students if p.student == "two").cells[0]
    assert two.score == pair.student_score
    assert two.only_ensemble == pair.flips.lost
    assert two.difference.estimate == pytest.approx(-pair.difference.estimate)
    whole = [part for part in team.parts if part.student == "two"]
    assert sum(part.n for part in whole) == 90
    assert whole[0].student_score.estimate == whole[0].teacher_score.estimate  # unanimous
    assert vote.parts == ()
    assert 0 < team.js.estimate < 1
    assert 1 / 3 <= vote.vote_share <= 1
    page = report_html(report_document(done.run, compared))
    assert '<section id="ensembles"' in page


def test_a_run_without_ensembles_leaves_no_members(tmp_path: Path) -> None:
    _run(tmp_path)
    plain = "suites: [suite.yaml]\nlatency_probe: false\nteacher: {name: t, type: echo}\n"
    plain += "students:\n  - {name: two, type: echo, seed: 2}\n"
    assert _run(tmp_path, plain).run.members() is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("{name: two, type: echo, seed: 2}\n    -", "{name: one, type: echo}\n    -"),
            "two are called 'one'",
        ),
        (("{name: one, type: echo, seed: 1}", "{name: one, type: ecco}"), "unknown type 'ecco'"),
        (
            ("{name: one, type: echo, seed: 1}", "{name: one, type: ensemble, members: []}"),
            "a member of an ensemble is no ensemble",
        ),
        (
            ("{name: one, type: echo, seed: 1}", "{name: one, type: sequence_classifier, path: q}"),
            "one: no such path 'q'",
        ),
    ],
)
def test_bad_members_are_told(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    assert change[0] in _CONFIG
    with pytest.raises(ConfigError, match=expected):
        load_config(_write(tmp_path, _CONFIG.replace(*change, 1)))
