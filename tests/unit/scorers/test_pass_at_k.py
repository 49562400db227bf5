"""pass@k as a claim about draws without replacement."""

from __future__ import annotations

from itertools import combinations

import pytest

from kdeval.errors import ConfigError
from kdeval.records import Response, Sample
from kdeval.scorers.registry import resolve_scorer, resolve_scorers

SAMPLE = Sample(
    id="1", suite="x", task="x", kind="generation", input="6 x 7", reference="42", content_hash="h"
)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("right", [0, 1, 3, 5])
def test_it_is_the_share_of_draws_with_a_right_one(k: int, right: int) -> None:
    """Enumerated over all ways to draw k of five samples."""
    texts = ("42",) * right + ("7",) * (5 - right)
    draws = list(combinations(texts, k))
    expected = sum("42" in draw for draw in draws) / len(draws)
    scorer = resolve_scorer({"type": "pass_at_k", "k": k, "scorer": "numeric"})
    score = scorer.score(SAMPLE, Response(output=texts[0], samples=texts))
    assert score.value == pytest.approx(expected)
    assert scorer.metric.name == f"pass@{k}"


def test_too_few_samples_are_missing_not_wrong() -> None:
    """One answer gives pass@1; more tries than samples give a reason."""
    one, two = resolve_scorers([{"type": "pass_at_k"}, {"type": "pass_at_k", "k": 2}])
    assert one.score(SAMPLE, Response(output="42")).value == 1
    score = two.score(SAMPLE, Response(output="42"))
    assert score.value is None
    assert score.reason == "2 tries need as many samples, there is 1"
    assert one.score(SAMPLE, Response(error="down")).value is None


def test_bad_settings_are_refused() -> None:
    """The number of tries, the scorer inside, and unknown options."""
    for spec, message in (
        ({"type": "pass_at_k", "k": 0}, "whole number"),
        ({"type": "pass_at_k", "scorer": "nmeric"}, "did you mean 'numeric'"),
        ({"type": "pass_at_k", "n": 3}, "no option 'n'"),
        ("pass_at", "did you mean 'pass_at_k'"),
    ):
        with pytest.raises(ConfigError, match=message):
            resolve_scorer(spec)
