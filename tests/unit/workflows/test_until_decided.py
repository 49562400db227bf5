"""Asking until a policy is decided: what is asked, at which level, and nothing tried twice."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from kdeval.compare.compute import compare_run
from kdeval.config.schema import load_config
from kdeval.errors import ConfigError, RunError, UsageError
from kdeval.gate.decide import judge
from kdeval.gate.policy import load_policy
from kdeval.stats.betting import ratio_limits
from kdeval.stats.means.paired import retention
from kdeval.stats.sequential.group_sequential import lan_demets
from kdeval.store.looks import read_looks
from kdeval.store.run_directory import RunDirectory
from kdeval.workflows.evaluate import evaluate
from kdeval.workflows.routing import fit_and_show
from kdeval.workflows.until_decided import ask_until_decided

_MODEL = """
from kdeval.records import Response

class Scripted:
    def __init__(self, name):
        self.name = name
        self.fingerprint = f"scripted-{name}"
    def classify(self, requests):
        return [self._answer(request.text) for request in requests]
    def _answer(self, text):
        said = dict(word.split("=") for word in text.split()[1:])
        return Response(output=said.get(self.name, said["small"]))
"""


class KilledError(Exception):
    """Stands for a process that ends in the middle."""


@dataclass
class Project:
    """Two models whose answers stand in the question, in a directory of their own."""

    path: Path
    rows: list[dict[str, str]] = field(default_factory=list)

    def write(self, n: int, *, retained: float, cluster: int = 0, start: int = 0) -> None:
        """Adds n samples; the teacher is right on 92 %."""
        rng = np.random.default_rng(11 + start)
        for index in range(start, start + n):
            right = rng.random() < 0.92
            kept = right and rng.random() < retained
            self.rows.append(
                {
                    "id": f"q{index}", "label": "yes",
                    "part": "rare" if index % 40 == 3 else "usual",
                    "document": f"d{index // cluster}" if cluster else "",
                    "text": f"{index} big={'yes' if right else 'no'} "
                    f"small={'yes' if kept else 'no'}",
                }
            )  # fmt: skip
        with (self.path / "data.csv").open("w", newline="") as handle:
            writer = csv.DictWriter(handle, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)
        grouped = "cluster: document\n" if cluster else ""
        (self.path / "suite.yaml").write_text(
            "name: questions\nkind: classification\ndata: data.csv\nid: id\n"
            'input: "{{ text }}"\nreference: "{{ label }}"\nlabels: ["yes", "no"]\n'
            f"slices: [part]\n{grouped}"
        )
        (self.path / "scripted_answers.py").write_text(_MODEL)
        self.configure("small")
        self.policy("  - {metric: retention, min: 0.9}")

    def configure(self, *students: str, seed: int = 0) -> None:
        models = [
            {"name": name, "type": "scripted_answers:Scripted", "options": {"name": name}}
            for name in ("big", *students)
        ]
        config = {
            "suites": ["suite.yaml"], "latency_probe": False, "seed": seed,
            "teacher": models[0], "students": models[1:],
        }  # fmt: skip
        (self.path / "kdeval.yaml").write_text(json.dumps(config))

    def policy(self, rules: str, name: str = "gate.yaml") -> Path:
        (self.path / name).write_text(f"rules:\n{rules}\n")
        return self.path / name

    def ask(self, out: str = "run", policy: str = "gate.yaml", tell=lambda report: None, **options):
        return ask_until_decided(
            load_config(self.path / "kdeval.yaml"),
            self.path / out,
            policy=self.path / policy,
            base=self.path,
            tell=tell,
            **options,
        )

    def run(self, **options):
        config = load_config(self.path / "kdeval.yaml")
        return evaluate(config, self.path / "run", base=self.path, **options)

    def gate(self, out: str = "run", policy: str = "gate.yaml"):
        run = RunDirectory.open(self.path / out)
        return judge(run, compare_run(run), load_policy(self.path / policy))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(path=tmp_path)


def scores(run: RunDirectory):
    pairs = run.pairs(["teacher_score", "student_score"])
    return pairs["teacher_score"].to_numpy(float), pairs["student_score"].to_numpy(float)


@pytest.mark.parametrize(("retained", "verdict"), [(0.995, "pass"), (0.75, "fail")])
def test_a_clear_student_is_decided_early(project: Project, retained, verdict) -> None:
    """At one of the first looks, on a part of the samples, at that look's own level."""
    project.write(1000, retained=retained)
    done = project.ask()
    decision, run = done.decision, done.evaluated.run
    assert decision.verdict == verdict
    assert decision.looks.look < 4
    assert len(run.samples()) == 200 * decision.looks.look == decision.looks.samples
    design = lan_demets((200, 400, 600, 800, 1000), 1 - 0.95)
    (rule,) = decision.rules
    assert rule.design == design
    assert rule.confidence == design.levels[decision.looks.look - 1]
    teacher, student = scores(run)
    expected = retention(teacher, student, confidence=2 * rule.confidence - 1)
    assert (rule.bound, rule.opposite_bound) == (expected.low, expected.high)


