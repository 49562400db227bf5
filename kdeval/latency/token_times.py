"""What a request's time is made of: the first token, each further one, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.latency.requests import SIDES, cluster_codes, forget_unwritten, paired_requests
from kdeval.latency.tokens import length_ratio
from kdeval.stats.interval import Interval
from kdeval.stats.means.quantiles import paired_quantile_ratio, quantile
from kdeval.store.run_directory import RunDirectory

__all__ = ["MedianTimes", "TimeParts", "TokenTimes", "token_times"]

Source = Literal["probe", "recorded"]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MedianTimes:
    """Median seconds of the same requests to both models; a ratio below 1: the student is faster.

    Attributes:
        source: "probe" (closed loop at batch 1, models in turn) or "recorded" (told by logs).
        n: requests where both models tell it.
        ratio: student / teacher.
    """

    source: Source
    n: int
    teacher: Interval
    student: Interval
    ratio: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeParts:
    """Mean time of a request = mean number of output tokens x time a token, for both models.

    All over the same requests, so that `time` is just `length` x `per_token`.

    Attributes:
        source: as of `MedianTimes`.
        n: requests of which both times and both lengths are known.
        length: output tokens, student / teacher.
        time: seconds, student / teacher.
        per_token: seconds in all / tokens in all, student / teacher; the wait for the first token
            is shared out among the tokens.
    """

    source: Source
    n: int
    length: Interval
    time: Interval
    per_token: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTimes:
    """Times of writing; each is None where one of the models does not tell it.

    Attributes:
        first_token: from the request being sent to the first token of the answer.
        between_tokens: from a token to the next, after the first; each request counts by its mean.
        parts: why a request takes as long as it does.
    """

    first_token: MedianTimes | None
    between_tokens: MedianTimes | None
    parts: TimeParts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Requests:
    """The same requests to both models, one row each, with columns "teacher_..", "student_..".

    Columns: seconds, output_tokens, first_token_s, between_tokens_s; perhaps suite and cluster.
    """

    source: Source
    table: pd.DataFrame

    def both(self, *fields: str) -> pd.DataFrame:
        """Rows where all the fields of both models are above 0."""
        columns = [f"{side}_{field}" for side in SIDES for field in fields]
        return self.table[(self.table[columns] > 0).all(axis=1)]


def token_times(
    run: RunDirectory, student: str, confidence: float, pairs: pd.DataFrame | None = None
) -> TokenTimes | None:
    """Times of `student` beside the teacher, or None when nothing of it was measured or recorded.

    For each figure the probe wins over recorded times, because it measured both models on one
    machine in turn. Times shared out of a batch are never used.

    Args:
        run: the run.
        student: name of the student.
        confidence: two-sided confidence of each interval.
        pairs: the run's pairs, where they are loaded already.
    """
    sources = [item for item in (_probed(run, student), _recorded(run, student, pairs)) if item]
    found = TokenTimes(
        first_token=_medians(sources, "first_token_s", confidence),
        between_tokens=_medians(sources, "between_tokens_s", confidence),
        parts=_parts(sources, confidence),
    )
    return found if found.first_token or found.between_tokens or found.parts else None


def _medians(sources: list[_Requests], field: str, confidence: float) -> MedianTimes | None:
    for requests in sources:
        rows = requests.both(field)
        if rows.empty:
            continue
        teacher, student = (rows[f"{side}_{field}"].to_numpy(dtype=float) for side in SIDES)
        return MedianTimes(
            source=requests.source,
            n=len(rows),
            teacher=quantile(teacher, 0.5, confidence=confidence),
            student=quantile(student, 0.5, confidence=confidence),
            ratio=paired_quantile_ratio(
                student, teacher, 0.5, confidence=confidence, rng=np.random.default_rng(0)
            ),
        )
    return None


def _parts(sources: list[_Requests], confidence: float) -> TimeParts | None:
    for requests in sources:
        rows = requests.both("seconds", "output_tokens")
        if rows.empty:
            continue
        clusters = cluster_codes(rows)
        length, time = (
            length_ratio(
                rows[f"teacher_{field}"].to_numpy(dtype=float),
                rows[f"student_{field}"].to_numpy(dtype=float),
                clusters=clusters,
                confidence=confidence,
            )
            for field in ("output_tokens", "seconds")
        )
        assert length.estimate is not None
        assert time.estimate is not None
        return TimeParts(
            source=requests.source,
            n=len(rows),
            length=length,
            time=time,
            per_token=time.estimate / length.estimate,
        )
    return None


def _probed(run: RunDirectory, student: str) -> _Requests | None:
    """Rounds of the probe; of a causal language model only those in which it wrote."""
    table = run.latencies()
    if table is None or "output_tokens" not in table:
        return None
    fields = ["seconds", "output_tokens", "first_token_s", "between_tokens_s"]
    entry = next(item for item in run.manifest.students if item.name == student)
    sides = []
    for side, model in (("teacher", run.manifest.teacher), ("student", entry)):
        rows = table[table["model"] == model.name].set_index("round")[fields].astype(float)
        if model.type == "causal_lm":
            rows.loc[rows["first_token_s"].isna(), "output_tokens"] = np.nan
        sides.append(rows.add_prefix(f"{side}_"))
    return _Requests(source="probe", table=sides[0].join(sides[1], how="inner"))


def _recorded(run: RunDirectory, student: str, pairs: pd.DataFrame | None) -> _Requests:
    fields = ["latency_s", "output_tokens", "first_token_s", "between_tokens_s"]
    rows = paired_requests(run, student, fields, pairs)
    rows = forget_unwritten(run, student, rows, ("output_tokens",))
    rows = rows.astype({f"{side}_{field}": float for side in SIDES for field in fields})
    renamed = {f"{side}_latency_s": f"{side}_seconds" for side in SIDES}
    return _Requests(source="recorded", table=rows.rename(columns=renamed))
