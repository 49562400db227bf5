"""From the rows by token that a run measured to the figures of each suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.compare.clusters import Clusters, cluster_codes, clusters_of
from kdeval.compare.token_fidelity import (
    BitsPerByte,
    PlaceFigures,
    TokenApart,
    TokenFidelity,
    WideToken,
)
from kdeval.stats.interval import Interval, unknown
from kdeval.stats.means.per_unit import per_unit
from kdeval.store.run_directory import RunDirectory, TokenTables

__all__ = ["token_fidelity_of"]

FloatArray = NDArray[np.float64]

_PLACES = (0, 1, 4, 16, 64, 256, 1024)
"""First positions of the parts of an answer by place."""
_WIDEST = 12
_BEFORE = 40
_MOST_OF_IT = 0.5


def token_fidelity_of(
    run: RunDirectory, confidence: float
) -> Mapping[str, tuple[TokenFidelity, ...]]:
    """Student to its suites that were compared token by token; empty when that was not asked."""
    found = run.tokens()
    if found is None:
        return {}
    clusters = clusters_of(run)
    students: dict[str, list[TokenFidelity]] = {}
    for (student, suite), texts in found.texts.groupby(
        ["student", "suite"], observed=True, sort=False
    ):
        mine = found.tokens
        mine = mine[(mine["student"] == student) & (mine["suite"] == suite)]
        students.setdefault(str(student), []).append(
            _suite(str(suite), texts, mine, found, clusters, confidence)
        )
    return {name: tuple(items) for name, items in students.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    """Tokens of one suite, to be summed by text."""

    rows: NDArray[np.int64]
    texts: int
    clusters: NDArray[np.int64] | None
    confidence: float

    def mean(
        self, values: Any, high: float | None = None, inside: NDArray[np.bool_] | None = None
    ) -> Interval:
        """Mean by token, of those inside."""
        numbers = np.asarray(values, dtype=np.float64)
        rows = self.rows
        if inside is not None:
            numbers, rows = numbers[inside], rows[inside]
        infinite = int((~np.isfinite(numbers)).sum())
        if infinite:
            reason = (
                f"infinite at {infinite:,} of {len(numbers):,} tokens: the student gives 0 to a "
                "possible one"
            )
            return unknown(reason, confidence=self.confidence, method="mean", n=self.texts)
        units = np.bincount(rows, minlength=self.texts)
        kept = units > 0
        clusters = None if self.clusters is None else self.clusters[kept]
        return per_unit(
            np.bincount(rows, weights=numbers, minlength=self.texts)[kept], units[kept],
            clusters=clusters, confidence=self.confidence, low=0.0, high=high,
        )  # fmt: skip


def _suite(
    suite: str,
    texts: pd.DataFrame,
    tokens: pd.DataFrame,
    tables: TokenTables,
    clusters: Clusters,
    confidence: float,
) -> TokenFidelity:
    read = texts[texts["reason"].isna()]
    names = read["sample_id"].astype(str)
    sums = _Sums(
        rows=pd.Index(names).get_indexer(pd.Index(tokens["sample_id"].astype(str))),
        texts=len(read),
        clusters=cluster_codes(clusters, suite, list(names)),
        confidence=confidence,
    )
    shared = len(tokens) > 0
    temperature = float(tables.settings["temperature"])
    endings = {1.0: ""} | ({temperature: "_at"} if temperature != 1 else {})
    reasons = texts["reason"].dropna().astype(str).value_counts()
    kl = tokens["kl"].to_numpy(dtype=np.float64)
    return TokenFidelity(
        suite=suite,
        text=str(tables.settings["text"]),
        texts=len(read),
        left_out={str(reason): int(count) for reason, count in reasons.items()},
        tokens=len(tokens),
        own_prompts=int((~read["same_prompt"].astype(bool)).sum()) if shared else 0,
        apart=tuple(_apart(tokens, sums, t, ending) for t, ending in endings.items())
        if shared
        else (),
        same_top=sums.mean(tokens["same_top"], high=1.0) if shared else None,
        half_share=_half_share(kl) if shared else None,
        places=_places(tokens["position"].to_numpy(), kl, sums),
        widest=_widest(tokens),
        bits=_bits(read, sums) if len(read) else None,
    )


def _apart(tokens: pd.DataFrame, sums: _Sums, temperature: float, ending: str) -> TokenApart:
    return TokenApart(
        temperature=temperature,
        kl=sums.mean(tokens[f"kl{ending}"]),
        js=sums.mean(tokens[f"js{ending}"], high=1.0),
        teacher_entropy=float(tokens[f"teacher_entropy{ending}"].mean()),
        student_entropy=float(tokens[f"student_entropy{ending}"].mean()),
    )


def _half_share(kl: FloatArray) -> float | None:
    """The smallest share of tokens that carries half of the sum; None where the sum is no number.

    Nought KL everywhere is carried by no token in particular.
    """
    total = float(kl.sum())
    if not np.isfinite(total) or total <= 0:
        return None
    carried = np.cumsum(np.sort(kl)[::-1])
    return float((np.searchsorted(carried, _MOST_OF_IT * total) + 1) / len(kl))


def _places(position: NDArray[Any], kl: FloatArray, sums: _Sums) -> tuple[PlaceFigures, ...]:
    found = []
    for index, first in enumerate(_PLACES):
        last = _PLACES[index + 1] if index + 1 < len(_PLACES) else None
        inside = (position >= first) & (True if last is None else position < last)
        if inside.any():
            found.append(
                PlaceFigures(
                    first=first + 1, last=last, tokens=int(inside.sum()),
                    kl=sums.mean(kl, inside=inside),
                )
            )  # fmt: skip
    return tuple(found)


def _widest(tokens: pd.DataFrame) -> tuple[WideToken, ...]:
    found = []
    finite = tokens[np.isfinite(tokens["kl"])]
    for row in finite.nlargest(_WIDEST, "kl").to_dict(orient="records"):
        same = (tokens["sample_id"] == row["sample_id"]) & (tokens["position"] < row["position"])
        found.append(
            WideToken(
                sample_id=str(row["sample_id"]),
                position=int(row["position"]) + 1,
                before="".join(tokens.loc[same, "token"].astype(str))[-_BEFORE:],
                token=str(row["token"]),
                kl=float(row["kl"]),
                teacher_probability=float(np.exp(row["teacher_log_prob"])),
                student_probability=float(np.exp(row["student_log_prob"])),
                teacher_top=str(row["teacher_top"]),
                student_top=str(row["student_top"]),
                teacher_top_probability=float(np.exp(row["teacher_top_log_prob"])),
                student_top_probability=float(np.exp(row["student_top_log_prob"])),
            )
        )
    return tuple(found)


def _bits(read: pd.DataFrame, sums: _Sums) -> BitsPerByte:
    teacher = read["teacher_bits"].to_numpy(dtype=np.float64)
    student = read["student_bits"].to_numpy(dtype=np.float64)
    size = read["bytes"].to_numpy(dtype=np.float64)

    def by_byte(bits: FloatArray, low: float | None) -> Interval:
        return per_unit(bits, size, clusters=sums.clusters, confidence=sums.confidence, low=low)

    return BitsPerByte(
        teacher=by_byte(teacher, 0.0),
        student=by_byte(student, 0.0),
        difference=by_byte(student - teacher, None),
    )
