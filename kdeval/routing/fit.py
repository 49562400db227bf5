"""From a finished run to a router: fit, calibrate, certify, write."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from kdeval_router.artefact import WEIGHTS_FILE, RouterArtefact, build_rule, tensors_digest
from kdeval_router.decision import RoutingRule
from kdeval_router.request import ReadRequest
from kdeval_router.schema import (
    Created,
    EncoderEntry,
    Guarantee,
    Lineage,
    RouterConfig,
    Splits,
    StudentEntry,
    Thresholds,
    WeightsFile,
)
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from kdeval.errors import RoutingError
from kdeval.routing.certify import (
    LOOSEST,
    Certificate,
    certify,
    one_per_unit,
    threshold_grid,
)
from kdeval.routing.encoder_fit import FittedEncoder, fit_svd_encoder, read_static_encoder
from kdeval.routing.ranking import FittedRanking, fit_ranking
from kdeval.routing.samples import RoutingSamples, load_samples
from kdeval.routing.savings import Savings, known_savings
from kdeval.routing.split import FRACTIONS, SPLITS, SplitName, assign_splits, seen_hashes
from kdeval.store.run_directory import RunDirectory

__all__ = ["FitSummary", "fit_router"]

_NO_HASH = "0" * 64
_MIN_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSummary:
    """What was written.

    Attributes:
        path: directory of the artefact.
        config: what its router.yaml says.
        samples: number of samples in each split.
        unusable: samples in which the teacher or every student has an error or no score.
    """

    path: Path
    config: RouterConfig
    samples: dict[str, int]
    unusable: int

    @property
    def certified(self) -> bool:
        """Some traffic may go to a student."""
        return self.config.guarantee.certified


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    max_drop: float
    confidence: float
    alpha: float
    seed: int


def fit_router(
    run: RunDirectory,
    out: Path,
    *,
    students: Sequence[str] | None = None,
    max_drop: float = 0.02,
    confidence: float = 0.9,
    alpha: float = 0.05,
    seed: int = 0,
    encoder_dir: Path | None = None,
    metric: str | None = None,
) -> FitSummary:
    """The router fitted on `run`, written to the directory `out`.

    Args:
        run: a finished run with text.
        out: directory of the artefact; made when missing.
        students: which of the run's students may be targets; None: all.
        max_drop: largest share of all traffic that may lose a right answer.
        confidence: that this holds, over draws of the certify split.
        alpha: share of familiar traffic that the in-distribution test may turn away.
        seed: of the splits and of every draw.
        encoder_dir: a model2vec directory; None: vectors are fitted on the run's own prompts.
        metric: the metric of every suite; None: each suite's first.

    Raises:
        RoutingError: the run or a setting does not allow a router.
    """
    settings = _checked(_Settings(max_drop=max_drop, confidence=confidence, alpha=alpha, seed=seed))
    samples = load_samples(run, students=_chosen(run, students), metric=metric)
    names = assign_splits(samples.units, seed)
    splits = {name: samples.take(names == name) for name in SPLITS}
    _check_splits(run, splits)
    savings = known_savings(run, samples.students, confidence)
    with threadpool_limits(1):  # the matrices are small: threads would wait for each other
        encoder = _encoder(splits["fit"], encoder_dir, seed)
        ranking = fit_ranking(
            splits["fit"],
            splits["conform"],
            encoder,
            teacher=run.manifest.teacher.name,
            savings=savings,
            max_drop=max_drop,
            alpha=alpha,
            seed=seed,
        )
    draft = _draft(run, samples, splits, encoder, ranking, savings, settings)
    guarantee, threshold = _certified(build_rule(draft), splits["certify"], ranking, settings)
    thresholds = Thresholds(alpha_in_distribution=alpha, ranked_by="flip_risk", maximum=threshold)
    config = draft.config.model_copy(update={"guarantee": guarantee, "thresholds": thresholds})
    written = RouterArtefact(config=config, tensors=draft.tensors).save(out)
    return FitSummary(
        path=out,
        config=written.config,
        samples={name: len(splits[name]) for name in SPLITS},
        unusable=samples.unusable,
    )


def _checked(settings: _Settings) -> _Settings:
    limits = (
        ("max_drop", settings.max_drop, 0.0, 1.0),
        ("confidence", settings.confidence, 0.5, 1.0),
        ("alpha", settings.alpha, 0.0, 0.5),
    )
    for name, value, low, high in limits:
        if not low < value < high:
            raise RoutingError(f"{name} must lie between {low:g} and {high:g}, got {value!r}")
    return settings


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


def _draft(
    run: RunDirectory,
    samples: RoutingSamples,
    splits: dict[SplitName, RoutingSamples],
    encoder: FittedEncoder,
    ranking: FittedRanking,
    savings: Savings,
    settings: _Settings,
) -> RouterArtefact:
    """The artefact as it is certified: everything is decided but the threshold."""
    manifest = run.manifest
    fingerprints = {
        entry.name: entry.fingerprint
        for entry in manifest.students
        if entry.name in samples.students
    }
    kept = [splits[name] for name in SPLITS if name != "test"]
    seen = np.unique(np.concatenate([seen_hashes(part, settings.seed) for part in kept]))
    tensors = {**encoder.tensors, **ranking.tensors, "splits.seen": seen}
    longest = max(len(text) for text in splits["fit"].texts)
    config = RouterConfig(
        created=Created(
            at=manifest.header.created,
            kdeval=manifest.header.kdeval,
            git_revision=manifest.header.git_revision,
            versions=dict(manifest.header.versions),
            run=manifest.name,
        ),
        teacher=manifest.teacher.name,
        students={name: StudentEntry(fingerprint=fingerprints[name]) for name in samples.students},
        tasks=ranking.tasks,
        thresholds=Thresholds(
            alpha_in_distribution=settings.alpha, ranked_by="flip_risk", maximum=LOOSEST
        ),
        guarantee=_guarantee(_nothing(), 0, settings, clustered=samples.clustered),
        fallback=manifest.teacher.name,
        encoder=EncoderEntry(
            kind=encoder.kind,
            source=encoder.source,
            dimensions=int(encoder.tensors["encoder.vectors"].shape[1]),
            vocabulary=int(encoder.tensors["encoder.vectors"].shape[0]),
            references=len(ranking.tensors["references.task"]),
            scored_by_coverage=encoder.covers,
        ),
        max_characters=max(_MIN_CHARACTERS, 4 * longest),
        costs=savings.costs,
        lineage=Lineage(
            teacher=manifest.teacher.fingerprint,
            students={name: fingerprints[name] for name in samples.students},
            encoder=tensors_digest(tensors, "encoder."),
            suites=dict(manifest.header.suites),
            data=hashlib.sha256("\n".join(sorted(samples.content)).encode()).hexdigest(),
            metrics=samples.metrics,
        ),
        splits=Splits(
            seed=settings.seed,
            unit=_unit(samples.clustered),
            fractions={name: FRACTIONS[name] for name in SPLITS},
            samples={name: len(splits[name]) for name in SPLITS},
            units={name: len(set(splits[name].units)) for name in SPLITS},
        ),
        weights=WeightsFile(file=WEIGHTS_FILE, sha256=_NO_HASH),
        config_hash=_NO_HASH,
    )
    return RouterArtefact(config=config, tensors=tensors)


def _certified(
    rule: RoutingRule, samples: RoutingSamples, ranking: FittedRanking, settings: _Settings
) -> tuple[Guarantee, float | None]:
    drawn = one_per_unit(samples.units, np.random.default_rng([settings.seed, 1]))
    units = samples.take(drawn)
    decisions = [rule.decide(ReadRequest(text=text)) for text in units.texts]
    eligible = np.array([decision.role == "student" for decision in decisions], dtype=bool)
    column = np.array(
        [
            samples.students.index(decision.target) if decision.role == "student" else 0
            for decision in decisions
        ],
        dtype=np.int64,
    )
    rows = np.arange(len(units))
    known = units.teacher_known & units.student_known[rows, column]
    usable = known | ~eligible
    lost = known & units.teacher_right & ~units.student_right[rows, column]
    risk = np.array(
        [LOOSEST if decision.flip_risk is None else decision.flip_risk for decision in decisions]
    )
    certificate = certify(
        threshold_grid(ranking.held_out_risk),
        eligible[usable],
        risk[usable],
        lost[usable],
        level=settings.max_drop,
        confidence=settings.confidence,
    )
    dropped = int((~usable).sum())
    guarantee = _guarantee(certificate, dropped, settings, clustered=samples.clustered)
    return guarantee, certificate.threshold


def _nothing() -> Certificate:
    return Certificate(threshold=None, flips=0, bound=1.0, share=0.0, n=0, n_min=0, missing=None)


def _unit(clustered: bool) -> str:
    return "cluster, one random sample of each" if clustered else "distinct prompt"


def _guarantee(
    certificate: Certificate, dropped: int, settings: _Settings, *, clustered: bool
) -> Guarantee:
    certified = certificate.threshold is not None
    return Guarantee(
        certified=certified,
        risk="share of all traffic that is routed to a student, that the teacher would have "
        "answered right and the student answers wrong",
        level=settings.max_drop,
        confidence=settings.confidence,
        method="fixed-sequence testing with exact Clopper-Pearson bounds",
        sampling_unit=_unit(clustered),
        assumption="traffic is drawn like the certify split, and teacher, students and prompt "
        "template are those of the lineage",
        n=certificate.n,
        dropped=dropped,
        seed=settings.seed,
        flips=certificate.flips if certificate.n else None,
        bound=certificate.bound if certificate.n else None,
        share=certificate.share if certified else 0.0,
        n_min=certificate.n_min,
        missing=certificate.missing,
        note=None if certified else _note(certificate, settings),
    )


def _note(certificate: Certificate, settings: _Settings) -> str:
    start = "nothing is certified, so everything goes to the teacher"
    if certificate.missing is None:
        return (
            f"{start}: the strictest threshold already loses {certificate.flips} of "
            f"{certificate.n} units, too many for a maximum of {settings.max_drop:g} at any n"
        )
    total = math.ceil(certificate.missing / FRACTIONS["certify"])
    return (
        f"{start}: {certificate.missing} more certify units are needed (about {total} more in "
        "the run, as the splits share them out)"
    )
