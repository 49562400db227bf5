"""Runs over lm-eval tasks: their configurations, and the runs themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from kdeval.config.schema import load_config
from kdeval.workflows.evaluate import Evaluated, evaluate


def configure(folder: Path, lm_eval: Any, *, name: str = "kdeval.yaml", **more: Any) -> Path:
    """A configuration of two language models, `teacher` and `student`, in `folder`."""
    models = [
        {"name": name, "type": "causal_lm", "path": name, "dtype": "float32", "device": "cpu"}
        for name in ("teacher", "student")
    ]
    content = {
        "lm_eval": lm_eval, "latency_probe": False, "teacher": models[0], "students": models[1:],
        **more,
    }  # fmt: skip
    (folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder / name


def over_echoes(folder: Path, lm_eval: Any, **teacher: Any) -> Path:
    """The same over echo models; `teacher`: options of the first."""
    return configure(
        folder, lm_eval, teacher={"name": "teacher", "type": "echo", **teacher},
        students=[{"name": "student", "type": "echo", "seed": 3}],
    )  # fmt: skip


def run_of(file: Path, out: str = "run", **options: Any) -> Evaluated:
    """The run of that configuration, in the directory `out` beside it."""
    return evaluate(load_config(file), file.parent / out, base=file.parent, **options)
