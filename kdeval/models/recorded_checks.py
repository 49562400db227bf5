"""Whether recorded answers fit the suites that are asked, and their own probabilities."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from kdeval.errors import DataError
from kdeval.models.recorded_rows import RecordedAnswer

__all__ = ["contradiction_warning", "id_warnings"]

_SHOWN = 3


def id_warnings(
    path: Path,
    id_field: str | None,
    recorded: Collection[str],
    suites: Mapping[str, Collection[str]],
) -> list[str]:
    """Lines on ids that are on one side only.

    Args:
        path: the file of predictions.
        id_field: the column or template that its ids come from; None: its rows are numbered.
        recorded: its ids.
        suites: by name, the ids of each suite that it should answer.

    Raises:
        DataError: none of its ids is one of a suite.
    """
    known = frozenset(recorded)
    lines = []
    for suite, ids in suites.items():
        missing = [sample_id for sample_id in ids if sample_id not in known]
        if missing and len(missing) == len(ids):
            raise DataError(_nothing_matches(path, id_field, recorded, suite, ids, len(suites)))
        if missing:
            verb = "has" if len(missing) == 1 else "have"
            lines.append(
                f"{len(missing)} of {len(ids)} ids of suite {suite!r} {verb} no prediction in "
                f"{path.name}: {_some(missing)}"
            )
    wanted = frozenset(sample_id for ids in suites.values() for sample_id in ids)
    extra = [sample_id for sample_id in recorded if sample_id not in wanted]
    if extra and suites:
        verb = "is" if len(extra) == 1 else "are"
        lines.append(
            f"{len(extra)} of {len(known)} ids in {path.name} {verb} in no suite: {_some(extra)}"
        )
    return lines


def contradiction_warning(
    path: Path,
    answers: Mapping[str, RecordedAnswer],
    suites: Mapping[str, Collection[str]],
    labels: Mapping[str, Sequence[str]],
) -> str | None:
    """How many outputs are not the likeliest of their own probabilities; None: none of them.

    Rows count whose output is, but for case, one of the labels that have a probability. Ties
    are no contradiction.
    """
    compared = wrong = 0
    for suite, ids in suites.items():
        names = labels.get(suite, ())
        for sample_id in ids:
            answer = answers.get(sample_id)
            likeliest = None if answer is None else _is_likeliest(answer, names)
            if likeliest is not None:
                compared += 1
                wrong += not likeliest
    if not wrong:
        return None
    return (
        f"in {wrong} of {compared} rows of {path.name} the recorded output is not the most likely "
        "label; check the columns of output and probabilities, unless answers were sampled"
    )


def _is_likeliest(answer: RecordedAnswer, labels: Sequence[str]) -> bool | None:
    """None where output and probabilities cannot be compared."""
    named, output = answer.probabilities, answer.response.output
    if named is None or output is None:
        return None
    if not isinstance(named, Mapping):
        if len(named) != len(labels):
            return None
        named = dict(zip(labels, named, strict=True))
    values = {label.strip().casefold(): value for label, value in named.items()}
    chosen = values.get(output.strip().casefold())
    return None if chosen is None else chosen >= max(values.values())


def _nothing_matches(
    path: Path,
    id_field: str | None,
    recorded: Iterable[str],
    suite: str,
    ids: Iterable[str],
    n_suites: int,
) -> str:
    source = (
        "its rows are numbered from 1, as no id is mapped"
        if id_field is None
        else f"they are read from `columns: {{id: {id_field!r}}}`"
    )
    other = "; or set `suite` to the one suite that it was recorded for" if n_suites > 1 else ""
    return (
        f"{path}: none of its ids is in suite {suite!r}: it has {_some(recorded)}, the suite has "
        f"{_some(ids)}; {source}: map the column, or a template, that gives the suite's ids{other}"
    )


def _some(ids: Iterable[str]) -> str:
    first = list(islice(ids, _SHOWN + 1))
    return ", ".join(map(repr, first[:_SHOWN])) + (", ..." if len(first) > _SHOWN else "")