def test_an_open_question_takes_all_looks(project: Project) -> None:
    """Every sample is asked, the last look is below the full level, and what is missing is said."""
    project.write(400, retained=0.91)
    decision = project.ask().decision
    assert decision.verdict == "inconclusive"
    assert decision.looks.look == 5
    assert decision.looks.samples == 400
    (rule,) = decision.rules
    assert 0.95 < rule.confidence < 0.97
    assert rule.samples_missing is not None
    assert "look 5 of 5: all looks together keep 95 %" in rule.evidence


def test_killed_and_resumed_is_as_if_nothing_had_happened(project: Project) -> None:
    """After each look in turn, also when the next one was being written."""
    project.write(600, retained=0.955)
    project.policy("  - {metric: retention, min: 0.935}")
    whole = project.ask("whole")
    assert whole.decision.looks.look >= 3

    def kill(report):
        if not report.earlier:
            raise KilledError

    looks = 0
    while True:
        try:
            resumed = project.ask("killed", tell=kill)
            break
        except KilledError:
            looks += 1
            (project.path / "killed" / "run.json").unlink()  # as in the middle of a write
    assert looks == whole.decision.looks.look
    assert resumed.decision.rules == whole.decision.rules
    assert read_looks(project.path / "killed") == read_looks(project.path / "whole")
    for table in ("samples", "pairs"):
        one, other = (getattr(d.evaluated.run, table)() for d in (whole, resumed))
        drop = [name for name in one if name.endswith("_cached")]
        assert one.drop(columns=drop).equals(other.drop(columns=drop))


def test_a_look_that_was_taken_is_not_taken_again(project: Project) -> None:
    """Asked again when finished: the same verdict, no sample more."""
    project.write(1000, retained=0.995)
    first = project.ask()
    again = project.ask()
    assert again.decision.rules == first.decision.rules
    assert again.evaluated.asked == {"big": 0, "small": 0}
    assert len(read_looks(project.path / "run").taken) == first.decision.looks.look


def test_the_gate_by_hand_repeats_the_verdict(project: Project) -> None:
    """Of the policy that was planned for: its rules as they were decided."""
    project.write(1000, retained=0.995)
    done = project.ask()
    decision = project.gate()
    assert decision.rules == done.decision.rules
    assert decision.looks.covered
    assert decision.looks.decided


def test_another_policy_is_judged_at_the_look_s_level_and_marked(project: Project) -> None:
    """Never at the naive level; and the words say that it was not planned for."""
    project.write(1000, retained=0.995)
    look = project.ask().decision.looks.look
    project.policy("  - {metric: retention, min: 0.93, confidence: 0.9}", "other.yaml")
    decision = project.gate(policy="other.yaml")
    (rule,) = decision.rules
    assert rule.confidence == lan_demets((200, 400, 600, 800, 1000), 1 - 0.9).levels[look - 1]
    assert not decision.looks.covered
    assert "not the policy and student that the looks" in decision.looks.text


def test_a_limit_lowered_after_the_looks_passes_nothing(project: Project) -> None:
    """A gate afterwards is no second chance, however far the bound lies beyond the new limit."""
    project.write(1000, retained=0.995)
    project.ask()
    project.policy("  - {metric: retention, min: 0.5}", "lowered.yaml")
    decision = project.gate(policy="lowered.yaml")
    (rule,) = decision.rules
    assert (rule.verdict, decision.verdict, decision.exit_code) == ("inconclusive",) * 2 + (3,)
    assert rule.bound > 0.5
    assert (rule.samples_missing, rule.detectable) == (None, None)
    assert "chosen after the data were seen" in rule.evidence
    project.policy("  - {metric: retention, min: 0.999}", "raised.yaml")
    assert project.gate(policy="raised.yaml").verdict != "pass"


