"""The artefact as it is certified: everything is decided but the threshold."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from kdeval_router.artefact import WEIGHTS_FILE, RouterArtefact, tensors_digest
from kdeval_router.schema import (
    Created,
    EncoderEntry,
    Lineage,
    RouterConfig,
    Splits,
    StudentEntry,
    Thresholds,
    WeightsFile,
)

from kdeval.routing.certify import LOOSEST
from kdeval.routing.encoder_fit import FittedEncoder
from kdeval.routing.guarantee import FitSettings, no_guarantee, sampling_unit
from kdeval.routing.ranking import FittedRanking
from kdeval.routing.samples import RoutingSamples
from kdeval.routing.savings import Savings
from kdeval.routing.split import FRACTIONS, SPLITS, SplitName, seen_hashes
from kdeval.store.run_directory import RunDirectory

__all__ = ["FittedParts", "draft_artefact"]

_NO_HASH = "0" * 64
_MIN_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedParts:
    """What was learnt, and from what."""

    run: RunDirectory
    splits: dict[SplitName, RoutingSamples]
    encoder: FittedEncoder
    ranking: FittedRanking
    savings: Savings
    settings: FitSettings

    @property
    def fit(self) -> RoutingSamples:
        """The fit split."""
        return self.splits["fit"]


def draft_artefact(parts: FittedParts) -> RouterArtefact:
    """The router at its loosest threshold and without a guarantee."""
    manifest, settings, fit = parts.run.manifest, parts.settings, parts.fit
    kept = [parts.splits[name] for name in SPLITS if name != "test"]
    seen = np.unique(np.concatenate([seen_hashes(part, settings.seed) for part in kept]))
    tensors = {**parts.encoder.tensors, **parts.ranking.tensors, "splits.seen": seen}
    supports = tuple(sorted(frozenset.intersection(*fit.needs)))
    lineage = _lineage(parts, encoder=tensors_digest(tensors, "encoder."))
    config = RouterConfig(
        created=_created(parts.run),
        teacher=manifest.teacher.name,
        students={
            name: StudentEntry(fingerprint=fingerprint, supports=supports)
            for name, fingerprint in lineage.students.items()
        },
        tasks=parts.ranking.tasks,
        thresholds=Thresholds(
            alpha_in_distribution=settings.alpha, ranked_by="flip_risk", maximum=LOOSEST
        ),
        guarantee=no_guarantee(settings, clustered=fit.clustered),
        fallback=manifest.teacher.name,
        encoder=_encoder_entry(parts),
        max_characters=max(_MIN_CHARACTERS, 4 * max(len(text) for text in fit.texts)),
        costs=parts.savings.costs,
        lineage=lineage,
        splits=_splits_entry(parts),
        weights=WeightsFile(file=WEIGHTS_FILE, sha256=_NO_HASH),
        config_hash=_NO_HASH,
    )
    return RouterArtefact(config=config, tensors=tensors)


def _created(run: RunDirectory) -> Created:
    """The run's own header: the same run and seed give the same files, so no clock is read."""
    header = run.manifest.header
    return Created(
        at=header.created,
        kdeval=header.kdeval,
        git_revision=header.git_revision,
        versions=dict(header.versions),
        run=run.manifest.name,
    )


def _encoder_entry(parts: FittedParts) -> EncoderEntry:
    vocabulary, dimensions = parts.encoder.tensors["encoder.vectors"].shape
    return EncoderEntry(
        kind=parts.encoder.kind,
        source=parts.encoder.source,
        dimensions=int(dimensions),
        vocabulary=int(vocabulary),
        references=len(parts.ranking.tensors["references.task"]),
        scored_by_coverage=parts.encoder.covers,
    )


def _lineage(parts: FittedParts, *, encoder: str) -> Lineage:
    manifest = parts.run.manifest
    fingerprints = {entry.name: entry.fingerprint for entry in manifest.students}
    content = sorted(hash_ for part in parts.splits.values() for hash_ in part.content)
    return Lineage(
        teacher=manifest.teacher.fingerprint,
        students={name: fingerprints[name] for name in parts.fit.students},
        encoder=encoder,
        suites={
            name: fingerprint
            for name, fingerprint in manifest.header.suites.items()
            if name in parts.fit.metrics
        },
        data=hashlib.sha256("\n".join(content).encode()).hexdigest(),
        metrics=parts.fit.metrics,
    )


def _splits_entry(parts: FittedParts) -> Splits:
    return Splits(
        seed=parts.settings.seed,
        unit=sampling_unit(parts.fit.clustered),
        fractions={name: FRACTIONS[name] for name in SPLITS},
        samples={name: len(parts.splits[name]) for name in SPLITS},
        units={name: len(set(parts.splits[name].units)) for name in SPLITS},
    )
