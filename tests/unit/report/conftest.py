"""A run with hostile text, and documents made of it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kdeval.compare.comparison import (
    ALL,
    Calibration,
    Cell,
    Comparison,
    CostFigures,
    LatencyFigures,
    Missing,
    ModelCalibration,
    RunComparison,
)
from kdeval.gate.decision import GateDecision, RuleResult, overall
from kdeval.records import Metric
from kdeval.report.document import ReportDocument, report_document
from kdeval.stats.interval import Interval
from kdeval.stats.means.flips import FlipTable

HOSTILE = (
    "</code></details><script>alert(1)</script> a|b `c` \x1b[31m\u202e @someone #1\n\n# heading"
)


def _gate_fixtures() -> ModuleType:
    name = "kdeval_tests_gate_fixtures"
    if name not in sys.modules:
        path = Path(__file__).parent.parent / "gate" / "conftest.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


runs = _gate_fixtures()


def interval(estimate: float | None, half: float = 0.02, reason: str | None = None) -> Interval:
    ends = (None, None) if estimate is None else (estimate - half, estimate + half)
    return Interval(
        estimate=estimate,
        low=ends[0],
        high=ends[1],
        confidence=0.95,
        method="test",
        n=200,
        clusters=None,
        reason=reason,
    )


def side(ece: float) -> ModelCalibration:
    return ModelCalibration(
        n=200,
        accuracy=0.9,
        mean_confidence=0.93,
        ece=ece,
        ece_equal_width=ece,
        ece_null=0.02,
        ece_p_value=0.0004,
        brier=0.08,
        log_loss=None,
        infinite_log_losses=3,
        temperature=1.4,
        n_temperature=100,
        n_scaled=100,
        ece_scaled=0.02,
        ece_unscaled=0.05,
    )


def cell(name: str = ALL, **changes: Any) -> Cell:
    made = Cell(
        suite="sentiment",
        metric="exact",
        slice=name,
        n=200,
        missing=Missing(
            teacher_errors=1, student_errors=2, unscored=0, reasons={f"timed out {HOSTILE}": 3}
        ),
        clusters=None,
        teacher_score=interval(0.9),
        student_score=interval(0.88),
        majority=0.55,
        chance=0.5,
        retention=interval(0.978),
        difference=interval(-0.02),
        flips=FlipTable(both_right=170, lost=10, gained=6, both_wrong=14),
        both_wrong_same=9,
        agreement=interval(0.92),
        kappa=0.8,
        repeats_teacher_error=interval(0.6),
        calibration=Calibration(
            teacher=side(0.03),
            student=side(0.06),
            brier_difference=interval(0.012, 0.01),
            log_loss_difference=None,
        ),
    )
    return replace(made, **changes)


def comparison(*cells: Cell) -> RunComparison:
    quantiles = {"p50": interval(0.0083, 0.0001), "p99": interval(0.0121, 0.001)}
    at_chance = cell("domain=tweets", retention=interval(None, reason="at chance"))
    student = Comparison(
        teacher="big",
        student="small",
        cells=cells or (cell(), at_chance),
        latency=LatencyFigures(
            source="probe",
            n=64,
            teacher=quantiles,
            student={"p50": interval(0.00011, 0.00001), "p99": interval(0.0002, 0.0001)},
            ratio={"p50": interval(0.0133, 0.001), "p99": interval(0.0165, 0.001)},
        ),
        cost=CostFigures(
            teacher_usd=0.002, student_usd=None, ratio=None, n=0, total=0, unit=None,
            basis="teacher: prices", reason="the cost of small is unknown",
        ),
        error_share=0.01,
        teacher_error_share=0.005,
        requests=200,
    )  # fmt: skip
    return RunComparison(
        name="demo",
        header=runs.HEADER,
        confidence=0.95,
        metrics={"exact": Metric(name="exact")},
        students=(student,),
        notes=("Latency was measured at batch 1.",),
    )


def rule(verdict: str, **changes: Any) -> RuleResult:
    made = RuleResult(
        rule=f"retention of exact, domain=tweets {verdict}: at least 95.0 %",
        metric="retention",
        suite="sentiment",
        slice="domain=tweets",
        score="exact",
        quantile=None,
        limit=0.95,
        direction="min",
        estimate=0.97,
        bound=0.958,
        opposite_bound=0.98,
        confidence=0.95,
        n=200,
        min_n=50,
        clusters=None,
        left_out=3,
        max_missing=0.05,
        verdict=verdict,  # type: ignore[arg-type]
        evidence="retention 97.0 %, at least 95.8 % with 95 % confidence; limit 95.0 %",
        samples_missing=None,
        method="paired score (Nam-Blackwelder)",
        floor=58,
    )
    return replace(made, **changes)


def decision(*verdicts: str, **changes: Any) -> GateDecision:
    rules = tuple(rule(verdict) for verdict in verdicts or ("pass", "fail", "inconclusive"))
    made = GateDecision(
        verdict=overall(rules),
        run="demo",
        teacher="big",
        student="small",
        baseline="release: small",
        confidence=0.95,
        rules=rules,
        header=runs.HEADER,
    )
    return replace(made, **changes)


@pytest.fixture
def make_cell() -> Callable[..., Cell]:
    return cell


@pytest.fixture
def make_comparison() -> Callable[..., RunComparison]:
    return comparison


@pytest.fixture
def make_rule() -> Callable[..., RuleResult]:
    return rule


@pytest.fixture
def make_decision() -> Callable[..., GateDecision]:
    return decision


@pytest.fixture
def hostile() -> str:
    return HOSTILE


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Any]:
    """A run of `n` samples with hostile text: every fourth lost, every tenth other one gained."""

    def make(n: int = 40, text: str = HOSTILE) -> Any:
        teacher = [float(index % 10 != 1) for index in range(n)]
        student = [float(index % 4 != 0) for index in range(n)]
        scores = runs.SuiteScores(
            teacher=teacher,
            students={"small": student},
            domains=["tweets" if index % 2 else "news" for index in range(n)],
            texts=[f"{text} {index}" for index in range(n)],
            outputs=[f"answer {text} {index}" for index in range(n)],
        )
        return runs.write_run(tmp_path / f"run{n}-{len(text)}", [scores], runs.RunParts())

    return make


@pytest.fixture
def make_document(make_run: Callable[..., Any]) -> Callable[..., ReportDocument]:
    """`make_document(n=40, ...)`: the run's report document with one decision."""

    def make(n: int = 40, text: str = HOSTILE, **settings: Any) -> ReportDocument:
        compared = settings.pop("compared", comparison())
        return report_document(make_run(n, text), compared, [decision()], **settings)

    return make