def test_a_rule_that_crossed_stays_decided(project: Project) -> None:
    """It keeps the bound, n and look with which it crossed, while others are still open."""
    project.write(1000, retained=0.96)
    project.policy(
        "  - {metric: retention, min: 0.75}\n  - {metric: retention, min: 0.95, slice: all}"
    )
    with pytest.raises(Exception, match="two rules"):
        project.ask()
    project.policy("  - {metric: retention, min: 0.75}\n  - {metric: difference, min: -0.05}")
    reports = []
    decision = project.ask(tell=reports.append).decision
    easy, hard = decision.rules
    assert easy.verdict == "pass"
    assert easy.look == reports[easy.look - 1].decision.looks.look < hard.look
    assert reports[easy.look - 1].decision.rules[0] == easy
    assert easy.n == 200 * easy.look


def test_a_slice_without_a_sample_yet_is_open_and_not_an_error(project: Project) -> None:
    """Rules over every slice count those that early looks have not met."""
    project.write(43, retained=0.99)
    project.configure("small", seed=3)
    project.policy('  - {metric: retention, min: 0.5, slice: "part=*", min_n: 1}')
    reports = []
    project.ask(tell=reports.append, looks=20)
    first = reports[0].decision
    assert [rule.slice for rule in first.rules] == ["part=rare", "part=usual"]
    rare = first.rules[0]
    assert (rare.n, rare.verdict) == (0, "inconclusive")
    assert "none of its samples was asked yet" in rare.evidence


def test_tasks_are_slices_at_every_look(project: Project) -> None:
    """Each task has its own units, and its own levels."""
    project.write(400, retained=0.995)
    suite = project.path / "suite.yaml"
    suite.write_text(suite.read_text() + 'task: "{{ part }}"\n')
    project.policy('  - {metric: retention, min: 0.3, slice: "task=*", min_n: 1}')
    rules = project.ask().decision.rules
    assert [rule.slice for rule in rules] == ["task=rare", "task=usual"]
    assert [rule.design.information[-1] for rule in rules] == [10, 390]


def test_clusters_enter_whole_and_are_the_information(project: Project) -> None:
    """No look cuts through a document; levels follow documents, not samples."""
    project.write(600, retained=0.97, cluster=5)
    done = project.ask()
    run = done.evaluated.run
    assert set(run.samples(["cluster"])["cluster"].value_counts()) == {5}
    assert done.decision.rules[0].design.information == (24, 48, 72, 96, 120)


def test_a_policy_that_cannot_be_judged_may_be_mended(project: Project) -> None:
    """No look was taken and nothing could be seen, so another policy is as good as the first."""
    project.write(200, retained=0.99)
    project.policy("  - {metric: cost_ratio, max: 0.5}")
    with pytest.raises(ConfigError, match="cost ratio is unknown"):
        project.ask()
    project.policy("  - {metric: baseline_difference, min: -0.1}")
    with pytest.raises(UsageError, match="--baseline"):
        project.ask()
    project.policy("  - {metric: retention, min: 0.5}")
    done = project.ask()
    assert done.decision.verdict == "pass"
    assert done.evaluated.cached == {"big": 40, "small": 40}


def test_whatever_changed_after_the_first_look_is_refused(project: Project) -> None:
    """Policy, limit, number of looks, kind, suites; a plain run there is refused, too."""
    project.write(600, retained=0.955)
    stop = lambda report: (_ for _ in ()).throw(KilledError)  # noqa: E731
    with pytest.raises(KilledError):
        project.ask(tell=stop)
    project.policy("  - {metric: retention, min: 0.8}", "easier.yaml")
    for changed, words in (
        ({"policy": "easier.yaml"}, r"the policy \(it was gate.yaml\), its student or baseline"),
        ({"limit": 300}, r"--limit \(it was none\)"),
        ({"looks": 4}, r"--looks \(it was 5\)"),
        ({"kind": "betting"}, r"--sequential \(it was obrien-fleming\)"),
        (
            {"looks": 4, "limit": 300},
            r"--limit \(it was none\); --looks \(it was 5\)",
        ),
    ):
        with pytest.raises(RunError, match=rf"since then this changed: {words}\. What is"):
            project.ask(**changed)
    with pytest.raises(RunError, match="give another --out"):
        project.run(fresh=True)
    project.write(50, retained=0.955, start=600)
    with pytest.raises(RunError, match="the suites"):
        project.ask()
    assert len(read_looks(project.path / "run").taken) == 1


def test_a_run_that_could_be_seen_is_no_place_for_looks(project: Project) -> None:
    project.write(200, retained=0.99)
    project.run()
    with pytest.raises(RunError, match="could be seen"):
        project.ask()


