"""A failure of one request is a record; a broken protocol is an error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from kdeval.errors import ModelError
from kdeval.models.protocols import Request
from kdeval.records import Response, Timing
from kdeval.run.executor import LocalExecutor, ask


@dataclass
class Scripted:
    """Answers by a function of the request; counts what it is asked."""

    answer: Any
    fingerprint: str = "scripted"
    asked: list[str] = field(default_factory=list)

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        self.asked += [request.sample_id for request in requests]
        return [self.answer(request) for request in requests]


def _requests(n: int = 4) -> list[Request]:
    return [
        Request(sample_id=str(i), suite="x", kind="classification", input=f"t{i}", labels=("a",))
        for i in range(n)
    ]


def _poisoned(request: Request) -> Response:
    if request.sample_id == "2":
        raise TimeoutError("no answer\nwithin 30 s")
    return Response(output="a")


def test_one_bad_request_does_not_take_its_batch() -> None:
    """The others are answered; the bad one is a recorded error in one line."""
    responses = ask(Scripted(_poisoned), _requests())
    assert [response.output for response in responses] == ["a", "a", None, "a"]
    assert responses[2].error == "TimeoutError: no answer within 30 s"


def test_errors_returned_are_kept() -> None:
    """A model may say itself that one request failed."""
    response = ask(Scripted(lambda _: Response(error="429")), _requests(1))[0]
    assert response.error == "429"


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (Response(), "needs an output"),
        (Response(output="a", confidence=1.2), "outside"),
        (Response(output="a", reasoning_tokens="3"), "reasoning_tokens must be a number"),
        (Response(output="a", mean_log_prob=math.nan), "mean_log_prob is nan; leave it None"),
        (Response(output="a", cost_usd=1e308), "cost_usd is 1e.308, which is beyond"),
        (Response(output="a", truncated="no"), "truncated must be True or False"),
        (Response(output="a", samples="ab"), "samples must be a tuple of str"),
        (Response(output="a", timing=0.5), "timing must be a Timing, got float 0.5"),
        (Response(output="a", timing=Timing(origin="cpu")), "give one of wall, batch, recorded"),
        (Response(output="a", timing=Timing(origin="wall", total_s=-1)), "timing.total_s is -1"),
        (Response(output="a", confidence=float("nan")), "confidence is nan"),
        (Response(output="a", log_probs={"a": 0.5}), "above 0"),
        (Response(output="a", log_probs={"a": -3.0, "b": -3.0}), "sum to"),
        ("a", "not a Response"),
    ],
)
def test_a_broken_protocol_is_a_clear_error(response: object, words: str) -> None:
    """It is the model's code that must be mended, so nothing is recorded."""
    with pytest.raises(ModelError, match=words):
        ask(Scripted(lambda _: response), _requests(1))


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (Response(output="0"), "each of the 2 continuations"),
        (Response(output="0", log_probs={"0": -1.0}), "each of the 2 continuations"),
        (Response(output="0", log_probs={"0": -9.0, "1": -9.0}, greedy=(True,)), "greedy must"),
        (Response(output="0", log_probs={"0": -9.0, "1": -9.0}), None),
    ],
)
def test_every_continuation_has_its_log_likelihood(response: Response, words: str | None) -> None:
    """They need not sum to one, but none may be missing."""

    class Scorer(Scripted):
        def log_likelihoods(self, requests: Sequence[Request]) -> list[Response]:
            return [response for _ in requests]

    asked = [Request(sample_id="1", suite="x", kind="loglikelihood", input="t", choices=("a", "b"))]
    if words is None:
        assert ask(Scorer(None), asked) == [response]
        return
    with pytest.raises(ModelError, match=words):
        ask(Scorer(None), asked)


def test_a_wrong_count_is_a_clear_error() -> None:
    """Answers cannot be matched to requests then."""

    class Short(Scripted):
        def classify(self, requests: Sequence[Request]) -> list[Response]:
            return [Response(output="a")]

    with pytest.raises(ModelError, match="1 responses to 4 requests"):
        ask(Short(None), _requests())


def test_the_local_executor_keeps_order() -> None:
    """Batch by batch, as they come."""
    model = Scripted(lambda _: Response(output="a"))
    batches = [_requests()[:2], _requests()[2:]]
    assert [len(r) for _, r in LocalExecutor().answer(model, batches)] == [2, 2]
    assert model.asked == ["0", "1", "2", "3"]
