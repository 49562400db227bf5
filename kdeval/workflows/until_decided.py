"""`kdeval run --until-decided`: ask in looks, and stop as soon as the policy is decided.

What is asked, in which order, and at which level each look judges is fixed and written down before
the first look; a look that was taken counts. So a killed run, a repeated command or a `kdeval gate`
in between changes no verdict and gives no second chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kdeval.compare.compute import compare_run
from kdeval.compare.off_label import off_label_lines
from kdeval.compare.unscored import unscored_lines
from kdeval.config.schema import RunConfig
from kdeval.config.yaml_file import nearest
from kdeval.errors import KdevalError, ModelError, UsageError
from kdeval.gate.baseline import load_baseline
from kdeval.gate.decide import judge
from kdeval.gate.decision import GateDecision
from kdeval.gate.policy import GatePolicy, load_policy
from kdeval.run.asked import Asked
from kdeval.run.asking import Progress, ask_models
from kdeval.run.cluster import Cluster, executor_on
from kdeval.run.executor import Executor
from kdeval.run.look_plan import LookPlan
from kdeval.run.prepare import prepare
from kdeval.run.spending import spent_lines
from kdeval.run.writing import write_run
from kdeval.store.looks import LookKind, LookTaken, write_looks
from kdeval.store.predictions import PredictionStore
from kdeval.store.reasons import reason_lines
from kdeval.store.run_directory import RunDirectory
from kdeval.workflows.answers import cache_lines, cache_problems, open_answers
from kdeval.workflows.benchmarks import refuse_benchmarks
from kdeval.workflows.evaluate import (
    Evaluated,
    model_notes,
    open_run_directory,
)
from kdeval.workflows.hidden_states import (
    check_hidden_states,
    left_out_lines,
    run_hidden_states,
)
from kdeval.workflows.planned_looks import Question, planned_looks
from kdeval.workflows.probing import AskedRun, probe_latency
from kdeval.workflows.token_fidelity import check_token_fidelity, run_token_fidelity

__all__ = ["LookReport", "UntilDecided", "ask_until_decided"]

_AGAINST_BASELINE = ("baseline_difference", "negative_flips")


@dataclass(frozen=True, slots=True, kw_only=True)
class LookReport:
    """A look that was just taken, or was taken before: what it decided."""

    decision: GateDecision
    earlier: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UntilDecided:
    """A finished run, what finishing it took, and what its last look decided."""

    evaluated: Evaluated
    decision: GateDecision


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What was asked by this command, over all its looks."""

    asked: dict[str, int]
    now: dict[str, set[str]]
    last: Asked | None = None

    def count(self, asked: Asked) -> Asked:
        """`asked` where answers that this command asked itself do not count as known before."""
        for name, number in asked.asked.items():
            before = asked.cached[name]
            self.now[name].update(k for keys in asked.of(name) for k in keys if k not in before)
            self.asked[name] += number
        cached = {name: keys - self.now[name] for name, keys in asked.cached.items()}
        self.last = replace(asked, cached=cached)
        return self.last


def ask_until_decided(
    config: RunConfig,
    out: Path,
    *,
    policy: Path,
    base: Path | None = None,
    limit: int | None = None,
    kind: LookKind = "obrien_fleming",
    looks: int = 5,
    baseline: Path | None = None,
    progress: Progress = lambda stage, done, total: None,
    cluster: Cluster | None = None,
    tell: Callable[[LookReport], None] = lambda report: None,
    announce: Callable[[str], None] = lambda line: None,
) -> UntilDecided:
    """The run in `out`, asked look by look until every rule has passed or one has failed.

    Args:
        config: from `load_config`.
        out: the run's directory, made when it is missing.
        policy: what is to be decided, of one student; fixed from the first look on.
        base: where modules of "module:Class" models lie; the working directory always counts.
        limit: at most so many samples a suite at the last look, a seeded stratified sample; not
            with betting, which has no last look.
        kind: obrien_fleming: equal parts of the samples; betting: any number of looks, and samples
            that are added to the suites later can be asked by the same command.
        looks: of an O'Brien-Fleming design.
        baseline: what a `baseline_difference` is measured against.
        progress: called with (stage, done, total).
        tell: called after each look.
        announce: called with what a latency probe will take, in a line.
        cluster: where models are asked; None: in this process. Latency is measured here.

    Raises:
        RunError: `out` holds another run, or looks that were taken for something else.
        KdevalError: on anything else the user can mend; what was asked until then is kept.
    """
    if limit is not None and kind == "betting":
        raise UsageError(
            "--limit goes with obrien-fleming: betting may stop after any look and go on with the "
            "same command, over all samples in an order fixed now; to ask fewer, give the suite a "
            "smaller data file and add to it later"
        )
    refuse_benchmarks(config, "--until-decided")
    rules = load_policy(policy)
    if baseline is None and any(rule.metric in _AGAINST_BASELINE for rule in rules.rules):
        raise UsageError(f"{policy}: a rule compares with a baseline: name it with --baseline")
    question = Question(
        policy=rules,
        policy_name=policy.name,
        student=_student(config, rules),
        baseline=None if baseline is None else load_baseline(baseline),
    )
    search = [Path.cwd()] if base is None else [base, Path.cwd()]
    inputs = prepare(config, limit=limit, search=search)
    odd = (*check_token_fidelity(inputs), *check_hidden_states(inputs))
    inputs = replace(inputs, warnings=(*inputs.warnings, *odd))
    open_run_directory(out)
    with open_answers(config, out) as store:
        asking = _Asking(
            question=question,
            plan=planned_looks(inputs, out, question, kind=kind, looks=looks),
            out=out,
            store=store,
            progress=progress,
            cluster=cluster,
            executor=executor_on(cluster, inputs),
            announce=announce,
            tally=_Tally(
                asked=dict.fromkeys(inputs.models, 0), now={name: set() for name in inputs.models}
            ),
        )
        done = asking.run(tell)
    evaluated = replace(
        done.evaluated,
        warnings=(*done.evaluated.warnings, *cache_problems(store)),
        cache=cache_lines(store),
    )
    return replace(done, evaluated=evaluated)


