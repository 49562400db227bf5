"""`kdeval aa`: real repeats, under keys of their own, and a document that a schema describes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

Kdeval = Callable[..., subprocess.CompletedProcess[str]]

NOISY = '''\
"""Right on 85 %, and off that by `noise` whenever it is asked."""
import random
from kdeval.records import Response

class Noisy:
    batch_size = 8
    def __init__(self, name, noise=0.05, log=None):
        self.name, self.noise, self.log = name, noise, log
    @property
    def fingerprint(self):
        return f"noisy-{self.name}"
    def classify(self, requests):
        if self.log:
            with open(self.log, "a") as handle:
                handle.writelines(f"{self.name} {r.replicate} {len(requests)}\\n" for r in requests)
        return [self._one(r) for r in requests]
    def _one(self, request):
        usual = random.Random(f"{self.name}|{request.text}").random() < 0.85
        off = random.Random(f"{self.name}|{request.text}|{request.replicate}").random() < self.noise
        right = "even" if int(request.text.split()[2]) % 2 == 0 else "odd"
        wrong = "odd" if right == "even" else "even"
        return Response(output=right if usual != off else wrong)
'''


@pytest.fixture
def noisy(project: Path) -> Path:
    """The project with a noisy teacher and a student that never wavers."""
    (project / "noisy.py").write_text(NOISY)
    config = {
        "suites": ["suite.yaml"],
        "latency_probe": False,
        "teacher": {
            "name": "big", "type": "noisy:Noisy", "options": {"name": "b", "log": "asked.log"}
        },
        "students": [
            {"name": "small", "type": "noisy:Noisy", "options": {"name": "b", "noise": 0.0}}
        ],
    }  # fmt: skip
    (project / "kdeval.yaml").write_text(json.dumps(config))
    return project


def _floor(project: Path, model: str = "big") -> dict[str, Any]:
    text = (project / "runs" / "kdeval" / "noise_floor" / f"{model}.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def test_repeats_are_real_and_asked_once(noisy: Path, kdeval: Kdeval) -> None:
    """Every repeat reaches the model as its own replicate; a second call asks nothing, and the
    run is served the answers as configured.
    """
    done = kdeval("aa", "kdeval.yaml", "--repeats", "2")
    assert done.returncode == 0, done.stderr
    assert "960 requests asked now" in done.stdout
    asked = [line.split() for line in (noisy / "asked.log").read_text().splitlines()]
    replicates = [int(replicate) for _, replicate, _ in asked]
    assert (replicates.count(0), replicates.count(1), replicates.count(2)) == (480, 240, 240)
    assert sum(size == "1" for _, _, size in asked) == 240
    assert "0 requests asked now" in kdeval("aa", "kdeval.yaml", "--repeats", "2").stdout
    assert "big: 0 answered now, 240 known" in kdeval("run", "kdeval.yaml").stdout


def test_the_floor_is_what_the_answers_say(noisy: Path, kdeval: Kdeval) -> None:
    """Flips, changes and self-agreement follow from the pairs; the batch size changes nothing."""
    assert kdeval("aa", "kdeval.yaml", "--repeats", "2").returncode == 0
    found = _floor(noisy)
    batch, first, second = found["conditions"]
    assert [item["condition"] for item in found["conditions"]] == ["batch_size", "repeat", "repeat"]
    whole = [condition["cells"][0] for condition in (batch, first, second)]
    assert whole[0]["flips"] == 0
    assert whole[0]["flip_rate"]["method"] == "Clopper-Pearson"
    for cell in whole[1:]:
        assert 8 <= cell["flips"] <= 40  # 2 x 5 % x 95 % of 240 is 23
        assert cell["changed"]["estimate"] == cell["flips"] / 240
        assert cell["difference"]["estimate"] == pytest.approx(
            cell["changed_score"] - cell["score"]
        )
    floor = found["floors"][0]
    assert floor["flip_rate"] == max(cell["flips"] for cell in whole) / 240
    assert floor["difference_at_most"] == max(
        max(abs(cell["difference"]["low"]), abs(cell["difference"]["high"])) for cell in whole
    )
    assert floor["self_agreement_under"] == "asked again"
    assert 0.85 < floor["self_agreement"]["estimate"] < 0.96
    assert {floor["slice"] for floor in found["floors"]} == {"all", "length=long", "length=short"}
    assert {item["condition"] for item in found["not_varied"]} == {"seed", "dtype", "device"}


def test_the_document_keeps_to_its_schema(noisy: Path, kdeval: Kdeval) -> None:
    """`kdeval schema noise-floor` describes what is written, and nothing else."""
    assert kdeval("aa", "kdeval.yaml", "--limit", "40", "--vary", "repeat").returncode == 0
    schema = json.loads(kdeval("schema", "noise-floor").stdout)
    found = _floor(noisy)
    jsonschema.validate(found, schema)
    assert found["floors"][0]["n"] == 40
    assert found["kind"] == "kdeval.noise_floor"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**found, "extra": 1}, schema)


def test_every_model(noisy: Path, kdeval: Kdeval) -> None:
    """`--model all` writes a file a model; a model that never wavers says so."""
    done = kdeval("aa", "kdeval.yaml", "--model", "all", "--vary", "repeat")
    assert done.returncode == 0, done.stderr
    assert not _floor(noisy, "small")["floors"][0]["anything_changed"]
    assert "small answered 240 samples alike whenever it was asked" in done.stdout
    assert _floor(noisy, "big")["floors"][0]["anything_changed"]


def test_the_report_finds_it(noisy: Path, kdeval: Kdeval) -> None:
    """In the run's own directory, or named; a floor of another model is refused when named."""
    assert kdeval("run", "kdeval.yaml", "--out", "run").returncode == 0
    assert kdeval("aa", "kdeval.yaml", "--out", "run", "--repeats", "3").returncode == 0
    done = kdeval("report", "run", "--format", "json,md")
    said = " ".join(done.stdout.split())
    assert "below the noise floor: words by label: the difference of" in said
    assert "big agrees with itself on" in said
    report = json.loads((noisy / "run" / "report" / "report.json").read_text())
    jsonschema.validate(report, json.loads(kdeval("schema", "report").stdout))
    assert {item["model"] for item in report["noise"]["warnings"]} == {"big"}
    config = json.loads((noisy / "kdeval.yaml").read_text())
    config["teacher"]["options"]["noise"] = 0.2
    (noisy / "kdeval.yaml").write_text(json.dumps(config))
    assert kdeval("run", "kdeval.yaml", "--out", "other").returncode == 0
    refused = kdeval("report", "other", "--noise-floor", "run")
    assert refused.returncode == 2
    assert "the noise floor is of another 'big'" in refused.stderr


