"""Series in a configuration: right, or refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdeval.config.schema import load_config
from kdeval.errors import ConfigError

_CONFIG = """\
suites: [suite.yaml]
teacher: {{name: t, type: echo}}
students:
  - {{name: a, type: echo, seed: 1}}
  - {{name: b, type: echo, seed: 2}}
series:
  - {{name: s, {series}}}
"""


def _load(tmp_path: Path, series: str):
    (tmp_path / "suite.yaml").write_text("name: x\n")
    file = tmp_path / "kdeval.yaml"
    file.write_text(_CONFIG.format(series=series))
    return load_config(file)


@pytest.mark.parametrize(
    "series",
    [
        "kind: checkpoints, members: [a, b], steps: [100, 200]",
        "kind: chain, members: [t, a, b]",
        "kind: ladder, members: [t, a, b]",
        "kind: ladder, members: [b, a]",
        "kind: labels, members: [a, b]",
    ],
)
def test_good_series(tmp_path: Path, series: str) -> None:
    assert _load(tmp_path, series).series[0].name == "s"


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ("kind: checkpoints, members: [a, c]", "there is no model 'c'"),
        ("kind: checkpoints, members: [a, a]", "'a' is listed twice"),
        ("kind: checkpoints, members: [a]", "needs at least 2 members"),
        ("kind: checkpoints, members: [t, a]", "the teacher 't' is no member"),
        ("kind: checkpoints, members: [a, b], steps: [1]", "2 members and 1 steps"),
        ("kind: checkpoints, members: [a, b], steps: [2, 1]", "steps must rise"),
        ("kind: ladder, members: [a, b], steps: [1, 2]", "steps belong to kind: checkpoints"),
        ("kind: ladder, members: [a, t]", "the teacher 't' may only come first"),
        ("kind: chain, members: [a, b, t]", "a chain starts with the teacher: 't'"),
        ("kind: chain, members: [t, a]", "needs at least 3 members"),
        ("kind: labels, members: [t, a]", "the teacher 't' is no member"),
        ("kind: epochs, members: [a, b]", "kind"),
    ],
)
def test_bad_series(tmp_path: Path, series: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        _load(tmp_path, series)
    assert "kdeval.yaml:" in str(caught.value)
