"""What is wrong with the samples of a suite, found row by row and told all at once."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdeval.config.yaml_file import nearest
from kdeval.errors import DataError
from kdeval.records import Sample
from kdeval.scorers.label import normalised_label
from kdeval.scorers.multiple_choice import MultipleChoice
from kdeval.scorers.protocol import (
    Scorer,
    reference_problem,
    requires_reference,
    sample_problem,
)
from kdeval.store.choices import ChoiceForm, choice_readings, readings_text
from kdeval.store.problems import RowProblems
from kdeval.store.templates import to_text
from kdeval.suites.schema import SuiteConfig

__all__ = ["DeclaredLabels", "IndicesFrom0", "References", "UniqueIds"]


class UniqueIds:
    """Every id once; 16 bytes a sample are kept until the end."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._hashes = array("q")
        self._lines = array("q")

    def add(self, line: int, sample_id: str) -> None:
        """Notes the id of the row that starts in `line`."""
        self._hashes.append(hash(sample_id))
        self._lines.append(line)

    def raise_if_any(self, samples: Sequence[Sample]) -> None:
        """Nothing, or a DataError over the ids that were given before; of the samples added."""
        hashes = np.array(self._hashes)
        order = np.argsort(hashes, kind="stable")
        same = np.flatnonzero(np.diff(hashes[order]) == 0)
        first: dict[str, int] = {}
        problems = RowProblems(self._data)
        for place in sorted({*order[same].tolist(), *order[same + 1].tolist()}):
            name, line = samples[place].id, self._lines[place]
            before = first.setdefault(name, line)
            if before != line:
                problems.add(line, f"id {name!r} was given before, in line {before}")
        problems.raise_if_any()


class DeclaredLabels:
    """References spelled as the label set spells them."""

    def __init__(self, labels: Sequence[str], path: Path, data: Path) -> None:
        self._labels = labels
        self._path = path
        self._declared = {normalised_label(label): label for label in labels}
        self._problems = RowProblems(data)
        self._matched = False
        self._unmatched: Counter[str] = Counter()

    def reference(self, line: int, reference: Any) -> Any:
        """The reference as the label set has it; itself where that has none like it."""
        if reference is None:
            return None
        given = str(to_text(reference))
        label = self._declared.get(normalised_label(given))
        if label is not None:
            self._matched = True
            return label
        self._problems.add(line, f"reference {given!r} is no label; {nearest(given, self._labels)}")
        if not self._matched:
            self._unmatched[given] += 1
        return reference

    def raise_if_any(self) -> None:
        """Nothing, or a DataError over the references that are no labels."""
        if self._problems and not self._matched:
            raise DataError(self._none_matches())
        self._problems.raise_if_any()

    def _none_matches(self) -> str:
        counts, labels = self._unmatched, self._labels
        seen = [value for value, _ in counts.most_common(5)]
        more = f" and {len(counts) - len(seen)} more" if len(counts) > len(seen) else ""
        return (
            f"{self._path}: labels: none of them is a reference: references are "
            f"{', '.join(map(repr, seen))}{more}; labels are {', '.join(map(repr, labels[:12]))}; "
            f"for {seen[0]!r}: {nearest(seen[0], labels)}"
        )


class IndicesFrom0:
    """References that count the choices from 1, counting them from 0."""

    def __init__(self, config: SuiteConfig, scorers: Sequence[Scorer], data: Path) -> None:
        self._first_index = config.first_index
        self._form: ChoiceForm = next(
            (item.reference for item in scorers if isinstance(item, MultipleChoice)), "auto"
        )
        self._problems = RowProblems(data)

    def reference(self, line: int, given: Any, choices: tuple[str, ...]) -> Any:
        """The index from 0 where the reference is an index from 1; else itself."""
        counted = isinstance(given, int) and not isinstance(given, bool)
        if not counted and not (isinstance(given, str) and given.strip().isdecimal()):
            return given
        readings = choice_readings(
            str(given),
            choices,
            form="index" if counted else self._form,
            first_index=self._first_index,
        )
        if len(readings) == 1:
            return next(iter(readings))
        self._problems.add(line, _no_index(given, len(choices), readings))
        return given

    def raise_if_any(self) -> None:
        """Nothing, or a DataError over the indices that cannot be read."""
        self._problems.raise_if_any()


def _no_index(given: Any, n_choices: int, readings: dict[int, str]) -> str:
    if not readings:
        return f"reference {given!r} is none of the {n_choices} choices, counted from first_index 1"
    return (
        f"reference {given!r} is {readings_text(readings)}; say which with the scorer "
        "{type: multiple_choice, reference: index}, or reference: text"
    )


class References:
    """References and samples that the scorers can mark."""

    def __init__(self, scorers: Sequence[Scorer], path: Path, data: Path) -> None:
        self._scorers = scorers
        self._needing = [scorer for scorer in scorers if requires_reference(scorer)]
        self._path = path
        self._data = data
        self._problems = RowProblems(data)
        self._samples = self._with_reference = 0

    def add(self, line: int, sample: Sample) -> None:
        """Checks the sample of the row that starts in `line`."""
        self._samples += 1
        self._with_reference += sample.reference is not None
        for scorer in self._needing:
            problem = reference_problem(scorer, sample)
            if problem is not None:
                self._problems.add(line, f"{problem} (scorer {scorer.metric.name!r})")
        for scorer in self._scorers:
            problem = sample_problem(scorer, sample)
            if problem is not None:
                self._problems.add(line, f"{problem} (scorer {scorer.metric.name!r})")

    def raise_if_any(self) -> None:
        """Nothing, or a DataError over references that are missing or of no use."""
        if self._needing and not self._with_reference:
            raise DataError(
                f"{self._path}: reference is missing in all {self._samples} rows of {self._data}, "
                f"but scorer {self._needing[0].metric.name!r} needs it: set `reference`, or leave "
                "out `scorers` when the models carry recorded scores"
            )
        self._problems.raise_if_any()
