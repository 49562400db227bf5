"""From a finished run to a router: fit, calibrate, certify, write."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kdeval_router.artefact import CONFIG_FILE, WEIGHTS_FILE, RouterArtefact, build_rule
from kdeval_router.schema import RouterConfig
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from kdeval.errors import RoutingError, UsageError
from kdeval.routing.draft import FittedParts, draft_artefact
from kdeval.routing.encoder_fit import FittedEncoder, fit_svd_encoder, read_static_encoder
from kdeval.routing.guarantee import FitSettings, certified_guarantee
from kdeval.routing.ranking import fit_ranking
from kdeval.routing.samples import RoutingSamples, load_samples
from kdeval.routing.savings import known_savings
from kdeval.routing.shared_prompts import shared_prompts_note
from kdeval.routing.split import SPLITS, SplitName, assign_splits
from kdeval.routing.suites import choose_suites
from kdeval.store.run_directory import RunDirectory

__all__ = ["FitSummary", "fit_router"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSummary:
    """What was written.

    Attributes:
        path: directory of the artefact.
        config: what its router.yaml says.
        samples: number of samples in each split.
        unusable: samples in which the teacher or every student has an error or no score.
        notes: suites of the run that were left out, with the reason; prompts that several tasks
            share.
    """

    path: Path
    config: RouterConfig
    samples: dict[str, int]
    unusable: int
    notes: tuple[str, ...] = ()

    @property
    def certified(self) -> bool:
        """Some traffic may go to a student."""
        return self.config.guarantee.certified


def fit_router(
    run: RunDirectory,
    out: Path,
    settings: FitSettings | None = None,
) -> FitSummary:
    """The router fitted on `run`, written to the directory `out`.

    Args:
        run: a finished run with text.
        out: directory of the artefact; made when missing.
        settings: what is asked of it.

    Raises:
        RoutingError: the run does not allow a router.
        UsageError: `out` cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"cannot write {out}: it is a file, not a directory; give another --out")
    settings = settings or FitSettings()
    students = _chosen(run, settings.students)
    suites = choose_suites(run, metric=settings.metric, suites=settings.suites)
    samples = load_samples(run, students=students, metrics=suites.metrics)
    names = assign_splits(samples.units, settings.seed)
    splits = {name: samples.take(names == name) for name in SPLITS}
    _check_splits(run, splits)
    with threadpool_limits(1):  # the matrices are small: threads would wait for each other
        parts = _learn(run, splits, settings)
    written = _saved(_certify(parts), out)
    shared = shared_prompts_note(samples)
    return FitSummary(
        path=out,
        config=written.config,
        samples={name: len(splits[name]) for name in SPLITS},
        unusable=samples.unusable,
        notes=suites.notes if shared is None else (*suites.notes, shared),
    )


def _learn(
    run: RunDirectory,
    splits: dict[SplitName, RoutingSamples],
    settings: FitSettings,
) -> FittedParts:
    encoder = _encoder(splits["fit"], settings.encoder_dir, settings.seed)
    savings = known_savings(run, splits["fit"].students, settings.confidence)
    ranking = fit_ranking(
        splits["fit"],
        splits["conform"],
        encoder,
        teacher=run.manifest.teacher.name,
        savings=savings,
        max_drop=settings.max_drop,
        alpha=settings.alpha,
        seed=settings.seed,
    )
    return FittedParts(
        run=run,
        splits=splits,
        encoder=encoder,
        ranking=ranking,
        savings=savings,
        settings=settings,
    )


def _certify(parts: FittedParts) -> RouterArtefact:
    draft = draft_artefact(parts)
    guarantee, threshold = certified_guarantee(
        build_rule(draft), parts.splits["certify"], parts.ranking.held_out_risk, parts.settings
    )
    thresholds = draft.config.thresholds.model_copy(update={"maximum": threshold})
    config = draft.config.model_copy(update={"guarantee": guarantee, "thresholds": thresholds})
    return RouterArtefact(config=config, tensors=draft.tensors)


def _saved(artefact: RouterArtefact, out: Path) -> RouterArtefact:
    try:
        return artefact.save(out)
    except OSError as error:
        for name in (CONFIG_FILE, WEIGHTS_FILE):
            with suppress(OSError):
                (out / f"{name}.partial").unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise UsageError(f"cannot write {out}: {reason}; give another --out") from error


def _chosen(run: RunDirectory, students: Sequence[str] | None) -> tuple[str, ...]:
    known = tuple(entry.name for entry in run.manifest.students)
    if not known:
        raise RoutingError(f"{run.path} has no students: a router needs at least one")
    chosen = known if students is None else tuple(dict.fromkeys(students))
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise RoutingError(
            f"{unknown[0] if unknown else 'nobody'!r} is no student of this run: choose among "
            f"{', '.join(known)}"
        )
    return chosen


def _check_splits(run: RunDirectory, splits: dict[SplitName, RoutingSamples]) -> None:
    fit = splits["fit"]
    if len(set(fit.units)) < 20 or not len(splits["conform"]) or not len(splits["certify"]):
        counts = ", ".join(f"{name} {len(splits[name])}" for name in SPLITS)
        raise RoutingError(
            f"{run.path} is too small for a router (samples by split: {counts}; the fit split "
            f"needs 20 different units, it has {len(set(fit.units))}): run more samples"
        )
    if not (fit.teacher_known[:, None] & fit.student_known).any():
        raise RoutingError(
            f"{run.path}: no sample of the fit split has a score of the teacher and of a student; "
            "look at the errors that `kdeval report` counts"
        )


def _encoder(fit: RoutingSamples, encoder_dir: Path | None, seed: int) -> FittedEncoder:
    if encoder_dir is not None:
        return read_static_encoder(Path(encoder_dir))
    return fit_svd_encoder(list(fit.texts), seed)
