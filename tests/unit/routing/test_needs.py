"""Requests with tools or a response schema: what a router was shown, and what it may send on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kdeval_router import Router

from kdeval.routing.evaluate import evaluate_router
from kdeval.routing.fit import fit_router
from kdeval.routing.guarantee import FitSettings

TOOL = '{"type":"function","function":{"name":"look"}}'
OFFERED = [{"type": "function", "function": {"name": "look"}}]
TEXT = "please tell me sun rain wind now"


def _asked(**more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": TEXT}], **more}


@pytest.fixture(scope="module")
def fitted_on(rows: Any, run_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A function of what the rows with even and odd places offer; it fits a router and opens it."""

    def fitted(even: dict[str, Any], odd: dict[str, Any]) -> tuple[Router, Any, Path]:
        folder = tmp_path_factory.mktemp("needs")
        made = [row | (odd if place % 2 else even) for place, row in enumerate(rows(1_200))]
        run = run_of(folder / "run", made)
        path = fit_router(run, folder / "router", FitSettings(max_drop=0.05)).path
        return Router.load(path), run, path

    return fitted


def test_a_router_fitted_with_tools_sends_requests_with_tools(fitted_on: Any) -> None:
    """Every sample offered tools, so students were shown to handle them; but no schema."""
    router, _, _ = fitted_on({"tools": (TOOL,)}, {"tools": (TOOL,)})
    assert router.decide(_asked(tools=OFFERED)).role == "student"
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
    decision = router.decide(_asked(tools=OFFERED, response_format=schema))
    assert (decision.role, decision.reason) == ("teacher", "unsupported_feature")


def test_where_only_some_samples_offer_tools_the_teacher_keeps_them(fitted_on: Any) -> None:
    """And the evaluation counts them so: what it promises is what the runtime does."""
    router, run, path = fitted_on({"tools": (TOOL,)}, {})
    assert router.decide(_asked(tools=OFFERED)).reason == "unsupported_feature"
    assert router.decide(_asked()).role == "student"
    share = evaluate_router(path, run).share
    assert 0 < share < 0.6
