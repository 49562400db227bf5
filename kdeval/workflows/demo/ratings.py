"""VADER's GroundTruth files: short texts of four domains with mean human ratings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kdeval.errors import DataError, UsageError

__all__ = ["DOMAINS", "LABELS", "RATING_FILES", "Domain", "RatedText", "read_ratings"]

Domain = Literal["movie", "amazon", "tweets", "nyt"]

LABELS = ("negative", "positive")
RATING_FILES: dict[Domain, str] = {
    "movie": "movieReviewSnippets_GroundTruth.txt",
    "amazon": "amazonReviewSnippets_GroundTruth.txt",
    "tweets": "tweets_GroundTruth.txt",
    "nyt": "nytEditorialSnippets_GroundTruth.txt",
}
DOMAINS: tuple[Domain, ...] = tuple(RATING_FILES)

_CLEAR_RATING = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedText:
    """One text with the mean of its human ratings, from -4 (negative) to 4 (positive).

    Attributes:
        id: unique over all domains.
        document: the review or editorial it is a sentence of; movie snippets and tweets are
            documents of their own.
    """

    id: str
    domain: Domain
    document: str
    text: str
    rating: float

    @property
    def label(self) -> str | None:
        """The side the raters are on; None when they are near the middle."""
        if abs(self.rating) < _CLEAR_RATING:
            return None
        return LABELS[self.rating > 0]


def read_ratings(folder: Path) -> list[RatedText]:
    """The texts of all domains in file order; of texts that are repeated, the first.

    Raises:
        UsageError: a file is missing.
        DataError: a line is not an id, a rating and a text, with file and line.
    """
    missing = [name for name in RATING_FILES.values() if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"{folder} has no {missing[0]}: --data-dir needs VADER's four files "
            f"{', '.join(RATING_FILES.values())}"
        )
    seen: set[str] = set()
    texts = []
    for domain, name in RATING_FILES.items():
        for row in _read_file(folder / name, domain):
            key = " ".join(row.text.casefold().split())
            if key not in seen:
                seen.add(key)
                texts.append(row)
    return texts


def _read_file(file: Path, domain: Domain) -> list[RatedText]:
    try:
        lines = file.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read as UTF-8 text: {error}") from error
    return [
        _parse(line.rstrip("\r"), domain, f"{file}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _parse(line: str, domain: Domain, place: str) -> RatedText:
    fields = line.split("\t")
    try:
        key, rating, text = fields[0].strip(), float(fields[1]), fields[2].strip()
    except (IndexError, ValueError):
        raise DataError(f"{place}: expected id TAB rating TAB text, found {line[:60]!r}") from None
    if len(fields) != 3 or not key or not text or not math.isfinite(rating):
        raise DataError(f"{place}: expected id TAB rating TAB text, found {line[:60]!r}")
    return RatedText(
        id=f"{domain}-{key}",
        domain=domain,
        document=f"{domain}-{key.partition('_')[0]}",
        text=text,
        rating=rating,
    )
