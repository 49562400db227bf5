from __future__ import annotations

from pathlib import Path

import pytest

from kdeval.errors import UsageError
from kdeval.report.output_file import write_whole


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    """Its directory is made, and nothing lies beside it."""
    file = tmp_path / "deep" / "report.md"
    write_whole(file, "ä")
    assert file.read_bytes() == "ä".encode()
    assert list(file.parent.iterdir()) == [file]


def test_what_cannot_be_written_is_said_in_a_line(tmp_path: Path) -> None:
    """A directory of that name, a file for a directory: no partial file is left."""
    (tmp_path / "report.md").mkdir()
    with pytest.raises(UsageError, match=r"cannot write .*report.md: Is a directory; give another"):
        write_whole(tmp_path / "report.md", "")
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="give another --json"):
        write_whole(tmp_path / "file" / "report.md", "", "--json")
