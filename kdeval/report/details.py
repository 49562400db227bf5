"""What a report draws of each student: reliability, imitation, latencies."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval.compare.calibration_details import CalibrationDetails, calibration_details
from kdeval.compare.fidelity import Fidelity, fidelity
from kdeval.compare.hidden_states import HiddenStateFigures
from kdeval.compare.layers_compared import hidden_states_of
from kdeval.compare.reliability import Reliability, reliability
from kdeval.compare.repeats import Repeats, repeats_of
from kdeval.compare.selection import load_pairs, selection_of
from kdeval.compare.token_fidelity import TokenFidelity, without_text
from kdeval.compare.tokens_compared import token_fidelity_of
from kdeval.compare.top_k import TopK, top_k_of
from kdeval.latency.distribution import LatencyDistribution, latency_distribution
from kdeval.store.run_directory import RunDirectory

__all__ = ["StudentDetails", "SuiteDetails", "details_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteDetails:
    """One suite by one metric, over all its samples.

    Attributes:
        reliability: None without probabilities of both models.
        fidelity: all pairs, then those the teacher got right and wrong; empty when unknown.
        calibration: with the first metric of a suite that has any; None with the others.
        repeats: with the first metric of a suite whose prompts the teacher answered several times.
        top_k: with the first metric of a suite where both told their likeliest tokens.
    """

    suite: str
    metric: str
    reliability: Reliability | None
    fidelity: tuple[Fidelity, ...]
    calibration: CalibrationDetails | None = None
    repeats: Repeats | None = None
    top_k: TopK | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentDetails:
    """One student beside the teacher.

    Attributes:
        tokens: suites on which both were compared token by token.
        layers: suites on which both were compared layer by layer.
    """

    student: str
    suites: tuple[SuiteDetails, ...]
    latency: LatencyDistribution | None
    tokens: tuple[TokenFidelity, ...] = ()
    layers: tuple[HiddenStateFigures, ...] = ()


def details_of(
    run: RunDirectory, confidence: float, *, include_text: bool = True
) -> tuple[StudentDetails, ...]:
    """Of every student of the run, in its order; without text no token is told."""
    tables = load_pairs(run)
    temperature = run.manifest.distillation_temperature
    repeats = dict(repeats_of(run, tables, confidence))
    top_k = dict(top_k_of(run, tables, confidence))
    tokens = token_fidelity_of(run, confidence)
    layers = hidden_states_of(run, confidence)
    found = []
    for entry in run.manifest.students:
        suites = []
        for suite in run.manifest.suites:
            calibration = None
            for metric in suite.metrics:
                table = tables.get((entry.name, suite.name, metric))
                if table is None:
                    continue
                chosen = selection_of(table)
                told = calibration is None
                if told:
                    calibration = calibration_details(
                        table,
                        chosen,
                        confidence=confidence,
                        seed=run.manifest.header.seed,
                        distilled_at=temperature,
                    )
                suites.append(
                    SuiteDetails(
                        suite=suite.name,
                        metric=metric,
                        reliability=reliability(chosen, confidence=confidence, table=table),
                        fidelity=fidelity(chosen, confidence=confidence, temperature=temperature),
                        repeats=repeats.pop((entry.name, suite.name), None),
                        top_k=top_k.pop((entry.name, suite.name), None),
                        calibration=calibration if told else None,
                    )
                )
        found.append(
            StudentDetails(
                student=entry.name,
                suites=tuple(suites),
                latency=latency_distribution(run, entry.name),
                tokens=tuple(
                    item if include_text else without_text(item)
                    for item in tokens.get(entry.name, ())
                ),
                layers=layers.get(entry.name, ()),
            )
        )
    return tuple(found)
