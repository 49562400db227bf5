"""The output is the reference label."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval.records import Metric, Response, Sample, Score
from kdeval.scorers.protocol import unmarked

__all__ = ["LabelScorer", "normalised_label"]


def normalised_label(label: str) -> str:
    """The label without surrounding white space and without case: all that is forgiven."""
    return label.strip().casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScorer:
    """1 when the output is the reference label, else 0; white space around and case forgiven."""

    name: str = "label"

    @property
    def metric(self) -> Metric:
        """Share of right labels."""
        return Metric(name=self.name)

    def score(self, sample: Sample, response: Response) -> Score:
        """1 or 0; an output that is none of the declared labels is 0, with that as the reason."""
        missing = unmarked(self.metric, sample, response)
        if missing is not None:
            return missing
        output = normalised_label(str(response.output))
        reason = None
        if sample.labels and output not in map(normalised_label, sample.labels):
            reason = "the output is none of the declared labels"
        right = output == normalised_label(str(sample.reference))
        return Score(scorer=self.name, value=float(right), reason=reason)
