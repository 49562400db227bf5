"""A stage is reused when it is whole and of the same inputs, and never otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdeval.errors import UsageError
from kdeval.workflows.demo.stages import Stages


class _Maker:
    def __init__(self, content: str = "weights") -> None:
        self.calls = 0
        self.content = content

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        (folder / "model").write_text(self.content)


def test_a_finished_stage_is_reused(tmp_path: Path) -> None:
    """Also by a later process, which is another object here."""
    make = _Maker()
    place = Stages(tmp_path / "out").complete("models/a", {"seed": 0}, make)
    assert place == tmp_path / "out" / "models" / "a"
    assert Stages(tmp_path / "out").complete("models/a", {"seed": 0}, make) == place
    assert make.calls == 1


@pytest.mark.parametrize("change", ["inputs", "edited", "added", "deleted", "stamp"])
def test_it_is_made_again_when_anything_differs(tmp_path: Path, change: str) -> None:
    """Other inputs, files that were touched, or a stamp that cannot be read."""
    make = _Maker()
    place = Stages(tmp_path).complete("a", {"seed": 0}, make)
    if change == "edited":
        (place / "model").write_text("other")
    elif change == "added":
        (place / "more").write_text("")
    elif change == "deleted":
        (place / "model").unlink()
    elif change == "stamp":
        (tmp_path / ".stages" / "a.json").write_text("{")
    Stages(tmp_path).complete("a", {"seed": int(change == "inputs")}, make)
    assert make.calls == 2
    assert [file.name for file in place.iterdir()] == ["model"]
    assert (place / "model").read_text() == "weights"


def test_a_stage_that_fails_leaves_the_former_one(tmp_path: Path) -> None:
    """And nothing half made."""

    def fail(folder: Path) -> None:
        (folder / "model").write_text("half")
        raise KeyboardInterrupt

    stages = Stages(tmp_path)
    place = stages.complete("a", {"seed": 0}, _Maker())
    with pytest.raises(KeyboardInterrupt):
        stages.complete("a", {"seed": 1}, fail)
    assert (place / "model").read_text() == "weights"
    assert stages.fresh("a", {"seed": 0})
    assert not list(tmp_path.rglob("*.partial"))


def test_killed_between_move_and_stamp_it_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former stamp does not vouch for the new files."""

    def killed(*_: object) -> None:
        raise SystemExit(9)

    stages = Stages(tmp_path)
    stages.complete("a", {"seed": 0}, _Maker("old"))
    monkeypatch.setattr(Stages, "_write_stamp", killed)
    with pytest.raises(SystemExit):
        stages.complete("a", {"seed": 1}, _Maker("new"))
    assert not stages.fresh("a", {"seed": 0})
    assert not stages.fresh("a", {"seed": 1})


def test_what_a_kill_left_is_cleared(tmp_path: Path) -> None:
    """At the next start."""
    (tmp_path / ".stages" / "x.partial" / "made").mkdir(parents=True)
    Stages(tmp_path)
    assert not list(tmp_path.rglob("*.partial"))


def test_a_directory_of_somebody_elses_is_refused(tmp_path: Path) -> None:
    """Nothing of the user's is written over."""
    (tmp_path / "kdeval.yaml").write_text("mine")
    with pytest.raises(UsageError, match="not an earlier output"):
        Stages(tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        Stages(tmp_path / "kdeval.yaml")
