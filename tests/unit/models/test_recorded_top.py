"""Lists of likeliest tokens as logs have them."""

from __future__ import annotations

from typing import Any

import pytest

from kdeval.errors import DataError
from kdeval.models.recorded_top import as_top_log_probs


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
