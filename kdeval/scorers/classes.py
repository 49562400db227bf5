"""Macro-F1 and Matthews' correlation: scores of a set of labels, not of one label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from kdeval.records import Metric, Response, Sample, Score
from kdeval.scorers.label import normalised_label
from kdeval.scorers.protocol import unmarked

__all__ = ["MacroF1", "MatthewsCorrelation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfClasses(ABC):
    name: str

    @property
    @abstractmethod
    def metric(self) -> Metric:
        """The score of a set."""

    def reference_problem(self, sample: Sample) -> str | None:
        """Why the reference has no class; None when it has one."""
        if not sample.labels:
            return f"{self.name} needs `labels`: it belongs to kind: classification"
        return None

    def score(self, sample: Sample, response: Response) -> Score:
        """1 or 0 for the sample, and the places of reference and output among the labels (-1 for
        an output that is none of them).
        """
        missing = unmarked(self.metric, sample, response)
        if missing is not None:
            return missing
        labels = [normalised_label(label) for label in sample.labels or ()]
        reference = normalised_label(str(sample.reference))
        if reference not in labels:
            reason = f"the reference {sample.reference!r} is none of the declared labels"
            return Score(scorer=self.name, value=None, reason=reason)
        output = normalised_label(str(response.output))
        said = labels.index(output) if output in labels else -1
        place = labels.index(reference)
        return Score(
            scorer=self.name,
            value=float(said == place),
            reason="the output is none of the declared labels" if said < 0 else None,
            statistics=(float(place), float(said)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroF1(_OfClasses):
    """Mean of the classes' F1 over those that some reference of the set has.

    An output that is no label counts against the class of its reference only.
    """

    name: str = "macro_f1"

    @property
    def metric(self) -> Metric:
        """From 0 to 1."""
        return Metric(name=self.name, aggregation="macro_f1")


@dataclass(frozen=True, slots=True, kw_only=True)
class MatthewsCorrelation(_OfClasses):
    """Matthews' correlation coefficient of any number of classes; guessing scores 0.

    Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", 2004.
    """

    name: str = "mcc"

    @property
    def metric(self) -> Metric:
        """From -1 to 1."""
        return Metric(name=self.name, low=-1.0, high=1.0, chance=0.0, aggregation="mcc")
