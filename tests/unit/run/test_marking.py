"""Whether a suite's scorers have what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdeval.errors import ConfigError
from kdeval.models.echo import EchoModel
from kdeval.run.marking import require_scores
from kdeval.suites.read import load_suite


@pytest.mark.parametrize(
    ("more", "said", "unsaid"),
    [
        ("", "the suite has no reference", "other scorers"),
        ("reference: '{{ a }}'\nscorers: [score]\n", "`score` counts the scores", "no reference"),
    ],
)
def test_a_model_without_recorded_scores_is_told_why_they_count(
    tmp_path: Path, more: str, said: str, unsaid: str
) -> None:
    """A suite that has a reference is not said to have none."""
    (tmp_path / "data.jsonl").write_text('{"id": "1", "q": "x", "a": "y"}\n')
    file = tmp_path / "suite.yaml"
    file.write_text(
        "name: s\nkind: generation\ndata: data.jsonl\nid: id\ninput: '{{ q }}'\n" + more
    )
    with pytest.raises(ConfigError) as caught:
        require_scores(load_suite(file), {"small": EchoModel()})
    assert said in str(caught.value)
    assert unsaid not in str(caught.value)
    assert "small brings none" in str(caught.value)
