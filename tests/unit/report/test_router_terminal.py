from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from kdeval_router.schema import Guarantee
from rich.console import Console, RenderableType

from kdeval.report.router_terminal import fit_renderables


def shown(parts: Iterable[RenderableType]) -> str:
    console = Console(file=io.StringIO(), width=200, force_terminal=False, highlight=False)
    for part in parts:
        console.print(part)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    target: str
    n: int = 100
    reason: str | None = None

    @property
    def evidence(self) -> dict[str, Any]:
        return {self.target: SimpleNamespace(teacher_score=0.9, student_score=0.1)}


def summary(*, certified: bool) -> Any:
    guarantee = Guarantee(
        certified=certified,
        risk="share lost",
        level=0.02,
        confidence=0.999999,
        method="exact",
        sampling_unit="distinct prompt",
        assumption="same traffic",
        n=100,
        dropped=0,
        seed=0,
        flips=1,
        bound=0.01,
        share=0.5 if certified else 0.0,
        n_min=1114,
        missing=None if certified else 3000,
        note=None
        if certified
        else "nothing is certified, so everything goes to the teacher: 3,000 more certify units "
        "are needed (about 10,000 more in the run, as the splits share them out)",
    )
    config = SimpleNamespace(
        teacher="big", guarantee=guarantee, tasks={"letters": Task(target="linear")}
    )
    return SimpleNamespace(config=config, unusable=0, notes=())


def test_without_a_certificate_every_task_goes_to_the_teacher() -> None:
    """The table says what the verdict says, and what is missing is said once."""
    text = shown(fit_renderables(summary(certified=False)))
    assert "Nothing is certified, so everything goes to the teacher" in text
    assert text.count("3,000") == 1
    assert "3000" not in text
    assert "linear" not in text
    assert "big" in text


def test_with_a_certificate_a_task_may_go_to_a_student() -> None:
    """Each request is still decided by its own risk."""
    text = shown(fit_renderables(summary(certified=True)))
    assert "may go to" in text
    assert "linear" in text
    assert "99.9999 % confidence" in text
