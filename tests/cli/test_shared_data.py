"""Real recorded outcomes, where they are at hand."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

SHARED = Path(os.environ.get("KDEVAL_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
MMLU = SHARED / "routellm_mmlu__gpt4-1106_vs_mixtral.csv.gz"

SUITE = """\
name: mmlu
kind: generation
data: {data}
input: "{{{{ prompt }}}}"
slices: [domain]
cluster: "{{{{ prompt[:60] }}}}"
"""

CONFIG = """\
suites: [mmlu.yaml]
teacher:
  name: gpt-4
  type: recorded
  path: {data}
  columns: {{score: gpt-4-1106-preview__correct}}
students:
  - name: mixtral
    type: recorded
    path: {data}
    columns: {{score: mixtral-8x7b-instruct-v0.1__correct}}
"""


@pytest.mark.skipif(not MMLU.exists(), reason="the recorded outcomes (shared data) are not here")
def test_mmlu_of_a_real_pair(
    tmp_path: Path, kdeval: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """14,042 prompts: retention 84.5 %, domains as slices and passages as clusters."""
    (tmp_path / "mmlu.yaml").write_text(SUITE.format(data=MMLU))
    (tmp_path / "kdeval.yaml").write_text(CONFIG.format(data=MMLU))
    assert kdeval("run", "kdeval.yaml", "--out", "run").returncode == 0
    done = kdeval("report", "run", "--format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "run" / "report" / "report.json").read_text())
    cells = {cell["slice"]: cell for cell in report["students"][0]["cells"]}
    assert len(cells) == 58
    assert cells["all"]["n"] == 14_042
    assert round(100 * cells["all"]["retention"]["estimate"], 1) == 84.5
    assert cells["all"]["retention"]["low"] < 0.845 < cells["all"]["retention"]["high"]
    assert cells["all"]["clusters"] < 14_042


PRO = SHARED / "mmlu_pro__8models.csv.gz"
_STEM = ("math", "physics", "chemistry", "engineering", "computer science", "biology")
_MODELS = {
    "pro": "gemini-1.5-pro-002",
    "flash": "gemini-1.5-flash-002",
    "llama": "Meta-Llama-3_1-8B-Instruct",
    "qwen": "Qwen1.5-72B-Chat",
}


@pytest.mark.skipif(not PRO.exists(), reason="the recorded outcomes (shared data) are not here")
def test_a_ranking_that_does_not_survive(
    tmp_path: Path, kdeval: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Of real models: Llama 8B is shown to beat Qwen 72B on STEM, and to lose to it elsewhere."""
    table = pd.read_csv(PRO)
    stem = table["category"].isin(_STEM)
    for name, role, rows in (("stem", "benchmark", stem), ("rest", "production", ~stem)):
        table[rows].to_csv(tmp_path / f"{name}.csv", index=False)
        (tmp_path / f"{name}.yaml").write_text(
            f"name: {name}\nrole: {role}\nkind: generation\ndata: {name}.csv\n"
            'id: "{{ question_id }}"\ninput: "{{ prompt }}"\n'
        )
    models = [
        f"{{name: {name}, type: recorded, path: {PRO}, "
        f"columns: {{id: '{{{{ question_id }}}}', score: {column}__correct}}}}"
        for name, column in _MODELS.items()
    ]
    (tmp_path / "kdeval.yaml").write_text(
        f"suites: [stem.yaml, rest.yaml]\nteacher: {models[0]}\nstudents:\n"
        + "".join(f"  - {model}\n" for model in models[1:])
    )
    assert kdeval("run", "kdeval.yaml", "--out", "run").returncode == 0
    done = kdeval("report", "run", "--format", "json")
    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())
    assert "The ranking does not survive: reversed are llama and qwen." in words
    report = json.loads((tmp_path / "run" / "report" / "report.json").read_text())
    assert [found["best"] for found in report["between"]] == ["flash", "flash"]
    (transfer,) = report["transfers"]
    gaps = {gap["student"]: gap["gap"] for gap in transfer["gaps"]}
    assert gaps["flash"]["high"] < 0 < gaps["qwen"]["low"]
