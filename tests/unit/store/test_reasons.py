"""Reasons of failures are told in few lines that add up."""

from __future__ import annotations

from kdeval.store.reasons import alike, reason_lines


def test_reasons_that_differ_in_a_number_are_one() -> None:
    """As prompts that are too long have it; the count is that of all of them."""
    reasons = {f"{570 + n:,} tokens, and the model takes 512": 1 + (n == 4) for n in range(8)}
    assert reason_lines({"timed out after 2.5 s": 1, **reasons}) == [
        "9 x such as 574 tokens, and the model takes 512",
        "1 x timed out after 2.5 s",
    ]


def test_few_reasons_are_told_as_they_are() -> None:
    """Two numbers may mean two things, as of a server's status."""
    assert reason_lines({"status 500": 1, "status 429": 4}) == ["4 x status 429", "1 x status 500"]
    assert reason_lines({}) == []


def test_what_is_not_shown_is_told_by_its_number() -> None:
    reasons = {"one": 1_200, "two": 3, "three": 2, "four": 2, "five": 1}
    assert reason_lines(reasons) == [
        "1,200 x one", "3 x two", "2 x three", "and 3 more for other reasons",
    ]  # fmt: skip


def test_what_was_put_together_can_be_put_together_again() -> None:
    """Counts of a report are made of those of its tables, which are grouped already."""
    once = alike({f"took {n} s": 1 for n in range(5)}, most=3)
    assert once == {"such as took 0 s": 5}
    again = alike({**once, "took 9 s": 2, "a": 1, "b": 1, "c": 1}, most=3)
    assert again == {"such as took 0 s": 7, "a": 1, "b": 1, "c": 1}
