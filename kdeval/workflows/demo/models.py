"""The four models of the demonstration, each a stage; needs torch and transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from kdeval.store.fingerprints import files_digest, value_digest
from kdeval.workflows.demo.ratings import RatedText
from kdeval.workflows.demo.splits import DemoSplits
from kdeval.workflows.demo.stages import Stages, directory_digest
from kdeval.workflows.demo.static_training import distil_static
from kdeval.workflows.demo.students import distil_two_layers, soft_labels
from kdeval.workflows.demo.teacher import train_teacher

__all__ = ["make_models"]

Progress = Callable[[str, int, int], None]

_VERSION = 1
"""Counted up when training changes, so that older models are made again."""

_ENCODER_FILES = (".bin", ".json", ".safetensors", ".txt")


def make_models(
    stages: Stages, encoder: Path, splits: DemoSplits, *, seed: int, progress: Progress
) -> None:
    """models/teacher, two_layer, two_layer_tweets and static, where they are not fresh.

    Args:
        stages: of the output directory.
        encoder: directory of the sentence encoder that becomes the teacher.
        splits: who may see which text.
        seed: of everything random.
        progress: called with (stage, done, total).
    """
    files = [file for file in encoder.iterdir() if file.suffix in _ENCODER_FILES]
    inputs = {
        "version": _VERSION,
        "seed": seed,
        "encoder": files_digest(files, encoder),
        "texts": _digest(splits.labelled),
    }
    teacher = stages.complete(
        "models/teacher",
        inputs,
        lambda out: train_teacher(
            encoder,
            splits.labelled,
            out,
            seed=seed,
            progress=partial(progress, "Training the teacher"),
        ),
    )
    _Students(stages, teacher, splits, seed, progress).make()


class _Students:
    """The students of one teacher; its soft labels are computed once, and only when needed."""

    def __init__(
        self, stages: Stages, teacher: Path, splits: DemoSplits, seed: int, progress: Progress
    ) -> None:
        self._stages = stages
        self._teacher = teacher
        self._splits = splits
        self._seed = seed
        self._progress = progress
        self._logits: torch.Tensor | None = None

    def make(self) -> None:
        """Makes those that are not fresh."""
        familiar = self._splits.distillation
        mended = (*familiar, *self._splits.tweets)
        teacher = directory_digest(self._teacher)
        for name, texts, distil in (
            ("two_layer", familiar, distil_two_layers),
            ("two_layer_tweets", mended, distil_two_layers),
            ("static", familiar, distil_static),
        ):
            inputs = {
                "version": _VERSION,
                "seed": self._seed,
                "teacher": teacher,
                "texts": _digest(texts),
            }
            self._stages.complete(
                f"models/{name}", inputs, partial(self._distil, name, texts, distil)
            )

    def _distil(
        self,
        name: str,
        texts: Sequence[RatedText],
        distil: Callable[..., None],
        out: Path,
    ) -> None:
        distil(
            self._teacher,
            [text.text for text in texts],
            self._soft_labels()[: len(texts)],
            out,
            seed=self._seed,
            progress=partial(self._progress, f"Distilling {name}"),
        )

    def _soft_labels(self) -> torch.Tensor:
        """Of the familiar texts, then of the tweets."""
        if self._logits is None:
            texts = [*self._splits.distillation, *self._splits.tweets]
            self._logits = soft_labels(
                self._teacher,
                [text.text for text in texts],
                partial(self._progress, "Asking the teacher"),
            )
        return self._logits


def _digest(texts: Sequence[RatedText]) -> str:
    return value_digest([[text.id, text.text, text.label] for text in texts])
