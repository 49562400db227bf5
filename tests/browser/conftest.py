"""A real run with hostile text, its report, and a headless Chromium to open it in."""

from __future__ import annotations

import csv
import json
import math
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kdeval.config.schema import load_config
from kdeval.workflows.evaluate import evaluate
from kdeval.workflows.reporting import ReportInputs, write_report

HOSTILE = (
    "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>",
    "\u202egnp.exe\u202c \u2066isolated\u2069",
    "A" * 100_000,
    "\x1b[31mred\x1b[0m \x07",
    "</script><!-- </style> ]]> {{ 7 * 7 }}",
)
LABELS = ("billing", "delivery", "account", "other")
STUDENTS = ("small", "tiny")

_CONFIG = """\
name: desk
seed: 3
suites: [intents.yaml, notes.yaml]
teacher: {name: big, type: recorded, path: big.csv, columns: &columns {id: id, output: output,
  latency_s: seconds, probabilities: {billing: billing, delivery: delivery, account: account,
  other: other}, error: error}}
students:
  - {name: small, type: recorded, path: small.csv, columns: *columns}
  - {name: tiny, type: recorded, path: tiny.csv, columns: *columns}
costs:
  big: {usd_per_request: 0.002}
  small: {usd_per_request: 0.0003}
  tiny: {usd_per_request: 0.0001}
latency_probe: false
"""
_INTENTS = """\
name: intents
kind: classification
data: intents.jsonl
id: id
input: "{{ text }}"
reference: "{{ label }}"
labels: [billing, delivery, account, other]
slices: [channel]
"""
_NOTES = """\
name: notes
kind: generation
data: notes.jsonl
id: id
input: "Summarise: {{ text }}"
reference: "{{ reference }}"
scorers: [token_f1]
slices: [team]
"""
_POLICY = """\
schema_version: 1
rules:
  - {metric: retention, suite: intents, min: 0.9}
  - {metric: retention, suite: intents, slice: "channel=*", min: 0.9}
  - {metric: latency_ratio, max: 0.9}
"""


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 classified messages, 24 notes, two students; some answers missing."""
    base = tmp_path_factory.mktemp("desk")
    rng = random.Random(5)
    intents = [
        {
            "id": f"i{index}",
            "text": f"message {index} {HOSTILE[index] if index < len(HOSTILE) else ''}",
            "label": LABELS[index % 4],
            "channel": ("mail", "chat </script>", "phone")[index % 3],
        }
        for index in range(240)
    ]
    notes = [
        {
            "id": f"n{index}",
            "text": f"note {index} {HOSTILE[index % len(HOSTILE)]}",
            "reference": f"the customer of note {index} wants a refund before friday",
            "team": ("north", "south")[index % 2],
        }
        for index in range(24)
    ]
    for name, rows in (("intents", intents), ("notes", notes)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (base / f"{name}.jsonl").write_text(text, encoding="utf-8")
    for name, right in (("big", 0.97), ("small", 0.93), ("tiny", 0.7)):
        _answers(base / f"{name}.csv", intents, notes, right, rng)
    for name, text in (
        ("kdeval.yaml", _CONFIG),
        ("intents.yaml", _INTENTS),
        ("notes.yaml", _NOTES),
        ("gate.yaml", _POLICY),
    ):
        (base / name).write_text(text, encoding="utf-8")
    out = base / "run"
    evaluate(load_config(base / "kdeval.yaml"), out, base=base)
    return out


def _answers(
    path: Path,
    intents: list[dict[str, Any]],
    notes: list[dict[str, Any]],
    right: float,
    rng: random.Random,
) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, ["id", "output", "seconds", "error", *LABELS])
        writer.writeheader()
        for row in intents:
            best = row["label"] if rng.random() < right else rng.choice(LABELS)
            weights = {label: rng.random() + 6 * (label == best) for label in LABELS}
            total = sum(weights.values())
            seconds = math.exp(rng.gauss(-3 - (right < 0.95), 0.3))
            writer.writerow(
                {"id": row["id"], "output": best, "seconds": seconds}
                | {label: weight / total for label, weight in weights.items()}
                if rng.random() > 0.01
                else {"id": row["id"], "error": "ConnectionError: reset"}
            )
        for index, row in enumerate(notes):
            words = [word for word in row["reference"].split() if rng.random() < right]
            hostile = HOSTILE[index % len(HOSTILE)] + " " if right < 0.95 and index < 10 else ""
            writer.writerow({"id": row["id"], "output": hostile + " ".join(words), "seconds": 0.05})


@pytest.fixture(scope="session")
def report(run_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """report.html of the run, judged by a policy."""
    out = tmp_path_factory.mktemp("report")
    written = write_report(
        run_dir,
        out=out,
        formats=("html",),
        inputs=ReportInputs(policy=run_dir.parent / "gate.yaml"),
    )
    return written.files[0]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium that logs its console and its network."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("needs Chromium and chromedriver (Debian: chromium chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
        "disable-dev-shm-usage", "disable-background-networking", "disable-component-update",
        "disable-sync", f"user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    window = webdriver.Chrome(options=options, service=service)
    yield window
    window.quit()


@pytest.fixture
def page(chromium: Any, report: Path) -> Any:
    """The report, freshly opened at 1200 px, with the logs emptied before."""
    resize(chromium, 1200)
    for log in ("browser", "performance"):
        chromium.get_log(log)
    chromium.get(report.as_uri())
    chromium.execute_script("localStorage.clear()")
    chromium.get(report.as_uri())
    return chromium


def resize(window: Any, width: int) -> None:
    window.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
