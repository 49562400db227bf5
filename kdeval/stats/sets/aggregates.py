"""Scores of a set that are no mean of its samples' scores, as functions of summed statistics.

Each sample has a short vector of sufficient statistics; the set's score depends on their sum
alone. So a resample of the set is a weighted sum, and thousands of them are one matrix product.

| name | statistics of a sample | score of the set |
|---|---|---|
| ratio_of_sums | numerator, denominator | their ratio: word error rate, bits per byte |
| exp_ratio_of_sums | numerator, denominator | exp of it: perplexity |
| macro_f1 | code of the reference, code of the output (-1: no label) | mean F1 of the classes |
| mcc | the same | Matthews' correlation of several classes |
| bleu | clipped matches and totals of 1- to 4-grams, lengths of both texts | BLEU, 0 to 100 |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kdeval.stats.moments import FloatArray, IntArray

__all__ = ["CLASSIFICATION", "LENGTHS", "Aggregate", "Value", "bleu", "value_of"]

Aggregate = Literal["ratio_of_sums", "exp_ratio_of_sums", "macro_f1", "mcc", "bleu"]
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)
CLASSIFICATION: tuple[Aggregate, ...] = ("macro_f1", "mcc")
"""Those whose statistics are codes of classes, not sums."""

LENGTHS: Mapping[Aggregate, int] = {
    "ratio_of_sums": 2,
    "exp_ratio_of_sums": 2,
    "macro_f1": 2,
    "mcc": 2,
    "bleu": 10,
}
"""How many statistics a sample has."""

Value = Callable[[FloatArray], FloatArray]
"""From sums, shape (..., d), to scores, shape (...); NaN where undefined."""

_ORDERS = 4


def value_of(aggregate: Aggregate, totals: FloatArray) -> Value:
    """The score as a function of sums of statistics, shape (..., d) to (...).

    Args:
        aggregate: which score.
        totals: sums over the whole set, shape (d,). Of classes (`class_sums`), those without a
            reference in it are none of macro-F1's.
    """
    if aggregate == "macro_f1":
        present = _parts(totals)[2] > 0
        return lambda sums: _macro_f1(sums, present)
    return _VALUES[aggregate]


def class_sums(
    references: IntArray, outputs: IntArray, units: IntArray, *, n_units: int, classes: int
) -> FloatArray:
    """Per unit and class: hits, outputs, references; shape (n_units, 3 (classes + 1)).

    The last class holds the outputs that are no label.

    Args:
        references: codes, shape (n,), from 0.
        outputs: codes, shape (n,); -1: no label.
        units: unit of each sample, shape (n,).
        n_units: how many units there are.
        classes: how many classes there are.
    """
    width = classes + 1
    said = np.where(outputs < 0, classes, outputs)
    hit = said == references
    base = units * (3 * width)
    size = n_units * 3 * width
    sums = np.bincount(base[hit] + references[hit], minlength=size)
    sums += np.bincount(base + width + said, minlength=size)
    sums += np.bincount(base + 2 * width + references, minlength=size)
    return sums.reshape(n_units, 3 * width).astype(np.float64)


def bleu(sums: FloatArray) -> FloatArray:
    """Corpus BLEU from 0 to 100, as sacreBLEU computes it, with its exponential smoothing.

    Args:
        sums: clipped matches of 1- to 4-grams, totals of them, length of the outputs, length of
            the references; shape (..., 10).

    Source: Papineni et al. 2002; Post 2018, "A Call for Clarity in Reporting BLEU Scores".
    """
    matches, totals = sums[..., :_ORDERS], sums[..., _ORDERS : 2 * _ORDERS]
    output, reference = sums[..., 8], sums[..., 9]
    none = (matches == 0) & (totals > 0)
    smooth = np.exp2(np.cumsum(none, axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(none, 100 / (smooth * totals), 100 * matches / totals)
        logs = np.where(totals > 0, np.log(precision), 0.0)
        brevity = np.where(output < reference, 1 - reference / output, 0.0)
    usable = (totals > 0).all(axis=-1) & (matches > 0).any(axis=-1)
    scores: FloatArray = np.where(usable, np.exp(logs.sum(axis=-1) / _ORDERS + brevity), 0.0)
    return scores


def _parts(sums: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Hits, outputs and references a class."""
    width = sums.shape[-1] // 3
    return sums[..., :width], sums[..., width : 2 * width], sums[..., 2 * width :]


def _macro_f1(sums: FloatArray, present: NDArray[np.bool_]) -> FloatArray:
    """Mean over the classes `present` of F1; one that a resample has lost is left out of it."""
    hits, outputs, references = _parts(sums)
    total = outputs + references
    known = (total > 0) & present
    scores = np.divide(2 * hits, total, out=np.zeros_like(total), where=known)
    count = known.sum(axis=-1)
    mean: FloatArray = np.where(count > 0, scores.sum(axis=-1) / np.maximum(count, 1), np.nan)
    return mean


def _mcc(sums: FloatArray) -> FloatArray:
    """Gorodkin's (2004) R_K; 0 where the outputs or the references are all the same."""
    hits, outputs, references = _parts(sums)
    n = references.sum(axis=-1)
    covariance = hits.sum(axis=-1) * n - (outputs * references).sum(axis=-1)
    spread = (n**2 - (outputs**2).sum(axis=-1)) * (n**2 - (references**2).sum(axis=-1))
    known = spread > 0
    found = covariance / np.sqrt(np.where(known, spread, 1.0))
    scores: FloatArray = np.where(known, np.clip(found, -1.0, 1.0), 0.0)
    return np.where(n > 0, scores, np.nan)


def _ratio(sums: FloatArray) -> FloatArray:
    known = sums[..., 1] > 0
    scores: FloatArray = np.where(known, sums[..., 0] / np.where(known, sums[..., 1], 1.0), np.nan)
    return scores


_VALUES: Mapping[Aggregate, Value] = {
    "ratio_of_sums": _ratio,
    "exp_ratio_of_sums": lambda sums: np.exp(_ratio(sums)),
    "mcc": _mcc,
    "bleu": bleu,
}