def test_other_hardware_is_told(noisy: Path, kdeval: Kdeval) -> None:
    """A run copied from another machine: its answers differ from the repeats by hardware, too."""
    assert kdeval("run", "kdeval.yaml", "--out", "run").returncode == 0
    assert kdeval("aa", "kdeval.yaml", "--out", "run").returncode == 0
    floor = noisy / "run" / "noise_floor" / "big.json"
    assert json.loads(floor.read_text())["notes"] == []
    manifest = json.loads((noisy / "run" / "run.json").read_text())
    manifest["header"]["hardware"]["accelerator"] = "Abacus 3000"
    (noisy / "run" / "run.json").write_text(json.dumps(manifest))
    assert kdeval("aa", "kdeval.yaml", "--out", "run", "--repeats", "2").returncode == 0
    (note,) = json.loads(floor.read_text())["notes"]
    assert "given on Abacus 3000: what changed includes the hardware" in note


def test_an_ensemble_is_only_asked_again(noisy: Path, kdeval: Kdeval) -> None:
    """Its members are asked anew, each under its own replicate; nothing else is varied."""
    config = json.loads((noisy / "kdeval.yaml").read_text())
    members = [
        {"name": name, "type": "noisy:Noisy", "options": {"name": name}} for name in ("x", "y", "z")
    ]
    config["teacher"] = {
        "name": "three", "type": "ensemble", "combine": "majority", "members": members
    }  # fmt: skip
    (noisy / "kdeval.yaml").write_text(json.dumps(config))
    done = kdeval("aa", "kdeval.yaml")
    assert done.returncode == 0, done.stderr
    found = _floor(noisy, "three")
    (repeat,) = found["conditions"]
    assert repeat["condition"] == "repeat"
    assert 0 < repeat["cells"][0]["flips"] < 40
    assert "an ensemble is only asked again" in found["not_varied"][0]["reason"]


def test_recorded_models_cannot_be_varied(recorded_project: Path, kdeval: Kdeval) -> None:
    """Neither alone nor all of them; nothing is written."""
    for arguments in ((), ("--model", "all")):
        done = kdeval("aa", "kdeval.yaml", *arguments)
        assert done.returncode == 2
        assert "its answers are recorded: it cannot be asked again" in done.stderr
    assert not (recorded_project / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "bog"), "did you mean 'big'?"),
        (("--vary", "dtype"), "--vary dtype: big: kdeval does not know that"),
        (("--out", "suite.yaml"), "is a file"),
    ],
)
def test_what_cannot_be_done_is_said(
    noisy: Path, kdeval: Kdeval, arguments: tuple[str, ...], words: str
) -> None:
    """Exit code 2 and the reason."""
    done = kdeval("aa", "kdeval.yaml", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_model_that_is_down_has_no_noise_floor(noisy: Path, kdeval: Kdeval) -> None:
    """A condition under which nothing was answered is an error, not a floor of zero."""
    (noisy / "noisy.py").write_text(NOISY.replace("return [self._one", "1 / 0; return [self._one"))
    done = kdeval("aa", "kdeval.yaml")
    assert done.returncode == 2
    assert "not one request was answered: ZeroDivisionError" in done.stderr
    assert not (noisy / "runs" / "kdeval" / "noise_floor" / "big.json").exists()
