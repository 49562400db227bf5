"""Ensembles of a run: against their members, and students where the members disagree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.compare.figures.ensembles import AgreementPart, EnsembleFigures, MemberFigures
from kdeval.compare.related.sheet import ScoreSheet
from kdeval.records import Metric
from kdeval.stats.interval import Interval
from kdeval.stats.means.paired import mean, paired_difference, retention
from kdeval.stats.means.simultaneous import bonferroni
from kdeval.stats.moments import is_binary

__all__ = ["ensemble_figures"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Votes:
    """What the members of one ensemble answered, in the sheet's order.

    Attributes:
        scores: member to its scores; NaN where there is none.
        outputs: shape (members, n); None where unknown.
        log_probs: member to a list or None a sample.
    """

    scores: Mapping[str, FloatArray]
    outputs: NDArray[np.object_]
    log_probs: Mapping[str, Sequence[FloatArray | None]]

    @property
    def known(self) -> BoolArray:
        """Samples of which every member's output is known."""
        found: BoolArray = np.array([all(o is not None for o in row) for row in self.outputs.T])
        return found

    @property
    def unanimous(self) -> BoolArray:
        """Whether all members gave the same output, where `known`."""
        found: BoolArray = (self.outputs == self.outputs[0]).all(axis=0)
        return found


def ensemble_figures(
    members: pd.DataFrame | None,
    *,
    sheets: Iterable[ScoreSheet],
    teacher: str,
    metrics: Mapping[str, Metric],
    confidence: float,
) -> tuple[EnsembleFigures, ...]:
    """Every ensemble on every suite by every metric that is a mean.

    Args:
        members: `RunDirectory.members()`; None: no ensembles.
        sheets: one a suite and metric.
        teacher: the teacher's name.
        metrics: their direction.
        confidence: of each interval; of the differences to all members together.
    """
    if members is None:
        return ()
    found = []
    for sheet in sheets:
        if metrics[sheet.metric].aggregation != "mean":
            continue
        rows = members[(members["suite"] == sheet.suite) & (members["metric"] == sheet.metric)]
        for name, own in rows.groupby("ensemble", observed=True, sort=False):
            votes = _votes(own, sheet)
            found.append(
                _figures(sheet, str(name), votes, teacher, metrics[sheet.metric], confidence)
            )
    return tuple(found)


def _votes(rows: pd.DataFrame, sheet: ScoreSheet) -> _Votes:
    scores, outputs, log_probs = {}, [], {}
    for member, own in rows.groupby("member", observed=True, sort=False):
        aligned = own.set_index("sample_id").reindex(list(sheet.ids))
        scores[str(member)] = aligned["score"].to_numpy(dtype=float)
        texts = aligned["output"].astype(object).where(aligned["output"].notna(), None)
        outputs.append([None if text is None else str(text).strip() for text in texts])
        log_probs[str(member)] = [
            np.asarray(logs, dtype=float) if isinstance(logs, (np.ndarray, list)) else None
            for logs in aligned["log_probs"]
        ]
    return _Votes(scores=scores, outputs=np.array(outputs, dtype=object), log_probs=log_probs)


def _figures(
    sheet: ScoreSheet,
    name: str,
    votes: _Votes,
    teacher: str,
    metric: Metric,
    confidence: float,
) -> EnsembleFigures:
    members = tuple(_members(sheet, name, votes, confidence))
    known = votes.known
    same = votes.unanimous
    outputs = sheet.output_texts(name)
    shares = (votes.outputs[:, known] == outputs[known]).mean(axis=0) if known.any() else None
    return EnsembleFigures(
        ensemble=name,
        suite=sheet.suite,
        metric=sheet.metric,
        members=members,
        best_member=_best(members, metric),
        unanimous=(
            mean(same[known].astype(float), clusters=sheet.codes(known), confidence=confidence)
            if known.any()
            else None
        ),
        vote_share=None if shares is None else float(shares.mean()),
        js=_divergence(sheet, votes, confidence),
        parts=(tuple(_parts(sheet, teacher, known, same, confidence)) if name == teacher else ()),
    )


