from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kdeval.report.html.differences import Run, marked

WORDS = st.lists(st.sampled_from(["refund", "before", "friday", "<b>", "no", ","]), max_size=12)
TEXTS = WORDS.map(" ".join)


@given(TEXTS, TEXTS)
def test_the_runs_hold_both_texts(text: str, against: str) -> None:
    """Without what is missing they are the text; without what is extra, the other text."""
    runs = marked(text, against)
    assert "".join(run.text for run in runs if run.kind != "missing") == text
    if any(run.kind == "same" for run in runs):
        assert "".join(run.text for run in runs if run.kind != "extra") in (against, text)


def test_what_differs_is_marked() -> None:
    """Word by word, in reading order."""
    assert marked("a big refund", "a small refund") == (
        Run(text="a ", kind="same"),
        Run(text="small", kind="missing"),
        Run(text="big", kind="extra"),
        Run(text=" refund", kind="same"),
    )


def test_texts_with_little_in_common_stay_whole() -> None:
    """All of the text is extra; nothing is mixed into it."""
    assert marked("billing", "delivery") == (Run(text="billing", kind="extra"),)
    assert marked("billing", None) == (Run(text="billing", kind="same"),)


def test_long_texts_are_compared_at_their_start() -> None:
    """Beyond it they are shown unmarked, whole."""
    text = "word " * 5_000
    runs = marked(text, "word " * 5_000 + "end")
    assert "".join(run.text for run in runs if run.kind != "missing") == text
