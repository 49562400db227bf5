"""The chosen choice is the reference choice."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval.records import Metric, Response, Sample, Score
from kdeval.scorers.protocol import unmarked
from kdeval.store.choices import ChoiceForm, choice_readings, looks_counted_from_1, readings_text

__all__ = ["MultipleChoice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipleChoice:
    """1 when the output means the same choice as the reference, else 0.

    A reference that is a JSON integer is an index from 0. A text is an index, a letter or the
    choice's own words, whichever of them it is (`kdeval.store.choices`). Where readings disagree
    the reference is refused until `reference` says the form. An output of digits is an index as
    long as there is such a choice, because that is what models answer; another ambiguous output
    is left unmarked until `output` says the form. An output that names no choice is wrong.

    Indices count from 0 here, as models answer them; a suite or a recorded file that counts from
    1 says so with its own `first_index`, and is translated when it is read.
    """

    name: str = "multiple_choice"
    reference: ChoiceForm = "auto"
    output: ChoiceForm = "auto"

    @property
    def metric(self) -> Metric:
        """Share of right choices."""
        return Metric(name=self.name)

    def reference_problem(self, sample: Sample) -> str | None:
        """Why the reference does not mean exactly one choice; None when it does."""
        readings = self._reference_readings(sample)
        if len(readings) == 1:
            return None
        given = f"reference {sample.reference!r}"
        if readings:
            return (
                f"{given} is {readings_text(readings)}; say which with the scorer "
                f"{{type: multiple_choice, reference: {next(iter(readings.values()))}}}"
            )
        choices = sample.choices or ()
        problem = (
            f"{given} is none of the {len(choices)} choices: give an index from 0, a letter from "
            "A, or a choice's text"
        )
        if looks_counted_from_1(str(sample.reference), choices):
            problem += "; where the first choice is 1, set `first_index: 1` in the suite"
        return problem

    def score(self, sample: Sample, response: Response) -> Score:
        """1 or 0; missing when the output or the reference cannot be read as one choice."""
        missing = unmarked(self.metric, sample, response)
        if missing is not None:
            return missing
        expected = self._reference_readings(sample)
        if len(expected) != 1:
            return Score(scorer=self.name, value=None, reason=self.reference_problem(sample))
        chosen = self._output_readings(str(response.output), sample.choices or ())
        if not chosen:
            return Score(scorer=self.name, value=0.0, reason="the output names no choice")
        if len(chosen) > 1:
            reason = (
                f"the output is {readings_text(chosen)}; say which with the scorer "
                f"{{type: multiple_choice, output: {next(iter(chosen.values()))}}}"
            )
            return Score(scorer=self.name, value=None, reason=reason)
        return Score(scorer=self.name, value=float(chosen.keys() == expected.keys()))

    def _reference_readings(self, sample: Sample) -> dict[int, str]:
        reference, choices = sample.reference, sample.choices or ()
        if isinstance(reference, bool):
            return {}
        if isinstance(reference, int):
            return {reference: "index"} if 0 <= reference < len(choices) else {}
        return choice_readings(str(reference), choices, form=self.reference)

    def _output_readings(self, output: str, choices: tuple[str, ...]) -> dict[int, str]:
        if self.output == "auto":
            as_index = choice_readings(output, choices, form="index")
            if as_index:
                return as_index
        return choice_readings(output, choices, form=self.output)