@dataclass(slots=True, kw_only=True)
class _Asking:
    """One command at work."""

    question: Question
    plan: LookPlan
    out: Path
    store: PredictionStore
    progress: Progress
    cluster: Cluster | None
    executor: Executor
    tally: _Tally
    announce: Callable[[str], None]
    spared: tuple[str, ...] = ()

    def run(self, tell: Callable[[LookReport], None]) -> UntilDecided:
        """Goes on where the looks taken so far end."""
        decision = self._where_it_was()
        if decision is not None:
            tell(LookReport(decision=decision, earlier=True))
        while decision is None or not self._finished():
            look = len(self.plan.looks.taken) + 1
            decision = self._first_or_later(look)
            results = tuple(asdict(rule) for rule in decision.rules)
            self._remember(LookTaken(verdict=decision.verdict, results=results))
            tell(LookReport(decision=decision))
        self._measure_tokens()
        return UntilDecided(evaluated=self._evaluated(), decision=decision)

    def _where_it_was(self) -> GateDecision | None:
        """The decision of the last look taken, its run on disk again if it was being replaced."""
        taken = len(self.plan.looks.taken)
        return self._judged(self._ask(taken)) if taken else None

    def _first_or_later(self, look: int) -> GateDecision:
        """The decision of a new look; where even the first cannot be judged, nothing is shown."""
        try:
            return self._judged(self._ask(look))
        except KdevalError:
            if look == 1:
                (self.out / "run.json").unlink(missing_ok=True)
            raise

    def _judged(self, run: RunDirectory) -> GateDecision:
        asked = self.question
        return judge(
            run, compare_run(run), asked.policy, student=asked.student, baseline=asked.baseline
        )

    def _finished(self) -> bool:
        taken = self.plan.looks.taken
        return taken[-1].verdict != "inconclusive" or len(taken) >= self.plan.looks.planned

    def _ask(self, look: int) -> RunDirectory:
        """The run of that look, whole on disk."""
        inputs = self.plan.at(look)
        asked = self.tally.count(
            ask_models(inputs, self.store, progress=self.progress, executor=self.executor)
        )
        if not self.plan.looks.taken:
            if self.cluster is not None:
                self.cluster.release()
            # on samples of all looks: its rule is decided at the first
            probed = AskedRun(
                inputs=self.plan.inputs, asked=asked, store=self.store, out=self.out,
                progress=self.progress, tell=self.announce,
            )  # fmt: skip
            self.spared = probe_latency(probed, whole=True)
        write_run(inputs, asked, self.store, self.out)
        run = RunDirectory.open(self.out)
        dead = [m.name for m in run.manifest.models if m.requests and m.errors == m.requests]
        if dead:
            reasons = sum((asked.failures(name) for name in dead), Counter[str]())
            raise ModelError(
                f"{', '.join(dead)}: not one request was answered, so no look was taken "
                f"({'; '.join(reason_lines(reasons))})"
            )
        return run

    def _remember(self, taken: LookTaken) -> None:
        looks = self.plan.looks.with_look(taken)
        write_looks(self.out, looks)
        self.plan = replace(self.plan, looks=looks)

    def _measure_tokens(self) -> None:
        asked = self.tally.last
        assert asked is not None
        inputs = self.plan.at(len(self.plan.looks.taken))
        run_token_fidelity(inputs, asked, self.store, self.out, self.progress)
        run_hidden_states(inputs, self.out, self.progress)

    def _evaluated(self) -> Evaluated:
        asked = self.tally.last
        assert asked is not None
        run = RunDirectory.open(self.out)
        return Evaluated(
            run=run,
            asked=dict(self.tally.asked),
            cached={name: len(keys) for name, keys in asked.cached.items()},
            failures={name: asked.failures(name) for name in asked.asked},
            warnings=(
                *self.plan.inputs.warnings,
                *self.spared,
                *model_notes(self.plan.inputs, asked),
                *off_label_lines(run),
                *unscored_lines(run),
                *left_out_lines(run),
                *(note for suite in run.manifest.suites for note in suite.notes),
            ),
            spent=spent_lines(self.plan.inputs.models),
        )


def _student(config: RunConfig, policy: GatePolicy) -> str:
    """The one student that the policy judges."""
    names = [item.name for item in config.students]
    if policy.student is None:
        if len(names) == 1:
            return names[0]
        raise UsageError(
            f"the configuration has {len(names)} students ({', '.join(names)}): say with "
            "`student:` in the policy whose verdict is to be reached"
        )
    if policy.student not in names:
        raise UsageError(
            f"there is no student {policy.student!r}; {nearest(policy.student, names)}"
        )
    return policy.student
