"""Samples on disk are the samples themselves, and take next to no memory."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest

from kdeval.records import Corpus, Image, Message, Sample, ToolCall
from kdeval.suites.spool import SpooledSamples, spooled

PLAIN = Sample(
    id="0", suite="s", task="s", kind="classification", input="good", content_hash="c",
    labels=("a", "b"), reference="a",
)  # fmt: skip
CORPUS = Corpus(sha256="d", ids=("x", "y"), texts=("eks", "why"), known=frozenset("xy"))


def many(n: int) -> Iterator[Sample]:
    for index in range(n):
        yield replace(PLAIN, id=str(index), input=f"sample {index} " + "x" * 40)


EVERY_SORT = (
    PLAIN,
    replace(PLAIN, id="\u00e9\U0001f600\0", input="half \ud83d", slices={"a": "b"}, cluster="k"),
    replace(PLAIN, input=(Message(role="user", content="?"),), stop=("\n",), max_new_tokens=3),
    replace(
        PLAIN,
        input=(
            Message(role="assistant", content="", tool_calls=(ToolCall(name="f", arguments={}),)),
        ),
        tools=('{"type": "function"}',),
        response_schema="{}",
    ),
    replace(PLAIN, kind="retrieval", labels=None, reference={"x": 2.0}, corpus=CORPUS),
    replace(PLAIN, image=Image(sha256="e", data=bytes(range(256))), reference=[1, None, True]),
    replace(PLAIN, labels=None, kind="multiple_choice", choices=("p", "q"), reference=1),
)


def test_every_sort_of_sample_comes_back() -> None:
    """Chats, tools, images as bytes, a corpus, JSON references and text that has no UTF-8."""
    found = SpooledSamples(EVERY_SORT)
    assert tuple(found) == EVERY_SORT
    assert found[4].corpus is CORPUS
    assert found[-1] == EVERY_SORT[-1]


@pytest.mark.parametrize("part", [slice(None), slice(2, 5), slice(5, 2), slice(-3, None),
                                  slice(0, 999), slice(None, None, -2)])  # fmt: skip
def test_slices_are_those_of_a_tuple(part: slice) -> None:
    """Whatever the bounds and the step."""
    assert SpooledSamples(EVERY_SORT)[part] == EVERY_SORT[part]


def test_no_place_beyond_the_end() -> None:
    """An index that is out of range is an IndexError, as anywhere."""
    found = SpooledSamples(EVERY_SORT)
    for place in (len(EVERY_SORT), -len(EVERY_SORT) - 1):
        with pytest.raises(IndexError):
            found[place]


def test_two_readers_at_a_time() -> None:
    """Going through them twice at once, with single looks between, gives each its own."""
    found = SpooledSamples(many(700))
    for index, (one, other) in enumerate(zip(found, found, strict=True)):
        assert one.id == other.id == found[index].id == str(index)


def test_a_copy_for_another_process() -> None:
    """Pickled, they are the same samples."""
    assert tuple(pickle.loads(pickle.dumps(SpooledSamples(EVERY_SORT)))) == EVERY_SORT


def test_more_offers_than_are_kept() -> None:
    """Tools and schemas of their own for each of thousands of samples come back."""
    wanted = [replace(PLAIN, response_schema=f'{{"n": {index}}}') for index in range(1_500)]
    assert list(SpooledSamples(wanted)) == wanted


def test_few_stay_in_memory() -> None:
    """A small suite is a tuple; what is on disk already stays as it is."""
    assert spooled(EVERY_SORT) is EVERY_SORT
    assert spooled(iter(EVERY_SORT), in_memory=7) == EVERY_SORT
    found = spooled(many(8), in_memory=7)
    assert isinstance(found, SpooledSamples)
    assert spooled(found) is found
    assert len(found) == 8


def test_memory_of_a_further_sample() -> None:
    """A sample more takes under 16 bytes, while they are written and while they are read."""
    assert _peak(12_000) - _peak(4_000) < 16 * 8_000


def _peak(n: int) -> int:
    tracemalloc.start()
    for _ in SpooledSamples(many(n)):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
