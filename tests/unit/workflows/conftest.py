"""Rated texts and tiny archives in the shape of the real ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from kdeval.workflows.demo.ratings import RATING_FILES
from kdeval.workflows.demo.splits import SplitSizes

GOOD = ("splendid", "lovely", "great", "happy")
BAD = ("awful", "dreadful", "poor", "sad")
FILLER = ("film", "phone", "day", "paper", "story", "game")


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """A directory with the four files: 90 texts a domain, a third of them unclear."""
    folder = tmp_path / "ratings"
    folder.mkdir()
    rng = random.Random(0)
    for domain, name in RATING_FILES.items():
        lines = []
        for index in range(90):
            rating = (2.0, -2.0, 0.1)[index % 3]
            word = rng.choice(GOOD if rating > 1 else BAD if rating < -1 else FILLER)
            document = f"{index // 6}_{index % 6}" if domain in ("amazon", "nyt") else f"{index}"
            lines.append(f"{document}\t{rating}\tthe {word} {rng.choice(FILLER)} {domain} {index}")
        (folder / name).write_bytes(("\r\n".join(lines) + "\r\n").encode())
    return folder


@pytest.fixture
def sizes() -> SplitSizes:
    """Splits that fit those files."""
    return SplitSizes(heldout=10, evaluation=12, labelled=12, fresh=8, tweets=15)
