"""JSON Schemas of the files that kdeval reads and writes."""

from __future__ import annotations

from typing import Any, Literal

from kdeval_router.schema import RouterConfig
from pydantic import BaseModel, TypeAdapter

from kdeval.compare.noise_floor import NoiseFloor
from kdeval.config.schema import RunConfig
from kdeval.gate.baseline import Baseline
from kdeval.gate.decision import GateDecision
from kdeval.gate.planning.plan import SamplePlan
from kdeval.gate.policy import GatePolicy
from kdeval.report.document import ReportDocument
from kdeval.suites.schema import SuiteConfig

__all__ = ["SCHEMA_NAMES", "SchemaName", "json_schema"]

SchemaName = Literal[
    "config", "suite", "policy", "report", "gate", "baseline", "noise-floor", "plan", "router"
]

_DOCUMENTS: dict[SchemaName, tuple[type[Any], str]] = {
    "config": (RunConfig, "What `kdeval run` reads: kdeval.yaml"),
    "suite": (SuiteConfig, "What is asked, and how answers are marked: a suite's YAML file"),
    "policy": (GatePolicy, "The rules of a gate: gate.yaml"),
    "report": (ReportDocument, "A run, compared and perhaps judged: report.json"),
    "gate": (GateDecision, "One student against a policy: gate.json"),
    "baseline": (Baseline, "Scores that a later student is measured against: no text"),
    "noise-floor": (NoiseFloor, "A model against itself: noise_floor/MODEL.json of `kdeval aa`"),
    "plan": (SamplePlan, "How many samples a policy needs: what `kdeval plan --json` writes"),
    "router": (RouterConfig, "A fitted router: router.yaml"),
}
SCHEMA_NAMES: tuple[SchemaName, ...] = tuple(_DOCUMENTS)


def json_schema(name: SchemaName) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of that file.

    A document that kdeval writes is closed: it has every property, a null where nothing is known,
    and no other.
    """
    kind, title = _DOCUMENTS[name]
    if issubclass(kind, BaseModel):
        schema = kind.model_json_schema()
    else:
        schema = TypeAdapter(kind).json_schema(mode="serialization")
        for definition in (schema, *schema.get("$defs", {}).values()):
            _close(definition)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": f"kdeval {name}",
        "description": title,
    }


def _close(definition: dict[str, Any]) -> None:
    properties = definition.get("properties")
    if properties is None:
        return
    definition["required"] = list(properties)
    definition["additionalProperties"] = False
    for schema in properties.values():
        schema.pop("default", None)
