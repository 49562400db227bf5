"""Score sheets and comparisons by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from kdeval.compare.comparison import Comparison
from kdeval.compare.related.sheet import ScoreSheet
from kdeval.cost.figures import CostFigures
from kdeval.latency.figures import LatencyFigures
from kdeval.stats.interval import Interval


def interval(estimate: float, half: float = 0.0) -> Interval:
    return Interval(
        estimate=estimate, low=estimate - half, high=estimate + half, confidence=0.95,
        method="test", n=100, clusters=None,
    )  # fmt: skip


@pytest.fixture
def make_sheet() -> Callable[..., ScoreSheet]:
    """`make_sheet({"a": [1, 0, None], ...})`: None is a missing score."""

    def make(
        scores: Mapping[str, Sequence[float | None]],
        *,
        clusters: Sequence[int] | None = None,
        slices: Mapping[str, Sequence[bool]] | None = None,
        suite: str = "x",
        hashes: Sequence[str] | None = None,
    ) -> ScoreSheet:
        columns = {
            name: np.array([np.nan if value is None else value for value in column], dtype=float)
            for name, column in scores.items()
        }
        n = len(next(iter(columns.values())))
        ids = np.array([f"s{index}" for index in range(n)], dtype=object)
        units = ids if clusters is None else np.array([f"c{c}" for c in clusters], dtype=object)
        masks = {"all": np.ones(n, dtype=bool)}
        masks |= {name: np.array(mask, dtype=bool) for name, mask in (slices or {}).items()}
        return ScoreSheet(
            suite=suite,
            metric="m",
            scores=columns,
            outputs={
                name: np.where(np.isnan(column), -1, column).astype(np.int64)
                for name, column in columns.items()
            },
            clusters=None if clusters is None else np.array(clusters, dtype=np.int64),
            ids=ids,
            units=units,
            texts=np.array(["0", "1"], dtype=object),
            hashes=ids if hashes is None else np.array(hashes, dtype=object),
            slices=masks,
        )

    return make


@pytest.fixture
def make_student() -> Callable[..., Comparison]:
    """`make_student("a", usd=0.1, seconds=(0.2, 0.01))`: with what is known of it."""

    def make(
        name: str, *, usd: float | None = None, seconds: tuple[float, float] | None = None
    ) -> Comparison:
        cost = latency = None
        if usd is not None:
            cost = CostFigures(
                teacher_usd=1.0, student_usd=usd, ratio=interval(usd), n=1, total=1, unit=None,
                basis="test",
            )  # fmt: skip
        if seconds is not None:
            quantiles = {"p50": interval(*seconds)}
            latency = LatencyFigures(
                source="probe", n=100, teacher={"p50": interval(1.0)}, student=quantiles,
                ratio=quantiles,
            )  # fmt: skip
        return Comparison(
            teacher="t", student=name, cells=(), latency=latency, cost=cost, error_share=0.0,
            teacher_error_share=0.0, requests=100,
        )  # fmt: skip

    return make
