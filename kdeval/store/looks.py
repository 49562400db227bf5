"""`looks.json`: a run that asks until a policy is decided, its plan and the looks already taken.

Written before the first look and after each one, whole or not at all, and never taken back: a look
that was taken counts, whatever becomes of the rest of the directory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kdeval.errors import RunError
from kdeval.stats.sequential.group_sequential import each_look_alone, lan_demets

__all__ = ["LOOKS_FILE", "LookKind", "LookTaken", "Looks", "read_looks", "write_looks"]

LOOKS_FILE = "looks.json"
SCHEMA_VERSION = 1
SMALLEST_ERROR = 1e-12

LookKind = Literal["obrien_fleming", "betting"]
Counts = Mapping[str, Mapping[str, tuple[int, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookTaken:
    """One look, as it was judged.

    Attributes:
        verdict: over all rules, decided at this look or before.
        results: the gate's rule results as plain JSON; a rule that was decided keeps its own.
    """

    verdict: str
    results: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What was fixed before the first look, and what each look found.

    Attributes:
        kind: how error is spread over looks: see `SequentialDesign`; betting has no last look.
        policy: digest of the policy (and of the baseline) that the looks are for.
        policy_name: its file, for messages.
        student: whom it judges.
        asked: what else must not change: "models" and "suites" as digests, "seed" and "limit".
        samples: suite to its samples at each planned look.
        units: suite to slice to its independent units (clusters or samples) at each planned look.
        largest_cluster: suite to slice to the most samples that a cluster of it has.
        taken: the looks already taken, in order.
    """

    kind: LookKind
    policy: str
    policy_name: str
    student: str
    asked: Mapping[str, str]
    samples: Mapping[str, tuple[int, ...]]
    units: Counts
    largest_cluster: Mapping[str, Mapping[str, int]]
    taken: tuple[LookTaken, ...] = ()
    schema_version: int = SCHEMA_VERSION
    file_kind: str = "kdeval.looks"

    @property
    def planned(self) -> int:
        """Number of looks planned; with betting, those that the present samples allow."""
        return len(next(iter(self.samples.values())))

    @property
    def totals(self) -> tuple[int, ...]:
        """Samples over all suites at each planned look."""
        return tuple(sum(counts) for counts in zip(*self.samples.values(), strict=True))

    def with_look(self, taken: LookTaken) -> Looks:
        """The same after one more look."""
        return replace(self, taken=(*self.taken, taken))

    def level(self, alpha: float, look: int) -> float:
        """One-sided confidence at `look` (from 1) with which all looks together err by `alpha`.

        For what has no range to bet on, or stands beside the rules: with betting each look has a
        share of its own.
        """
        if self.kind == "obrien_fleming":
            design = lan_demets(self.totals, alpha)
        else:
            design = each_look_alone(self.totals, alpha, open_ended=True)
        return design.levels[look - 1] or 1 - SMALLEST_ERROR

    def confidence(self, confidence: float, look: int) -> float:
        """Two-sided confidence at `look` of intervals that hold at all looks with `confidence`."""
        return 2 * self.level((1 - confidence) / 2, look) - 1


def write_looks(directory: Path, looks: Looks) -> None:
    """Writes `looks.json` into `directory`, whole or not at all."""
    file = directory / LOOKS_FILE
    partial = file.with_name(f"{LOOKS_FILE}.partial")
    text = json.dumps(asdict(looks), ensure_ascii=False, indent=1, allow_nan=False)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(file)


def read_looks(directory: Path) -> Looks | None:
    """The plan of the run in `directory` and its looks; None where no looks were planned.

    Raises:
        RunError: the file cannot be read.
    """
    file = directory / LOOKS_FILE
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(
            f"{file} cannot be read ({error}); begin again in another directory"
        ) from error
    if not isinstance(data, dict) or data.get("schema_version") != SCHEMA_VERSION:
        raise RunError(f"{file} is not of the version that this kdeval reads ({SCHEMA_VERSION})")
    try:
        return Looks(
            **{
                **data,
                "samples": {name: tuple(counts) for name, counts in data["samples"].items()},
                "units": {
                    suite: {name: tuple(counts) for name, counts in slices.items()}
                    for suite, slices in data["units"].items()
                },
                "taken": tuple(
                    LookTaken(verdict=item["verdict"], results=tuple(item["results"]))
                    for item in data["taken"]
                ),
            }
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{file} is damaged ({error}); begin again with another --out") from error
