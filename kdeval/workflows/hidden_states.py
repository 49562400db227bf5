"""Hidden states within `kdeval run`: whether they can be compared, and measuring them."""

from __future__ import annotations

from pathlib import Path

from kdeval.errors import UsageError
from kdeval.models.white_box import HiddenStates
from kdeval.run.asking import Progress
from kdeval.run.prepare import RunInputs
from kdeval.run.requests import as_request
from kdeval.store.hidden import HIDDEN_FILES, HiddenTables
from kdeval.store.run_directory import RunDirectory

__all__ = ["check_hidden_states", "left_out_lines", "run_hidden_states"]

_OPEN = "type: causal_lm, sequence_classifier, image_classifier or embedder"


def check_hidden_states(inputs: RunInputs) -> tuple[str, ...]:
    """Warnings, a line for each student that is left out; () where it was not asked for.

    Raises:
        UsageError: it was asked for and there is nothing to compare.
    """
    settings = inputs.config.hidden_states
    if settings is None:
        return ()
    teacher = inputs.config.teacher
    if not isinstance(inputs.models[teacher.name], HiddenStates):
        raise UsageError(
            f"hidden_states needs a teacher with open weights ({_OPEN}), and {teacher.name!r} is "
            f"of type {teacher.type}: leave hidden_states out"
        )
    if not inputs.suites:
        raise UsageError(
            "hidden_states needs a suite, whose samples the models read: lm_eval tasks are not read"
        )
    without = [
        item.name
        for item in inputs.config.students
        if not isinstance(inputs.models[item.name], HiddenStates)
    ]
    if len(without) == len(inputs.config.students):
        raise UsageError(f"hidden_states needs a student with open weights ({_OPEN})")
    if settings.tokens == "first":
        one_way = [item.name for item in inputs.config.models if item.type == "causal_lm"]
        if one_way:
            raise UsageError(
                f"hidden_states: tokens: first says nothing of {one_way[0]!r}, a causal_lm, whose "
                "first token sees no other: use mean or last"
            )
    if settings.tokens == "last":
        images = [item.name for item in inputs.config.models if item.type == "image_classifier"]
        if images:
            raise UsageError(
                f"hidden_states: tokens: last says nothing of {images[0]!r}: an image has no last "
                "token: use mean or first"
            )
    return tuple(f"hidden_states: {name} has no open weights, so is left out" for name in without)


def run_hidden_states(inputs: RunInputs, out: Path, progress: Progress) -> None:
    """Measures what the configuration asks for; models that did not change are not read again."""
    settings = inputs.config.hidden_states
    if settings is None:
        for name in HIDDEN_FILES:
            (out / name).unlink(missing_ok=True)
        return
    described = _described(inputs)
    known = HiddenTables.open(out)
    if known is not None and known.settings == described:
        return
    from kdeval.diagnostics.hidden_states import (  # torch, only where it is asked
        SuiteRequests,
        measure_hidden_states,
    )

    measure_hidden_states(
        _open_models(inputs),
        tuple(
            SuiteRequests(
                suite=suite.name,
                requests=tuple(
                    as_request(sample)
                    for sample in suite.limited(settings.samples, inputs.config.seed).samples
                ),
            )
            for suite in inputs.suites
        ),
        settings=settings,
        directory=out,
        described=described,
        known=None if known is None else (known, _unchanged(known, described)),
        progress=lambda name, done, total: progress(f"layers of {name}", done, total),
    )


def left_out_lines(run: RunDirectory) -> tuple[str, ...]:
    """A line for each model and suite of which samples were not read, with the first reason."""
    tables = run.hidden()
    if tables is None:
        return ()
    samples = tables.samples()
    lines = []
    for (suite, model), rows in samples.groupby(["suite", "model"], sort=False):
        reasons = rows["reason"].dropna()
        if len(reasons):
            lines.append(
                f"hidden_states: {model} did not read {len(reasons):,} of {len(rows):,} samples "
                f"of {suite}: {reasons.iloc[0]}"
            )
    return tuple(lines)


def _open_models(inputs: RunInputs) -> dict[str, HiddenStates]:
    """Teacher first, then the students that show their hidden states."""
    return {
        item.name: model
        for item in inputs.config.models
        if isinstance(model := inputs.models[item.name], HiddenStates)
    }


def _described(inputs: RunInputs) -> dict[str, object]:
    """All that the files depend on, as it stands in them."""
    config = inputs.config
    assert config.hidden_states is not None
    return {
        "version": 1,
        "models": {name: inputs.fingerprints[name] for name in _open_models(inputs)},
        "suites": {suite.name: suite.fingerprint for suite in inputs.suites},
        **config.hidden_states.model_dump(mode="json"),
        "seed": config.seed,
        "limit": inputs.limit,
    }


def _unchanged(known: HiddenTables, described: dict[str, object]) -> frozenset[str]:
    """Models of which the files have all that is asked for now."""
    before = dict(known.settings)
    models, now = before.pop("models", None), dict(described)
    wanted = now.pop("models")
    if before != now or not isinstance(models, dict) or not isinstance(wanted, dict):
        return frozenset()
    return frozenset(name for name, found in wanted.items() if models.get(name) == found)
