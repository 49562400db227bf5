"""Units of work for workers that may die."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from kdeval.models.protocols import Request
from kdeval.run.units import UnitQueue


def _batches(count: int, size: int) -> Iterator[list[Request]]:
    for start in range(0, count * size, size):
        yield [
            Request(sample_id=str(index), suite="s", kind="generation", input=f"text {index}")
            for index in range(start, start + size)
        ]


def _worked_off(queue: UnitQueue, deadly: Collection[str]) -> tuple[list[str], list[str], int]:
    """Sample ids that are answered, those that kill, and how many workers died."""
    answered: list[str] = []
    found: list[str] = []
    deaths = 0
    while (unit := queue.take()) is not None:
        if any(request.sample_id in deadly for request in unit.requests):
            deaths += 1
            culprit = queue.blame(unit)
            found += [] if culprit is None else [culprit.sample_id]
        else:
            answered += [request.sample_id for request in unit.requests]
    return answered, found, deaths


def test_one_deadly_request_is_found_and_all_others_are_answered_once() -> None:
    """Whatever its place: nothing is lost, nothing answered twice, few workers are spent."""
    for deadly in ("0", "63", "64", "127"):
        answered, found, deaths = _worked_off(UnitQueue(_batches(2, 64)), {deadly})
        assert found == [deadly]
        assert sorted(answered, key=int) == [str(i) for i in range(128) if str(i) != deadly]
        assert deaths == 4


def test_several_deadly_requests_are_found_each() -> None:
    """In one batch or in different ones."""
    deadly = {"3", "4", "40"}
    answered, found, _ = _worked_off(UnitQueue(_batches(3, 16)), deadly)
    assert set(found) == deadly
    assert len(answered) == len(set(answered)) == 45


def test_a_worker_that_dies_once_is_forgiven() -> None:
    """The unit comes again as it was, before all others, and what was not begun behind it."""
    queue = UnitQueue(_batches(4, 4))
    first, second = queue.take(), queue.take()
    assert first is not None
    assert second is not None
    queue.put_back([second])
    assert queue.blame(first) is None
    order = [queue.take() for _ in range(3)]
    assert [unit.requests[0].sample_id for unit in order if unit is not None] == ["0", "4", "8"]
    assert order[0] is not None
    assert order[0].requests == first.requests


def test_units_stay_small_while_it_may_be_memory_and_are_whole_again_after() -> None:
    """Parts that are answered say that the whole was too large; a request that kills says not."""
    queue = UnitQueue(_batches(3, 16))
    for _ in range(2):
        unit = queue.take()
        assert unit is not None
        assert queue.blame(unit) is None
    sizes = []
    while (unit := queue.take()) is not None:
        sizes.append(len(unit.requests))
    assert sizes == [2] * 24
    queue = UnitQueue(_batches(3, 16))
    taken = [queue.take()]
    while taken[-1] is not None and any(r.sample_id == "0" for r in taken[-1].requests):
        queue.blame(taken[-1])
        taken.append(queue.take())
    largest = 0
    while (unit := queue.take()) is not None:
        largest = max(largest, len(unit.requests))
    assert largest == 16


def test_no_more_is_read_than_is_needed() -> None:
    """Batches of a large suite are not all in memory."""
    read = 0

    def batches() -> Iterator[list[Request]]:
        nonlocal read
        for batch in _batches(1000, 2):
            read += 1
            yield batch

    queue = UnitQueue(batches())
    assert queue.ahead(3) == 3
    assert read == 3
    for _ in range(10):
        queue.take()
    assert read == 10
