from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from rich.console import Console, RenderableType

from kdeval.report.document import ReportDocument
from kdeval.report.terminal import gate_renderables, report_renderables


def shown(parts: Iterable[RenderableType], width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, highlight=False)
    for part in parts:
        console.print(part)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_a_report_fits_eighty_columns(make_document: Callable[..., ReportDocument]) -> None:
    """No figure is cut or folded, whatever the names are."""
    text = shown(report_renderables(make_document()))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "…" not in text
    for figure in ("97.8 % [95.8, 99.8]", "-2.0 [-4.0, +0.0]", "92.0 % [90.0, 94.0]", "8.30 ms"):
        assert figure in text
    assert "domain=tweets: retention: at chance" in text
    assert "note: Latency was measured at batch 1." in text


def test_a_decision_fits_eighty_columns(make_decision: Callable[..., Any]) -> None:
    """Rules and evidence fold; the verdict comes last, where the eye is."""
    text = shown(gate_renderables([make_decision()]))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "inconclusive retention of exact" in text
    assert "small: fail (3 rules: 1 pass, 1 fail, 1 inconclusive), against big" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_hostile_names_do_not_reach_the_terminal(
    make_decision: Callable[..., Any], make_rule: Callable[..., Any], hostile: str, width: int
) -> None:
    """No escape code, no markup of rich's, no reversed line."""
    bad = f"{hostile} [bold red]x[/] [link=http://e]"
    decision = make_decision(student=bad, rules=(make_rule("pass", rule=bad, evidence=bad),))
    text = shown(gate_renderables([decision]), width)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold red]x[/]" in text.replace("\n", "") or width == 40
