"""How much both models read and write: a student that writes more eats its own speed-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.latency.requests import SIDES, cluster_codes, forget_unwritten, paired_requests
from kdeval.stats.interval import Interval, unknown
from kdeval.stats.means.reals import ratio_of_means
from kdeval.store.run_directory import RunDirectory

__all__ = ["SAME_RATIO", "PairedMeans", "TokenFigures", "length_ratio", "token_figures"]

SAME_RATIO = "the ratio is the same in every request: there is no spread to make an interval of"
"""Why a length ratio has no interval although it is known."""

FloatArray = NDArray[np.float64]
Counted = Literal["input_tokens", "output_tokens", "reasoning_tokens", "truncated"]

_WRITING = ("output_tokens", "reasoning_tokens", "truncated")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedMeans:
    """One quantity of a request, averaged over the requests where it is known of both models.

    Attributes:
        n: requests where it is known of both.
        total: requests where it could be.
        teacher: mean; where only one model's is known, that one's mean over its own requests.
        student: the same of the student.
        ratio: mean of the student / mean of the teacher; None where one is unknown, the teacher's
            is 0, or a ratio of it says nothing.
        reason: why a figure, or an end of the ratio, is None.
    """

    n: int
    total: int
    teacher: float | None
    student: float | None
    ratio: Interval | None = None
    reason: str | None = None

    @property
    def coverage(self) -> str:
        """Of how many requests it is known, in words."""
        return f"known of {self.n:,} of {self.total:,} requests"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFigures:
    """Tokens a request; each figure is None where neither model tells it.

    Attributes:
        input: tokens read. Each model counts by its own tokenizer.
        output: tokens written, in all samples of a request, reasoning included. Choices whose
            likelihood was only looked up are not written and do not count.
        reasoning: those of them that are reasoning; no ratio.
        truncated: share of the requests whose output ended because no more tokens were allowed;
            no ratio. Where it is high, lengths are those of the limit.
        suites: of each suite the ratio of output lengths; empty where a single suite has any.
    """

    input: PairedMeans | None
    output: PairedMeans | None
    reasoning: PairedMeans | None
    truncated: PairedMeans | None
    suites: Mapping[str, PairedMeans]


def token_figures(
    run: RunDirectory, student: str, confidence: float, pairs: pd.DataFrame | None = None
) -> TokenFigures | None:
    """Figures of `student` beside the teacher, or None when no model counts its tokens.

    Args:
        run: the run.
        student: name of the student.
        confidence: two-sided confidence of each interval.
        pairs: the run's pairs, where they are loaded already.
    """
    rows = paired_requests(run, student, ("input_tokens", *_WRITING), pairs)
    written = _written(run, rows, student)
    whole = {
        "input": _means(rows, "input_tokens", student, run, confidence),
        "output": _means(written, "output_tokens", student, run, confidence),
        "reasoning": _means(written, "reasoning_tokens", student, run, confidence),
        "truncated": _means(written, "truncated", student, run, confidence),
    }
    if not any(whole.values()):
        return None
    suites: dict[str, PairedMeans] = {}
    for name in written["suite"].astype(str).unique():
        of_suite = written[written["suite"] == name]
        found = _means(of_suite, "output_tokens", student, run, confidence)
        if found is not None:
            suites[name] = found
    return TokenFigures(**whole, suites=suites if len(suites) > 1 else {})


def length_ratio(
    teacher: FloatArray,
    student: FloatArray,
    *,
    clusters: NDArray[np.int64] | None = None,
    confidence: float,
) -> Interval:
    """Mean of `student` over mean of `teacher`, both of shape (n,) and of the same requests.

    Fieller's interval, cluster-robust where codes are given. A ratio that is the same in every
    request has no spread and so no interval, and the reason says so.

    Source: Fieller (1954), JRSS-B 16.
    """
    n = len(teacher)
    if n == 0 or teacher.mean() <= 0:
        reason = "no request" if n == 0 else "the teacher's mean is 0"
        return unknown(reason, confidence=confidence, method="Fieller t", n=n)
    found = ratio_of_means(teacher, student, clusters, chance=0.0, confidence=confidence)
    if found.estimate is not None and np.allclose(student, found.estimate * teacher):
        return unknown(
            SAME_RATIO,
            confidence=confidence,
            method=found.method,
            n=n,
            clusters=found.clusters,
            estimate=found.estimate,
        )
    if found.low is None:
        return replace(found, reason=f"{n:,} requests are too few to bound this ratio")
    return replace(found, low=max(0.0, found.low))


def _written(run: RunDirectory, rows: pd.DataFrame, student: str) -> pd.DataFrame:
    """Rows of the suites whose answers were written, by whichever model counts."""
    kept = forget_unwritten(run, student, rows, _WRITING)
    columns = [f"{side}_{field}" for side in SIDES for field in ("output_tokens", "truncated")]
    suites = kept.loc[kept[columns].notna().any(axis=1), "suite"].unique()
    return kept[kept["suite"].isin(suites)]


def _means(
    rows: pd.DataFrame, counted: Counted, student: str, run: RunDirectory, confidence: float
) -> PairedMeans | None:
    sides = [
        pd.to_numeric(rows[f"{side}_{counted}"]).to_numpy(dtype=float, na_value=np.nan)
        for side in SIDES
    ]
    known = [~np.isnan(values) for values in sides]
    if not (known[0].any() or known[1].any()):
        return None
    both = known[0] & known[1]
    total = len(rows)
    what = "whether outputs were cut" if counted == "truncated" else counted.replace("_", " ")
    if not both.any():
        silent = [
            name
            for name, told in zip((run.manifest.teacher.name, student), known, strict=True)
            if not told.any()
        ]
        means = [float(v[k].mean()) if k.any() else None for v, k in zip(sides, known, strict=True)]
        reason = f"{' and '.join(silent)} does not tell {what}"
        if not silent:
            means, reason = [None, None], f"no request has {what} of both models"
        return PairedMeans(n=0, total=total, teacher=means[0], student=means[1], reason=reason)
    teacher, own = sides[0][both], sides[1][both]
    ratio = None
    if counted in ("input_tokens", "output_tokens"):
        clusters = cluster_codes(rows[both])
        ratio = length_ratio(teacher, own, clusters=clusters, confidence=confidence)
        if counted == "input_tokens" and (teacher == own).all():
            ratio = _same_inputs(len(own), confidence)
    return PairedMeans(
        n=int(both.sum()),
        total=total,
        teacher=float(teacher.mean()),
        student=float(own.mean()),
        ratio=ratio,
        reason=None if ratio is None else ratio.reason,
    )


def _same_inputs(n: int, confidence: float) -> Interval:
    """Both read the same tokens: nothing was sampled."""
    return Interval(
        estimate=1.0,
        low=1.0,
        high=1.0,
        confidence=confidence,
        method="the same in every request, no sampling error",
        n=n,
        clusters=None,
    )
