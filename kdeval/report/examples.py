"""Samples behind the flip table: lost, gained, both right, both wrong; drawn by the run's seed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from kdeval.report.thumbnails import thumbnail
from kdeval.store.images import read_images
from kdeval.store.offers import Offer, read_offers
from kdeval.store.run_directory import RunDirectory
from kdeval.store.tool_definitions import tool_signature

__all__ = [
    "KINDS",
    "TEXT_LIMIT",
    "Example",
    "ExampleText",
    "Examples",
    "Kind",
    "MetricCounts",
    "examples_of",
]

TEXT_LIMIT = 4_000
"""Characters kept of each text in a report; the run directory holds it whole."""

_SIGNATURE = 300
Kind = Literal["lost", "gained", "both_right", "both_wrong"]
KINDS: tuple[Kind, ...] = ("lost", "gained", "both_right", "both_wrong")
_KEYS = ["suite", "metric"]
_SCORES = ["teacher_score", "student_score"]
_CONFIDENCES = ["teacher_confidence", "student_confidence"]
_OUTPUTS = ["teacher_output", "student_output"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleText:
    """What was asked and answered, each at most `TEXT_LIMIT` characters.

    Attributes:
        image: a small picture of the image that was asked about, as a data URI.
        tools: what could be called, a signature a line.
        response_schema: the JSON Schema that the answer was to keep.
    """

    input: str
    reference: str | None
    teacher_output: str | None
    student_output: str | None
    image: str | None = None
    tools: str | None = None
    response_schema: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One sample with both models' answers.

    Attributes:
        kind: lost: the student scored worse than the teacher; gained: better; both_right and
            both_wrong: only where every score of the suite's metric is right or wrong.
        text: None in a report without text.
    """

    suite: str
    metric: str
    sample_id: str
    slices: Mapping[str, str]
    kind: Kind
    teacher_score: float
    student_score: float
    teacher_confidence: float | None
    student_confidence: float | None
    text: ExampleText | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCounts:
    """Samples of each kind by one metric, over the suites that have it.

    A suite of two metrics has each sample twice, perhaps lost by one and gained by the other: the
    counts of different metrics are not added up.

    Attributes:
        left_out: kind to how many of it are not among the items.
    """

    metric: str
    lost: int
    gained: int
    both_right: int
    both_wrong: int
    left_out: Mapping[Kind, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """The examples of one student: lost ones first, in the order of the suites.

    Attributes:
        counts: how many there are in all, an entry a metric, in the order of the suites.
    """

    student: str
    items: tuple[Example, ...]
    counts: tuple[MetricCounts, ...]

    @property
    def flips(self) -> tuple[MetricCounts, ...]:
        """Of the metrics by which some sample was lost or gained."""
        return tuple(item for item in self.counts if item.lost or item.gained)


def examples_of(
    run: RunDirectory,
    students: Sequence[str],
    *,
    include_text: bool,
    limit: int,
    same_limit: int = 0,
) -> tuple[Examples, ...]:
    """At most `limit` lost and gained samples of each student, and `same_limit` of the others.

    Every suite and metric gets its turn, so a large suite does not crowd out a small one.
    """
    columns = ["suite", "sample_id", "student", "metric", *_SCORES, *_CONFIDENCES]
    pairs = run.pairs(columns + (_OUTPUTS if include_text else []))
    pairs = pairs[pairs["teacher_score"].notna() & pairs["student_score"].notna()]
    pairs = pairs[~_shown_by_another(pairs, run)]
    kinds = _kinds(pairs, run)
    chosen = {
        (student, kind): _draw(
            pairs[(pairs["student"] == student) & (kinds == kind)],
            limit if kind in ("lost", "gained") else same_limit,
            run,
            kind,
        )
        for student in students
        for kind in KINDS
    }
    samples = _samples(run, list(chosen.values()), include_text)
    return tuple(
        _student(
            student,
            {kind: chosen[student, kind] for kind in KINDS},
            _counted(pairs.assign(kind=kinds)[pairs["student"] == student]),
            samples,
        )
        for student in students
    )


def _shown_by_another(pairs: pd.DataFrame, run: RunDirectory) -> pd.Series[bool]:
    """Rows by a metric that scores sets, in suites with one that scores samples too."""
    metrics = run.manifest.metrics
    hidden = {
        (suite.name, name)
        for suite in run.manifest.suites
        for name in suite.metrics
        if metrics[name].aggregation != "mean"
        and any(metrics[other].aggregation == "mean" for other in suite.metrics)
    }
    keys = zip(pairs["suite"].astype(str), pairs["metric"].astype(str), strict=True)
    return pd.Series([key in hidden for key in keys], index=pairs.index, dtype=bool)


def _kinds(pairs: pd.DataFrame, run: RunDirectory) -> pd.Series[str]:
    """The kind of each pair; "same" for equal scores that are not right or wrong."""
    lower_is_better = {
        name for name, metric in run.manifest.metrics.items() if not metric.higher_is_better
    }
    ahead = pairs["student_score"] - pairs["teacher_score"]
    ahead = ahead.where(~pairs["metric"].isin(lower_is_better), -ahead)
    marks = pairs[_SCORES].isin([0.0, 1.0]).all(axis=1)
    binary = marks.groupby([pairs[key] for key in (*_KEYS, "student")], observed=True)
    settled = binary.transform("all").astype(bool) & (ahead == 0)
    kinds = pd.Series("same", index=pairs.index)
    kinds[ahead < 0] = "lost"
    kinds[ahead > 0] = "gained"
    kinds[settled & (pairs["teacher_score"] == 1)] = "both_right"
    kinds[settled & (pairs["teacher_score"] == 0)] = "both_wrong"
    return kinds


def _draw(rows: pd.DataFrame, limit: int, run: RunDirectory, kind: str) -> pd.DataFrame:
    """The rows drawn, in their order."""
    rng = np.random.default_rng([run.manifest.header.seed, len(kind)])
    shuffled = rows.iloc[rng.permutation(len(rows))]
    turn = shuffled.groupby(_KEYS, sort=False, observed=True).cumcount()
    kept = turn.sort_values(kind="stable").index[:limit]
    return rows.loc[rows.index.isin(kept)]


def _counted(pairs: pd.DataFrame) -> Mapping[str, Counter[str]]:
    """Metric to how many of its pairs are of each kind."""
    counts: dict[str, Counter[str]] = {}
    for metric, kind in zip(pairs["metric"].astype(str), pairs["kind"], strict=True):
        counts.setdefault(metric, Counter())[kind] += 1
    return counts


def _samples(
    run: RunDirectory, drawn: Sequence[pd.DataFrame], include_text: bool
) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    columns = ["suite", "sample_id", "slices"] + (["text", "reference"] if include_text else [])
    wanted = {
        (str(suite), str(sample))
        for rows in drawn
        for suite, sample in zip(rows["suite"], rows["sample_id"], strict=True)
    }
    if not wanted:
        return {}
    frame = run.samples(columns)
    frame = frame[frame["sample_id"].isin({sample for _, sample in wanted})]
    images = read_images(run.path / "samples.parquet", wanted) if include_text else {}
    offers = read_offers(run.path / "samples.parquet", wanted) if include_text else {}
    return {
        (suite, sample): {
            **{str(key): row[key] for key in row},
            "image": images.get((suite, sample)),
            "offer": offers.get((suite, sample)),
        }
        for row in frame.to_dict(orient="records")
        for suite, sample in [(str(row["suite"]), str(row["sample_id"]))]
    }


def _student(
    student: str,
    chosen: Mapping[Kind, pd.DataFrame],
    counts: Mapping[str, Counter[str]],
    samples: Mapping[tuple[str, str], Mapping[str, Any]],
) -> Examples:
    items = tuple(
        _example(row, kind, samples)
        for kind, rows in chosen.items()
        for row in rows.to_dict(orient="records")
    )
    shown = Counter((item.metric, item.kind) for item in items)
    return Examples(
        student=student,
        items=items,
        counts=tuple(
            MetricCounts(
                metric=metric,
                lost=found["lost"],
                gained=found["gained"],
                both_right=found["both_right"],
                both_wrong=found["both_wrong"],
                left_out={kind: found[kind] - shown[metric, kind] for kind in KINDS},
            )
            for metric, found in counts.items()
        ),
    )


def _example(
    row: Mapping[Any, Any], kind: Kind, samples: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Example:
    sample = samples[str(row["suite"]), str(row["sample_id"])]
    text = None
    if "text" in sample:
        text = ExampleText(
            input=shortened(str(sample["text"])),
            reference=_text(sample["reference"]),
            teacher_output=_text(row["teacher_output"]),
            student_output=_text(row["student_output"]),
            image=None if sample["image"] is None else thumbnail(sample["image"]),
            **_offered(sample["offer"]),
        )
    return Example(
        suite=str(row["suite"]),
        metric=str(row["metric"]),
        sample_id=str(row["sample_id"]),
        slices=dict(json.loads(str(sample["slices"]))),
        kind=kind,
        teacher_score=float(row["teacher_score"]),
        student_score=float(row["student_score"]),
        teacher_confidence=_number(row["teacher_confidence"]),
        student_confidence=_number(row["student_confidence"]),
        text=text,
    )


def _offered(offer: Offer | None) -> dict[str, str | None]:
    if offer is None:
        return {}
    tools = "\n".join(shortened(tool_signature(tool), _SIGNATURE) for tool in offer.tools)
    schema = offer.response_schema
    return {
        "tools": shortened(tools) or None,
        "response_schema": None if schema is None else shortened(schema),
    }


def shortened(text: str, limit: int = TEXT_LIMIT) -> str:
    """`text`, cut at `limit` characters with the number left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} … [{len(text) - limit:,} more characters]"


def _text(value: Any) -> str | None:
    return None if pd.isna(value) else shortened(str(value))


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
