"""How students belong together: checkpoints, a chain of distillations, a ladder, hard and soft."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from pydantic import Field, model_validator

from kdeval.config.base import NAME_PATTERN, Strict
from kdeval.config.yaml_file import nearest

__all__ = ["SeriesConfig", "check_series"]

SeriesKind = Literal["checkpoints", "chain", "ladder", "labels"]
_FEWEST = {"checkpoints": 2, "chain": 3, "ladder": 2, "labels": 2}


class SeriesConfig(Strict):
    """Models of the run in an order that means something.

    checkpoints: one student as its training went on. chain: teacher, middle model, student, each
    distilled from the one before. ladder: variants of one model, each cheaper than the one before
    (float32, int8, int4, pruned). labels: a student trained on hard labels, then one on soft ones.
    """

    name: str = Field(pattern=NAME_PATTERN)
    kind: SeriesKind
    members: list[str] = Field(description="names of models, in order")
    steps: list[float] | None = Field(
        None, description="checkpoints only: training step of each, for the curve; default: 1, 2, …"
    )

    @model_validator(mode="after")
    def _in_itself(self) -> SeriesConfig:
        for name in self.members:
            if self.members.count(name) > 1:
                raise ValueError(f"members: {name!r} is listed twice")
        if len(self.members) < _FEWEST[self.kind]:
            raise ValueError(f"kind: {self.kind} needs at least {_FEWEST[self.kind]} members")
        if self.kind == "labels" and len(self.members) > 2:
            raise ValueError("kind: labels has two members: [hard, soft]")
        if self.steps is None:
            return self
        if self.kind != "checkpoints":
            raise ValueError(f"steps belong to kind: checkpoints, not {self.kind}")
        if len(self.steps) != len(self.members):
            raise ValueError(f"there are {len(self.members)} members and {len(self.steps)} steps")
        if any(b <= a for a, b in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError("steps must rise from one checkpoint to the next")
        return self


def check_series(
    series: Collection[SeriesConfig], *, teacher: str, students: Collection[str]
) -> None:
    """Nothing, or ValueError where a series names no model, or has the teacher in a wrong place."""
    seen: set[str] = set()
    for item in series:
        if item.name in seen:
            raise ValueError(f"series: two are called {item.name!r}")
        seen.add(item.name)
        for name in item.members:
            if name != teacher and name not in students:
                hint = nearest(name, [teacher, *students])
                raise ValueError(f"series {item.name!r}: there is no model {name!r}; {hint}")
        if item.kind == "chain" and item.members[0] != teacher:
            raise ValueError(
                f"series {item.name!r}: a chain starts with the teacher: {teacher!r}, then the "
                "model distilled from it"
            )
        if teacher in (item.members[1:] if item.kind in ("chain", "ladder") else item.members):
            where = "may only come first" if item.kind in ("chain", "ladder") else "is no member"
            raise ValueError(f"series {item.name!r}: the teacher {teacher!r} {where}")
