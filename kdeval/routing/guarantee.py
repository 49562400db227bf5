"""The guarantee of a router: its rule run on the certify split, the certificate in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from kdeval_router.decision import Decision, RoutingRule
from kdeval_router.request import Feature, ReadRequest
from kdeval_router.schema import Guarantee
from numpy.typing import NDArray

from kdeval.errors import RoutingError
from kdeval.routing.certify import LOOSEST, Certificate, certify, one_per_unit, threshold_grid
from kdeval.routing.samples import RoutingSamples
from kdeval.routing.split import FRACTIONS

__all__ = ["FitSettings", "certified_guarantee", "decide_all", "no_guarantee", "sampling_unit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """What the user asks of a router.

    Attributes:
        max_drop: largest share of all traffic that may lose a right answer.
        confidence: that this holds, over draws of the certify split.
        alpha: share of familiar traffic that the in-distribution test may turn away.
        seed: of the splits and of every draw.
        students: which of the run's students may be targets; None: all.
        encoder_dir: a model2vec directory; None: vectors are fitted on the run's own prompts.
        metric: the metric of every suite; None: each suite's first.
        suites: those it is fitted on; none: all whose metric can be certified.

    Raises:
        RoutingError: a number lies outside its range.
    """

    max_drop: float = 0.02
    confidence: float = 0.9
    alpha: float = 0.05
    seed: int = 0
    students: tuple[str, ...] | None = None
    encoder_dir: Path | None = None
    metric: str | None = None
    suites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        limits = (
            ("max_drop", self.max_drop, 0.0, 1.0),
            ("confidence", self.confidence, 0.5, 1.0),
            ("alpha", self.alpha, 0.0, 0.5),
        )
        for name, value, low, high in limits:
            if not low < value < high:
                raise RoutingError(f"{name} must lie between {low:g} and {high:g}, got {value!r}")


def decide_all(
    rule: RoutingRule, texts: Sequence[str], needs: Sequence[frozenset[Feature]] | None = None
) -> list[Decision]:
    """The runtime's decision on each text, whose request needs those features; None: none."""
    if needs is None:
        needs = [frozenset()] * len(texts)
    return [
        rule.decide(ReadRequest(text=text, needs=needed))
        for text, needed in zip(texts, needs, strict=True)
    ]


def certified_guarantee(
    rule: RoutingRule,
    samples: RoutingSamples,
    fit_risk: NDArray[np.float64],
    settings: FitSettings,
) -> tuple[Guarantee, float | None]:
    """The guarantee and its threshold, None where nothing is certified.

    Args:
        rule: the runtime's rule at the loosest threshold.
        samples: the certify split.
        fit_risk: risks of the fit split; thresholds are taken from them.
        settings: level and confidence.
    """
    drawn = one_per_unit(samples.units, np.random.default_rng([settings.seed, 1]))
    units = samples.take(drawn)
    decisions = decide_all(rule, list(units.texts), list(units.needs))
    eligible = np.array([decision.role == "student" for decision in decisions], dtype=bool)
    lost, known = _outcomes(units, decisions, eligible)
    usable = known | ~eligible
    risk = np.array(
        [LOOSEST if decision.flip_risk is None else decision.flip_risk for decision in decisions]
    )
    certificate = certify(
        threshold_grid(fit_risk),
        eligible[usable],
        risk[usable],
        lost[usable],
        level=settings.max_drop,
        confidence=settings.confidence,
    )
    guarantee = _in_words(certificate, int((~usable).sum()), settings, samples.clustered)
    return guarantee, certificate.threshold


def no_guarantee(settings: FitSettings, *, clustered: bool) -> Guarantee:
    """The guarantee of a router that is not certified yet."""
    nothing = Certificate(threshold=None, flips=0, bound=1.0, share=0.0, n=0, n_min=0, missing=None)
    return _in_words(nothing, 0, settings, clustered)


def sampling_unit(clustered: bool) -> str:
    """What a guarantee counts."""
    return "cluster, one random sample of each" if clustered else "distinct prompt"


def _outcomes(
    units: RoutingSamples, decisions: Sequence[Decision], eligible: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(lost, known) of each unit with the student that the rule would send it to."""
    rows = np.arange(len(units))
    column = np.array(
        [
            units.students.index(decision.target) if routed else 0
            for decision, routed in zip(decisions, eligible, strict=True)
        ],
        dtype=np.int64,
    )
    known = units.teacher_known & units.student_known[rows, column]
    return known & units.teacher_right & ~units.student_right[rows, column], known


def _in_words(
    certificate: Certificate, dropped: int, settings: FitSettings, clustered: bool
) -> Guarantee:
    certified = certificate.threshold is not None
    return Guarantee(
        certified=certified,
        risk="share of all traffic that is routed to a student, that the teacher would have "
        "answered right and the student answers wrong",
        level=settings.max_drop,
        confidence=settings.confidence,
        method="fixed-sequence testing with exact Clopper-Pearson bounds",
        sampling_unit=sampling_unit(clustered),
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


def _note(certificate: Certificate, settings: FitSettings) -> str:
    start = "nothing is certified, so everything goes to the teacher"
    if certificate.missing is None:
        return (
            f"{start}: the strictest threshold already loses {certificate.flips:,} of "
            f"{certificate.n:,} units, too many for a maximum of {settings.max_drop:g} at any n"
        )
    total = math.ceil(certificate.missing / FRACTIONS["certify"])
    return (
        f"{start}: {certificate.missing:,} more certify units are needed (about {total:,} more in "
        "the run, as the splits share them out)"
    )
