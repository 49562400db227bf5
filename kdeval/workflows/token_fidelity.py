"""Token-level fidelity within `kdeval run`: whether it can be measured, and measuring it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from kdeval.errors import UsageError
from kdeval.models.white_box import TokenScorer
from kdeval.records import Response
from kdeval.run.asked import Asked
from kdeval.run.asking import Progress
from kdeval.run.prepare import RunInputs
from kdeval.store.predictions import PredictionStore
from kdeval.store.tokens import TEXTS_FILE, TOKENS_FILE, read_settings
from kdeval.suites.read import Suite

if TYPE_CHECKING:
    from kdeval.diagnostics.token_fidelity import SuiteTexts

__all__ = ["check_token_fidelity", "run_token_fidelity"]

_WRITTEN = ("generation", "extraction")


def check_token_fidelity(inputs: RunInputs) -> tuple[str, ...]:
    """Warnings, a line for each student that is left out; () where it was not asked for.

    Raises:
        UsageError: it was asked for and there is nothing to measure.
    """
    if inputs.config.token_fidelity is None:
        return ()
    teacher = inputs.config.teacher.name
    if not isinstance(inputs.models[teacher], TokenScorer):
        raise UsageError(
            f"token_fidelity needs a teacher with open weights (type: causal_lm), and {teacher!r} "
            f"is of type {inputs.config.teacher.type}: leave token_fidelity out"
        )
    if not any(suite.kind in _WRITTEN for suite in inputs.suites):
        raise UsageError(
            "token_fidelity needs a suite in which models write (kind: generation or extraction); "
            "for labels and choices the report compares their probabilities without it"
        )
    without = [
        item.name
        for item in inputs.config.students
        if not isinstance(inputs.models[item.name], TokenScorer)
    ]
    if len(without) == len(inputs.config.students):
        raise UsageError("token_fidelity needs a student with open weights (type: causal_lm)")
    return tuple(f"token_fidelity: {name} has no open weights, so is left out" for name in without)


def run_token_fidelity(
    inputs: RunInputs, asked: Asked, store: PredictionStore, out: Path, progress: Progress
) -> None:
    """Measures what the configuration asks for, unless just that was measured before."""
    settings = inputs.config.token_fidelity
    if settings is None:
        for name in (TOKENS_FILE, TEXTS_FILE):
            (out / name).unlink(missing_ok=True)
        return
    described = _described(inputs)
    if read_settings(out) == described:
        return
    from kdeval.diagnostics.token_fidelity import measure_tokens  # torch, only where it is asked

    teacher = inputs.models[inputs.config.teacher.name]
    assert isinstance(teacher, TokenScorer)
    measure_tokens(
        teacher,
        dict(_students(inputs)),
        tuple(_texts(inputs, asked, store)),
        settings=settings,
        temperature=inputs.config.distillation_temperature,
        directory=out,
        described=described,
        progress=lambda name, done, total: progress(f"tokens of {name}", done, total),
    )


def _students(inputs: RunInputs) -> Iterable[tuple[str, TokenScorer]]:
    for item in inputs.config.students:
        model = inputs.models[item.name]
        if isinstance(model, TokenScorer):
            yield item.name, model


def _texts(inputs: RunInputs, asked: Asked, store: PredictionStore) -> Iterable[SuiteTexts]:
    from kdeval.diagnostics.token_fidelity import SuiteTexts

    teacher = inputs.config.teacher.name
    for suite in filter(_is_written, inputs.suites):
        assert inputs.config.token_fidelity is not None
        kept = suite.limited(inputs.config.token_fidelity.samples, inputs.config.seed).samples
        wanted = {sample.id for sample in kept}
        keys = {
            sample.id: key
            for sample, key in zip(suite.samples, asked.keys[teacher, suite.name], strict=True)
            if sample.id in wanted
        }
        known = store.get([keys[sample.id] for sample in kept])
        failed = Response(error="not asked")
        yield SuiteTexts(
            suite=suite.name,
            samples=tuple(kept),
            answers=tuple(known.get(keys[sample.id], failed) for sample in kept),
        )


def _is_written(suite: Suite) -> bool:
    return suite.kind in _WRITTEN


def _described(inputs: RunInputs) -> dict[str, object]:
    """All that the figures depend on, as it stands in the files."""
    config = inputs.config
    assert config.token_fidelity is not None
    return {
        "version": 2,
        "teacher": inputs.fingerprints[config.teacher.name],
        "students": {name: inputs.fingerprints[name] for name, _ in _students(inputs)},
        "suites": {
            suite.name: suite.fingerprint for suite in inputs.suites if suite.kind in _WRITTEN
        },
        "text": config.token_fidelity.text,
        "samples": config.token_fidelity.samples,
        "temperature": config.distillation_temperature,
        "seed": config.seed,
    }
