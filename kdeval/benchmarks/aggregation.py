"""How lm-eval makes one figure of a metric's values, in kdeval's terms.

A metric is carried over only where kdeval's own aggregation of the same documents gives the very
figure that lm-eval's function gives; see `Reading.agrees`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from lm_eval.api.registry import AGGREGATION_REGISTRY

from kdeval.records import Aggregation
from kdeval.stats.sets.aggregates import class_sums, value_of

__all__ = ["Mark", "Reading", "readings_of"]

_LARGEST = 700.0
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One document's score, with sufficient statistics where the figure is no mean."""

    value: float
    statistics: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read what lm-eval logs of a document.

    Attributes:
        aggregation: kdeval's, of the marks.
        low: smallest possible score; None where that depends on the metric.
        high: largest.
        mark: from the logged value to the score; None where the value is no such thing.
    """

    aggregation: Aggregation
    low: float | None
    high: float | None
    mark: Callable[[Any], Mark | None]

    def agrees(self, values: Sequence[Any], aggregate: Callable[[Any], Any]) -> bool:
        """Whether kdeval's figure of these values is lm-eval's."""
        marks = [self.mark(value) for value in values]
        known = [item for item in marks if item is not None]
        if not known or len(known) < len(marks):
            return False
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = float(aggregate(list(values)))
        except (TypeError, ValueError, ZeroDivisionError, OverflowError):
            return False
        ours = _figure(self.aggregation, known)
        return math.isclose(ours, theirs, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def readings_of(aggregate: Callable[[Any], Any]) -> tuple[Reading, ...]:
    """The readings that may fit lm-eval's `aggregate`; none for those that kdeval cannot carry.

    A function of the task's own is tried as a mean of numbers, and as one of lists of them.
    """
    names = {function: name for name, function in AGGREGATION_REGISTRY.items()}
    name = names.get(aggregate)
    if name is None:
        return _MEAN, _MEAN_OF_PARTS
    return _KNOWN.get(name, ())


def _figure(aggregation: Aggregation, marks: Sequence[Mark]) -> float:
    if aggregation == "mean":
        return math.fsum(item.value for item in marks) / len(marks)
    statistics = np.array([item.statistics for item in marks], dtype=float)
    sums = statistics.sum(axis=0)
    if aggregation == "mcc":
        codes = statistics.astype(np.int64)
        zeros = np.zeros(len(codes), dtype=np.int64)
        classes = int(codes.max()) + 1
        sums = class_sums(codes[:, 0], codes[:, 1], zeros, n_units=1, classes=classes)[0]
    return float(value_of(aggregation, sums)(sums))


def _number(value: Any) -> float | None:
    """A finite number; what is anything else is not read as one."""
    if not isinstance(value, (bool, int, float, np.number, np.bool_)):
        return None
    return float(value) if math.isfinite(value) else None


def _numbers(value: Any, length: int) -> tuple[float, ...] | None:
    if not isinstance(value, (tuple, list)) or len(value) != length:
        return None
    found = [_number(item) for item in value]
    return None if None in found else tuple(item for item in found if item is not None)


def _plain(value: Any) -> Mark | None:
    number = _number(value)
    return None if number is None else Mark(value=number)


def _parts(value: Any) -> Mark | None:
    """Of a document with several marks, which count one by one."""
    found = _numbers(value, len(value)) if isinstance(value, (tuple, list)) and value else None
    if not found:
        return None
    total = math.fsum(found)
    return Mark(value=total / len(found), statistics=(total, float(len(found))))


def _perplexity(value: Any) -> Mark | None:
    nats = _number(value)
    return None if nats is None else _exponential(-nats, 1.0)


def _weighted_perplexity(value: Any) -> Mark | None:
    found = _numbers(value, 2)
    return None if found is None or found[1] <= 0 else _exponential(-found[0], found[1])


def _exponential(nats: float, weight: float) -> Mark | None:
    if nats / weight >= _LARGEST:
        return None
    return Mark(value=math.exp(nats / weight), statistics=(nats, weight))


def _bits_per_byte(value: Any) -> Mark | None:
    found = _numbers(value, 2)
    if found is None or found[1] <= 0:
        return None
    bits = -found[0] / math.log(2)
    return Mark(value=bits / found[1], statistics=(bits, found[1]))


def _brier(value: Any) -> Mark | None:
    """Summed over the choices, as lm-eval has it: from 0 to 2."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return None
    gold = _number(value[0])
    probabilities = np.array(value[1], dtype=float)
    if gold is None or not 0 <= gold < len(probabilities):
        return None
    probabilities[int(gold)] -= 1.0
    return Mark(value=float((probabilities**2).sum()))


def _binary_f1(value: Any) -> Mark | None:
    """F1 of class 1: 2 hits over what is so plus what is said to be so."""
    found = _numbers(value, 2)
    if found is None:
        return None
    gold, said = found
    hit = float(gold == said == 1)
    return Mark(
        value=float(gold == said), statistics=(2 * hit, float(gold == 1) + float(said == 1))
    )


def _codes(value: Any) -> Mark | None:
    found = _numbers(value, 2)
    if found is None or found[0] < 0:
        return None
    return Mark(value=float(found[0] == found[1]), statistics=found)


_MEAN = Reading(aggregation="mean", low=None, high=None, mark=_plain)
_MEAN_OF_PARTS = Reading(aggregation="ratio_of_sums", low=None, high=None, mark=_parts)
_PERPLEXITY = Reading(aggregation="exp_ratio_of_sums", low=1.0, high=None, mark=_perplexity)
_KNOWN: Mapping[str, tuple[Reading, ...]] = {
    "mean": (_MEAN,),
    "nanmean": (_MEAN,),
    "perplexity": (_PERPLEXITY,),
    "weighted_perplexity": (
        Reading(aggregation="exp_ratio_of_sums", low=1.0, high=None, mark=_weighted_perplexity),
    ),
    "bits_per_byte": (
        Reading(aggregation="ratio_of_sums", low=0.0, high=None, mark=_bits_per_byte),
    ),
    "brier_score": (Reading(aggregation="mean", low=0.0, high=2.0, mark=_brier),),
    "f1": (Reading(aggregation="ratio_of_sums", low=0.0, high=1.0, mark=_binary_f1),),
    "matthews_corrcoef": (Reading(aggregation="mcc", low=-1.0, high=1.0, mark=_codes),),
}
