"""Both wheels work from an empty directory, in a venv without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "litellm", "lm_eval", "ray")


def _run(command: list[str], cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=600,
        env={**os.environ, "PYTHONPATH": "", **environment},
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def light_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a fresh venv with both wheels and nothing that the core does not need."""
    base = tmp_path_factory.mktemp("wheels")
    for source in (ROOT, ROOT / "router"):
        _run(
            [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(base),
             str(source)],
            base,
        )  # fmt: skip
    wheels = sorted(str(file) for file in base.glob("*.whl"))
    assert len(wheels) == 2
    venv.create(base / "venv", with_pip=True)
    python = base / "venv" / "bin" / "python"
    _run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "-c", str(ROOT / "constraints.txt"), *wheels],
        base,
    )  # fmt: skip
    return python


@pytest.mark.xdist_group("packaging")
def test_the_core_needs_nothing_heavy(light_python: Path, tmp_path: Path) -> None:
    """No torch, no API client: and still every core module can be imported."""
    program = (
        "import importlib.util, pkgutil, kdeval, kdeval_router\n"
        f"print([name for name in {HEAVY!r} if importlib.util.find_spec(name)])"
    )
    assert _run([str(light_python), "-c", program], tmp_path).strip() == "[]"


@pytest.mark.xdist_group("packaging")
def test_a_recorded_run_is_gated_and_reported_without_torch(
    light_python: Path, tmp_path: Path, recorded_project: Path
) -> None:
    """run, report, gate, schema from the wheel; a missing extra has its pip line."""
    python = str(light_python)

    def kdeval(*arguments: str) -> str:
        return _run([python, "-m", "kdeval", *arguments], recorded_project)

    kdeval("run", "kdeval.yaml", "--out", "run")
    report = kdeval("report", "run")
    assert "retention" in report
    kdeval("gate", "run", "--policy", "gate.yaml")
    decision = json.loads((recorded_project / "run" / "gate" / "gate.json").read_text())
    assert decision["verdict"] == "pass"
    assert json.loads(kdeval("schema", "report"))["title"] == "kdeval report"
    config = (recorded_project / "kdeval.yaml").read_text()
    (recorded_project / "model").mkdir()
    (recorded_project / "hf.yaml").write_text(
        config.replace("type: recorded", "type: sequence_classifier", 1)
        .replace("path: predictions.csv", "path: model", 1)
        .replace("columns: {id: id, output: big}", "dtype: float32", 1)
    )
    done = subprocess.run(
        [python, "-m", "kdeval", "run", "hf.yaml"], cwd=recorded_project,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "pip install 'kdeval[hf]'" in done.stderr


def test_help_imports_nothing_heavy() -> None:
    """`kdeval --help` and `import kdeval` load no numerical library."""
    program = (
        "import sys; from kdeval.cli.main import cli\n"
        "import kdeval, kdeval.config, kdeval.records\n"
        "try: cli(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy','pandas','scipy','sklearn','torch','pyarrow','pydantic','rich','yaml'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "LOADED []" in done.stdout


def test_front_door(kdeval: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Every name in __all__ is there, and few are."""
    import kdeval as package

    assert 3 <= len(package.__all__) <= 6
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError):
        package.nothing  # noqa: B018
