"""The two heads a student: cross-fitted, calibrated logistic regressions, as plain arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

__all__ = ["FittedHead", "fit_head"]

FloatArray = NDArray[np.float64]
_PENALTIES = (0.03, 0.3, 3.0)
_FOLDS = 5
_MIN_PER_CLASS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedHead:
    """P(right | features) = sigmoid(coefficients . features + intercept).

    Attributes:
        held_out: the calibrated probability of every row, from models that did not see its group.
    """

    coefficients: FloatArray
    intercept: float
    held_out: FloatArray


def fit_head(
    features: FloatArray, right: NDArray[np.bool_], known: NDArray[np.bool_], groups: NDArray[Any]
) -> FittedHead:
    """The head of one model.

    The penalty is chosen by held-out log-loss, Platt's scaling is fitted on the held-out logits
    and folded into the coefficients. With fewer than ten rows of a class the head is the base
    rate: there is nothing to learn from.

    Args:
        features: (n, features).
        right: (n,); whether the model was right.
        known: (n,); rows that are not known are predicted but not learnt from.
        groups: (n,); rows of a group are never divided between folds.
    """
    y = right[known]
    folds = min(_FOLDS, len(set(groups[known])))
    if min(int(y.sum()), int((~y).sum())) < _MIN_PER_CLASS or folds < 2:
        return _base_rate(features, y)
    splits = list(_folds(features, known, groups, folds))
    logits = {c: _held_out_logits(features, right, splits, c) for c in _PENALTIES}
    best = min(_PENALTIES, key=lambda c: _log_loss(logits[c][known], y))
    slope, shift = _platt(logits[best][known], y)
    model = _fit(features[known], y, best)
    return FittedHead(
        coefficients=slope * model.coef_[0],
        intercept=float(slope * model.intercept_[0] + shift),
        held_out=expit(slope * logits[best] + shift),
    )


def _base_rate(features: FloatArray, y: NDArray[np.bool_]) -> FittedHead:
    odds = (int(y.sum()) + 1) / (int((~y).sum()) + 1)
    intercept = float(np.log(odds))
    return FittedHead(
        coefficients=np.zeros(features.shape[1]),
        intercept=intercept,
        held_out=np.full(len(features), expit(intercept)),
    )


def _folds(
    features: FloatArray, known: NDArray[np.bool_], groups: NDArray[Any], folds: int
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """(rows to learn from, rows to predict): every row is predicted once."""
    for train, test in GroupKFold(folds).split(features, groups=groups):
        yield train[known[train]], test


def _held_out_logits(
    features: FloatArray,
    right: NDArray[np.bool_],
    splits: list[tuple[NDArray[Any], NDArray[Any]]],
    penalty: float,
) -> FloatArray:
    logits = np.zeros(len(features))
    for train, test in splits:
        y = right[train]
        if y.all() or not y.any():
            logits[test] = np.log((y.sum() + 1) / ((~y).sum() + 1))
        else:
            logits[test] = _fit(features[train], y, penalty).decision_function(features[test])
    return logits


def _fit(features: FloatArray, y: NDArray[np.bool_], penalty: float) -> LogisticRegression:
    return LogisticRegression(C=penalty, solver="newton-cholesky").fit(features, y)


def _platt(logits: FloatArray, y: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and shift; a ranking that is no better than none gets slope 0."""
    model = LogisticRegression(C=1e6, max_iter=1_000).fit(logits[:, None], y)
    slope, shift = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope > 0:
        return slope, shift
    return 0.0, float(np.log((y.sum() + 1) / ((~y).sum() + 1)))


def _log_loss(logits: FloatArray, y: NDArray[np.bool_]) -> float:
    return float(np.logaddexp(0.0, np.where(y, -logits, logits)).mean())
