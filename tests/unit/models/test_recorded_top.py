"""Lists of likeliest tokens as logs have them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from kdeval.config.schema import load_config
from kdeval.errors import DataError
from kdeval.models.recorded_top import as_top_log_probs
from kdeval.report.details import details_of
from kdeval.workflows.evaluate import evaluate


@pytest.mark.parametrize(
    "value",
    [
        {"yes": -0.1, "no": -2.5},
        '{"yes": -0.1, "no": -2.5}',
        [{"token": "yes", "logprob": -0.1, "bytes": [1]}, {"token": "no", "logprob": -2.5}],
        '[{"token": "yes", "logprob": -0.1}, {"token": "no", "logprob": -2.5}]',
        {"yes": -0.1, "no": -2.5, "maybe": None},
    ],
)
def test_every_form_is_read(value: Any) -> None:
    """A mapping or a list of objects, also as JSON text; what is null is not known."""
    assert as_top_log_probs(value, "top") == {"yes": -0.1, "no": -2.5}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("yes", "must be a JSON object or list"),
        (3, "must be a mapping"),
        ([["yes", -0.1]], "objects with token and logprob"),
        ({"yes": "high"}, "must be a number"),
        ({"yes": True}, "must be a number"),
        ({"yes": 0.4}, "above 0"),
        ({"yes": float("-inf")}, "not finite"),
        ({"yes": -0.1, "no": -0.2}, "sum to 1.724: no part of a distribution at temperature 1"),
    ],
)
def test_what_is_no_such_list_is_refused(value: Any, said: str) -> None:
    """The message gives the value and the way out."""
    with pytest.raises(DataError, match=said):
        as_top_log_probs(value, "top")


def test_a_run_over_logs_tells_the_bounds(tmp_path: Path) -> None:
    """From two logs with lists of likeliest tokens to the report's details."""
    for name, yes in (("teacher", 0.7), ("student", 0.6)):
        rows = [
            {"id": index, "output": "yes",
             "top": [{"token": "yes", "logprob": math.log(yes - index / 50)},
                     {"token": "no", "logprob": math.log(0.2)}]}
            for index in range(12)
        ]  # fmt: skip
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = [{"id": index, "text": f"question {index}", "answer": "yes"} for index in range(12)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data))
    (tmp_path / "suite.yaml").write_text(
        "name: s\nkind: generation\ndata: data.jsonl\nid: id\ninput: text\n"
        'reference: "{{ answer }}"\nscorers: [exact]\n'
    )
    model = "{{name: {0}, type: recorded, path: {0}.jsonl, columns: {{id: id, output: output, top_log_probabilities: top}}}}"  # noqa: E501
    (tmp_path / "run.yaml").write_text(
        f"suites: [suite.yaml]\nteacher: {model.format('teacher')}\n"
        f"students: [{model.format('student')}]\n"
    )
    run = evaluate(load_config(tmp_path / "run.yaml"), tmp_path / "out").run
    [suite] = details_of(run, 0.95)[0].suites
    assert suite.top_k is not None
    assert suite.top_k.n == 12
    assert suite.top_k.known == pytest.approx(0.9 - 5.5 / 50)
    assert suite.top_k.kl_low.estimate is not None
    assert suite.top_k.kl_low.estimate > 0