def test_without_its_looks_a_run_is_not_judged(project: Project) -> None:
    """Nor one whose looks were damaged: naive bounds would be wrong."""
    project.write(400, retained=0.99)
    project.ask()
    file = project.path / "run" / "looks.json"
    whole = file.read_text()
    file.write_text(whole.replace('"units"', '"unit"'))
    with pytest.raises(RunError, match="damaged"):
        project.gate()
    file.unlink()
    with pytest.raises(RunError, match="no bound is honest"):
        project.gate()


def test_the_report_s_intervals_hold_over_all_looks(project: Project) -> None:
    """Repeated confidence intervals, and a note that says so."""
    project.write(1000, retained=0.995)
    run = project.ask().evaluated.run
    comparison = compare_run(run)
    level = lan_demets((200, 400, 600, 800, 1000), (1 - 0.95) / 2).levels[run.manifest.look - 1]
    assert comparison.confidence == pytest.approx(2 * level - 1)
    assert any("hold together with 95 % confidence" in note for note in comparison.notes)


def test_betting_bounds_and_growing_suites(project: Project) -> None:
    """Open at the end of the samples; more samples later, and the same command goes on."""
    project.write(150, retained=0.95, cluster=3)
    first = project.ask(kind="betting").decision
    assert first.verdict == "inconclusive"
    (rule,) = first.rules
    assert rule.confidence == 0.95
    run = RunDirectory.open(project.path / "run")
    teacher, student = scores(run)
    codes = np.unique(run.samples(["cluster"])["cluster"], return_inverse=True)[1]
    low, high = ratio_limits(student, teacher, codes, chance=0.0, confidence=0.9)
    assert (rule.bound, rule.opposite_bound) == pytest.approx((low, high))
    project.write(1500, retained=0.999, cluster=3, start=150)
    reports = []
    later = project.ask(kind="betting", tell=reports.append)
    assert reports[0].earlier
    assert reports[0].decision.rules == first.rules
    assert later.decision.verdict == "pass"
    asked = set(later.evaluated.run.samples(["sample_id"])["sample_id"])
    assert {f"q{index}" for index in range(150)} < asked
    assert len(asked) < 1650


def test_betting_refuses_samples_that_change_what_was_asked(project: Project) -> None:
    """A sample taken away, and one added to a document that was asked."""
    project.write(120, retained=0.95, cluster=3)
    project.ask(kind="betting")
    removed = project.rows.pop(7)
    project.write(90, retained=0.95, cluster=3, start=120)
    with pytest.raises(RunError, match="gone or changed"):
        project.ask(kind="betting")
    project.rows.insert(7, {**removed})
    project.rows.append({**removed, "id": "late", "document": "d0"})
    project.write(3, retained=0.95, cluster=3, start=300)
    with pytest.raises(RunError, match="clusters that were asked"):
        project.ask(kind="betting")


def test_latency_is_probed_once(project: Project) -> None:
    """At the first look, on samples of all looks; its rule has all of its error there."""
    project.write(400, retained=0.91)
    config = json.loads((project.path / "kdeval.yaml").read_text())
    config["latency_probe"] = {"requests": 100, "warmup": 0}
    (project.path / "kdeval.yaml").write_text(json.dumps(config))
    project.policy(
        "  - {metric: retention, min: 0.9}\n  - {metric: latency_ratio, max: 1000, min_n: 10}"
    )
    file, made = project.path / "run" / "latency.parquet", []
    decision = project.ask(tell=lambda report: made.append(file.stat().st_mtime_ns)).decision
    assert len(made) > 1
    assert len(set(made)) == 1
    latency = decision.rules[1]
    assert (latency.look, latency.design.kind, latency.verdict) == (1, "once", "pass")
    assert latency.n == 100
    assert latency.confidence == pytest.approx(0.95)


def test_a_router_is_not_certified_on_samples_that_stopped(project: Project) -> None:
    """Its bound is for samples fixed beforehand, which all that were planned are."""
    project.write(400, retained=0.995)
    project.ask()
    with pytest.raises(UsageError, match="fixed beforehand"):
        fit_and_show(project.path / "run", project.path / "router")


def test_several_students_need_a_name(project: Project) -> None:
    project.write(100, retained=0.9)
    project.configure("small", "tiny")
    with pytest.raises(UsageError, match="2 students"):
        project.ask()
    (project.path / "gate.yaml").write_text(
        json.dumps({"student": "tiny", "rules": [{"metric": "retention", "min": 0.5}]})
    )
    assert project.ask().decision.student == "tiny"
