"""Whether the output is JSON that the sample's response schema allows."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval.records import Metric, Response, Sample, Score
from kdeval.store.json_schemas import value_problem
from kdeval.store.tool_calls import json_value

__all__ = ["JsonSchema"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSchema:
    """1 when the whole output is one JSON value and the schema allows it, else 0.

    Nothing is taken off: words or a code fence around the value are what a program would stumble
    over. `format` is not checked, as the JSON Schema standard leaves it.
    """

    name: str = "json_schema"
    needs_reference = False

    @property
    def metric(self) -> Metric:
        """Share of outputs that keep their schema."""
        return Metric(name=self.name)

    def sample_problem(self, sample: Sample) -> str | None:
        """That the sample has no schema; None where it has one."""
        return "the row has no response_schema" if sample.response_schema is None else None

    def score(self, sample: Sample, response: Response) -> Score:
        """1, or 0 with the place that the schema refuses."""
        if response.error is not None or response.output is None or sample.response_schema is None:
            return Score(scorer=self.name, value=None, reason=_why_missing(sample, response))
        try:
            problem = value_problem(sample.response_schema, json_value(response.output))
        except (ValueError, RecursionError) as error:
            problem = f"the output is not JSON: {error}"
        return Score(scorer=self.name, value=float(problem is None), reason=problem)


def _why_missing(sample: Sample, response: Response) -> str:
    if response.error is not None:
        return f"no answer: {response.error}"
    if response.output is None:
        return "no output was recorded"
    return "the sample has no response schema"
