"""Real recorded outcomes, where they are at hand."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

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
