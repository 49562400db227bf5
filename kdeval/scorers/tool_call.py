"""Whether the right functions were called with the right arguments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kdeval.config.yaml_file import nearest
from kdeval.records import Metric, Response, Sample, Score, ToolCall, canonical_json
from kdeval.scorers.protocol import unmarked
from kdeval.store.tool_calls import as_tool_calls
from kdeval.store.tool_definitions import tool_name

__all__ = ["ToolCallF1", "ToolCallMatch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallMatch:
    """1 when the calls are those of the reference, no more and no fewer, else 0.

    Names are the same to the letter, arguments as JSON values: key order counts for nothing and 1
    is 1.0, but true is not 1, "1" not 1, and null not the same as no argument. An empty list as
    reference says that no call is right. Words beside the calls do not count.

    Attributes:
        any_order: parallel calls may come in any order.
        ignore_arguments: true: only the names count; or a list of arguments that do not.
        null_is_absent: an argument that is null counts as left out.
    """

    name: str = "tool_call"
    any_order: bool = True
    ignore_arguments: bool | tuple[str, ...] = False
    null_is_absent: bool = False
    needs_tool_calls = True

    @property
    def metric(self) -> Metric:
        """Share of samples with the right calls."""
        return Metric(name=self.name)

    def reference_problem(self, sample: Sample) -> str | None:
        """Why the reference is no list of calls to tools that are offered; None when it is."""
        return _reference_problem(sample)

    def score(self, sample: Sample, response: Response) -> Score:
        """1 or 0, with the first difference."""
        calls = _calls_or_score(self.metric, sample, response)
        if isinstance(calls, Score):
            return calls
        wanted = [self._key(call) for call in as_tool_calls(sample.reference)]
        made = [self._key(call) for call in calls]
        if self.any_order:
            wanted, made = sorted(wanted), sorted(made)
        right = wanted == made and all(call.valid for call in calls)
        return Score(
            scorer=self.name,
            value=float(right),
            reason=None if right else _difference(as_tool_calls(sample.reference), calls),
        )

    def _key(self, call: ToolCall) -> str:
        if self.ignore_arguments is True or not call.valid:
            return f"{call.name or ''} "
        skipped = self.ignore_arguments or ()
        kept = {
            key: value
            for key, value in call.arguments.items()
            if key not in skipped and not (self.null_is_absent and value is None)
        }
        return f"{call.name} {canonical_json(kept)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallF1:
    """F1 over what is called: each call's name, and each of its arguments with its value.

    2 x common / (called + expected), repeats counted; 1 where no call is right and none is made.
    An argument counts with its function's name and its whole value, compared as `tool_call` does.
    Arguments that are no JSON object count as one that is wrong.
    """

    name: str = "tool_call_f1"
    needs_tool_calls = True

    @property
    def metric(self) -> Metric:
        """Mean F1."""
        return Metric(name=self.name)

    def reference_problem(self, sample: Sample) -> str | None:
        """Why the reference is no list of calls to tools that are offered; None when it is."""
        return _reference_problem(sample)

    def score(self, sample: Sample, response: Response) -> Score:
        """F1 of one sample."""
        calls = _calls_or_score(self.metric, sample, response)
        if isinstance(calls, Score):
            return calls
        wanted = Counter(_parts(as_tool_calls(sample.reference)))
        made = Counter(_parts(calls))
        total = wanted.total() + made.total()
        value = 2 * (wanted & made).total() / total if total else 1.0
        told = None if value == 1 else _difference(as_tool_calls(sample.reference), calls)
        return Score(scorer=self.name, value=value, reason=told)


def _calls_or_score(
    metric: Metric, sample: Sample, response: Response
) -> tuple[ToolCall, ...] | Score:
    """What was called, or the missing score where that is not known."""
    missing = unmarked(metric, sample, response)
    if missing is not None:
        return missing
    if response.tool_calls is None and sample.tools:
        return Score(scorer=metric.name, value=None, reason="the model tells nothing of tool calls")
    return response.tool_calls or ()


def _reference_problem(sample: Sample) -> str | None:
    shown = str(sample.reference)[:60]
    try:
        calls = as_tool_calls(sample.reference)
    except ValueError as error:
        return (
            f"reference {shown!r} is no list of tool calls ({error}): give a column with "
            "[{name, arguments}], [] where no call is right"
        )
    if calls and not sample.tools:
        return "the reference has a call, but no tools are offered: set `tools` in the suite"
    offered = [tool_name(tool) for tool in sample.tools]
    for call in calls:
        if not call.valid:
            return f"reference {shown!r}: arguments must be a JSON object, got {call.arguments!r}"
        if call.name not in offered:
            hint = nearest(str(call.name), offered)
            return f"reference calls {call.name!r}, which is not offered; {hint}"
    return None


def _difference(wanted: Sequence[ToolCall], made: Sequence[ToolCall]) -> str:
    if not wanted or not made:
        return "a call where none is right" if made else "no call where one is right"
    if not all(call.valid for call in made):
        return "a call has no JSON object of arguments, or no name"
    names = [sorted(str(call.name) for call in calls) for calls in (wanted, made)]
    if names[0] != names[1]:
        return "another function, or another number of calls"
    return "other arguments"


def _parts(calls: Sequence[ToolCall]) -> Iterator[str]:
    for call in calls:
        yield f"{call.name}"
        if not call.valid:
            yield "not valid"
            continue
        for key, value in call.arguments.items():
            yield f"{call.name} {canonical_json([key, value])}"
