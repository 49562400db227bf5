"""Reading VADER's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdeval.errors import DataError, UsageError
from kdeval.workflows.demo.ratings import RATING_FILES, read_ratings


def test_rows_have_domain_document_and_label(ratings: Path) -> None:
    """An id prefix is the document where there is one, and the sign of the rating the label."""
    texts = {text.id: text for text in read_ratings(ratings)}
    assert len(texts) == 360
    sentence = texts["nyt-2_1"]
    assert (sentence.domain, sentence.document, sentence.label) == ("nyt", "nyt-2", "negative")
    assert texts["tweets-7"].document == "tweets-7"
    assert texts["movie-0"].label == "positive"
    assert texts["movie-2"].label is None
    assert not any(text.text.endswith("\r") for text in texts.values())


@pytest.mark.parametrize(
    ("rating", "label"),
    [(0.5, "positive"), (-0.5, "negative"), (0.49, None), (-0.49, None), (0.0, None)],
)
def test_the_middle_has_no_label(ratings: Path, rating: float, label: str | None) -> None:
    """The limit itself is clear."""
    (ratings / RATING_FILES["movie"]).write_text(f"1\t{rating}\tsome film\n")
    assert read_ratings(ratings)[0].label == label


def test_repeated_texts_are_kept_once(ratings: Path) -> None:
    """Also across domains, and with other case or white space."""
    (ratings / RATING_FILES["movie"]).write_text("1\t2\tGood  Film\n2\t2\tgood film\n")
    (ratings / RATING_FILES["tweets"]).write_text("1\t2\tgood film \n2\t2\tanother\n")
    found = [text.id for text in read_ratings(ratings) if text.domain in ("movie", "tweets")]
    assert found == ["movie-1", "tweets-2"]


@pytest.mark.parametrize(
    "line",
    [
        "1\tgood film",
        "1\tmuch\tgood film",
        "1\tnan\tgood film",
        "\t2\tgood",
        "1\t2\t ",
        "1\t2\ta\tb",
    ],
)
def test_a_bad_line_is_named(ratings: Path, line: str) -> None:
    """With file and line number."""
    (ratings / RATING_FILES["nyt"]).write_text(f"1_1\t2\tfine\n{line}\n")
    with pytest.raises(DataError, match=r"nytEditorial.*line 2: expected id TAB rating TAB text"):
        read_ratings(ratings)


def test_a_missing_file_is_named(ratings: Path) -> None:
    """With the option that gave the directory."""
    (ratings / RATING_FILES["tweets"]).unlink()
    with pytest.raises(UsageError, match=r"tweets_GroundTruth.*--data-dir"):
        read_ratings(ratings)


def test_other_encodings_are_refused(ratings: Path) -> None:
    """Rather than read as garbage."""
    (ratings / RATING_FILES["movie"]).write_bytes("1\t2\tdéjà vu\n".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        read_ratings(ratings)
