"""Several batches in work at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from kdeval.errors import ModelError
from kdeval.models.protocols import Request
from kdeval.records import Response
from kdeval.run.executor import LocalExecutor
from kdeval.run.sliding_window import answered_as_done


def batches(count: int) -> list[list[Request]]:
    return [
        [Request(sample_id=str(i), suite="s", kind="generation", input=str(i))]
        for i in range(count)
    ]


def answers(batch: Sequence[Request]) -> list[Response]:
    return [Response(output=request.text) for request in batch]


def test_every_batch_comes_back_once_with_its_own_answer() -> None:
    """In whatever order."""
    found = list(answered_as_done(answers, batches(100), 7))
    assert sorted(int(batch[0].text) for batch, _ in found) == list(range(100))
    assert all(batch[0].text == responses[0].output for batch, responses in found)


def test_a_straggler_holds_up_nobody() -> None:
    """While the first waits, all the others are done and handed on."""
    others = threading.Event()

    def ask(batch: Sequence[Request]) -> list[Response]:
        if batch[0].text == "0":
            assert others.wait(10)
        return answers(batch)

    order = []
    for batch, _ in answered_as_done(ask, batches(20), 2):
        order.append(batch[0].text)
        if len(order) == 19:
            others.set()
    assert order[-1] == "0"
    assert len(order) == 20


def test_no_more_are_in_work_than_was_said() -> None:
    """And no more are taken from where they come."""
    lock, now, most, taken = threading.Lock(), 0, 0, 0

    def ask(batch: Sequence[Request]) -> list[Response]:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        with lock:
            now -= 1
        return answers(batch)

    def counted() -> Iterator[list[Request]]:
        nonlocal taken
        for batch in batches(50):
            taken += 1
            yield batch

    for done, _ in enumerate(answered_as_done(ask, counted(), 4)):
        assert taken <= done + 1 + 4
    assert most <= 4


def test_what_is_in_work_when_one_fails_is_handed_on() -> None:
    """It may have been paid for; then the failure is raised, and nothing new begins."""
    failing = threading.Event()
    asked, found = [], []

    def ask(batch: Sequence[Request]) -> list[Response]:
        asked.append(batch[0].text)
        if batch[0].text == "1":
            failing.set()
            raise ModelError("the key is wrong")
        assert failing.wait(10)
        return answers(batch)

    def collect() -> None:
        for batch, _ in answered_as_done(ask, batches(1000), 3):
            found.append(batch[0].text)

    with pytest.raises(ModelError, match="the key is wrong"):
        collect()
    assert {"0", "2"} <= set(found)
    assert sorted([*found, "1"]) == sorted(asked)
    assert len(asked) < 1000


def test_a_model_says_how_many_batches_it_takes_at_once() -> None:
    """`max_concurrency` of any model, one of the user's own too: called from so many threads."""

    class Waiting:
        batch_size = 1
        max_concurrency = 3
        fingerprint = "waiting"

        def __init__(self) -> None:
            self.together = threading.Barrier(3, timeout=10)

        def generate(self, requests: Sequence[Request]) -> list[Response]:
            self.together.wait()
            return answers(requests)

    found = list(LocalExecutor().answer(Waiting(), batches(9)))
    assert len(found) == 9
