"""A BERT classifier taken apart: its lower layers once, its upper layers again and again."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from kdeval.errors import ModelError, UsageError
from kdeval.workflows.demo.ratings import LABELS

__all__ = ["load_classifier", "load_tokenizer", "part_of", "save_classifier"]


class _GivenStates(nn.Module):  # type: ignore[misc]
    """Stands where the embeddings were, and hands on states that are already computed."""

    def forward(
        self, input_ids: Any = None, inputs_embeds: torch.Tensor | None = None, **_: Any
    ) -> torch.Tensor:
        """`inputs_embeds` as they are."""
        if inputs_embeds is None:
            raise ValueError("this part of a model takes inputs_embeds, not input_ids")
        return inputs_embeds


def load_classifier(folder: Path) -> Any:
    """The BERT encoder or classifier in `folder` as a two-class classifier, in float32.

    A classification head that the folder does not have is drawn from torch's global generator.

    Raises:
        UsageError: it is no BERT model of at least two layers.
        ModelError: it cannot be loaded.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} holds no transformers model: {_first_line(error)}") from error
    if config.model_type != "bert" or config.num_hidden_layers < 2:
        raise UsageError(
            f"{folder} holds a {config.model_type!r} model of "
            f"{getattr(config, 'num_hidden_layers', 'unknown')} layers; the demonstration cuts a "
            "BERT encoder of two or more, such as all-MiniLM-L6-v2"
        )
    config.num_labels = len(LABELS)
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {label: index for index, label in enumerate(LABELS)}
    with _quiet():
        try:
            return transformers.BertForSequenceClassification.from_pretrained(
                folder, config=config, dtype=torch.float32
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(f"{folder} cannot be loaded: {_first_line(error)}") from error


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in `folder`.

    Raises:
        ModelError: it cannot be loaded.
    """
    try:
        return transformers.AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} has no usable tokenizer: {_first_line(error)}") from error


def part_of(model: Any, layers: Sequence[int], *, from_states: bool = False) -> Any:
    """A classifier made of some layers of `model`, whose weights it shares.

    Args:
        model: a BERT classifier.
        layers: indices of the layers it keeps, in order.
        from_states: leave out the embeddings: the part is given the states that its first layer
            takes, as `inputs_embeds`.
    """
    config = copy.deepcopy(model.config)
    config.num_hidden_layers = len(layers)
    with torch.device("meta"):
        part = type(model)(config)
    part.bert.embeddings = _GivenStates() if from_states else model.bert.embeddings
    part.bert.encoder.layer = nn.ModuleList([model.bert.encoder.layer[i] for i in layers])
    part.bert.pooler = model.bert.pooler
    part.classifier = model.classifier
    return part.train(model.training)


def save_classifier(model: Any, tokenizer: Any, folder: Path) -> None:
    """`folder` as `AutoModelForSequenceClassification` and `AutoTokenizer` load it."""
    with _quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own progress bars and its report of a new head."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