def _members(
    sheet: ScoreSheet, name: str, votes: _Votes, confidence: float
) -> Iterator[MemberFigures]:
    own = sheet.scores[name]
    together = bonferroni(confidence, len(votes.scores))
    outputs = sheet.output_texts(name)
    for index, (member, scores) in enumerate(votes.scores.items()):
        rows = ~np.isnan(own) & ~np.isnan(scores)
        binary = bool(rows.any()) and is_binary(own[rows]) and is_binary(scores[rows])
        told = rows & votes.known
        yield MemberFigures(
            member=member,
            n=int(rows.sum()),
            score=mean(
                scores[rows],
                clusters=sheet.codes(rows),
                confidence=confidence,
                limits=sheet.limits,
            ),
            difference=paired_difference(
                scores[rows],
                own[rows],
                clusters=sheet.codes(rows),
                confidence=together,
                limits=sheet.limits,
            ),
            only_ensemble=int(np.sum(own[rows] > scores[rows])) if binary else None,
            only_member=int(np.sum(scores[rows] > own[rows])) if binary else None,
            agreement=(
                mean(
                    (votes.outputs[index, told] == outputs[told]).astype(float),
                    clusters=sheet.codes(told),
                    confidence=confidence,
                )
                if told.any()
                else None
            ),
        )


def _best(members: Sequence[MemberFigures], metric: Metric) -> str | None:
    sign = 1 if metric.higher_is_better else -1
    known = [item for item in members if item.score.estimate is not None]
    if not known:
        return None
    return max(known, key=lambda item: sign * (item.score.estimate or 0.0)).member


def _divergence(sheet: ScoreSheet, votes: _Votes, confidence: float) -> Interval | None:
    """Mean pairwise Jensen-Shannon divergence, over samples with probabilities of every member."""
    per_member = list(votes.log_probs.values())
    usable = np.array([all(p is not None for p in row) for row in zip(*per_member, strict=True)])
    if not usable.any():
        return None
    rows = np.flatnonzero(usable).tolist()
    values = np.array([_js([column[row] for column in per_member]) for row in rows])
    return mean(values, clusters=sheet.codes(usable), confidence=confidence)


def _js(members: Sequence[FloatArray | None]) -> float:
    """Mean over pairs of members, in bits. Source: Lin (1991), IEEE Trans. Inf. Theory 37."""
    shares = []
    for logs in members:
        assert logs is not None
        weights = np.exp(logs - logs.max())
        shares.append(weights / weights.sum())
    found = [_entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
             for p, q in combinations(shares, 2)]  # fmt: skip
    return float(np.clip(np.mean(found), 0.0, 1.0))


def _entropy(p: FloatArray) -> float:
    kept = p[p > 0]
    return float(-(kept * np.log2(kept)).sum())


def _parts(
    sheet: ScoreSheet, teacher: str, known: BoolArray, same: BoolArray, confidence: float
) -> Iterator[AgreementPart]:
    for student in sheet.scores:
        if student == teacher:
            continue
        complete = sheet.complete((teacher, student)) & known
        for members, mask in (("unanimous", same), ("split", ~same)):
            rows = complete & mask
            t, s, codes = (
                sheet.scores[teacher][rows],
                sheet.scores[student][rows],
                sheet.codes(rows),
            )
            of = partial(mean, clusters=codes, confidence=confidence, limits=sheet.limits)
            yield AgreementPart(
                student=student,
                members=members,  # type: ignore[arg-type]
                n=len(t),
                teacher_score=of(t),
                student_score=of(s),
                retention=retention(
                    t, s, clusters=codes, confidence=confidence, limits=sheet.limits
                ),
                difference=sheet.difference(student, teacher, confidence, rows),
            )
