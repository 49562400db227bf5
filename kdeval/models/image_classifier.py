"""A transformers image classifier as a `Classifier`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import PIL.Image
import torch
import transformers

from kdeval.config.transformers_models import ImageClassifierConfig
from kdeval.errors import ModelError
from kdeval.models.hidden.adapter import OpenNetwork
from kdeval.models.hidden.network import Network, Reading, body_of, pixels_reading
from kdeval.models.label_logits import columns_of, label_names, label_response
from kdeval.models.loading import loading
from kdeval.models.model_directory import ModelDirectory
from kdeval.models.protocols import Request
from kdeval.models.torch_hardware import (
    HalvingBatches,
    PeakMemory,
    choose_device,
    choose_dtype,
    release_memory,
)
from kdeval.records import Image, Response
from kdeval.store.fingerprints import value_digest

__all__ = ["ImageClassifier"]


class ImageClassifier(OpenNetwork):
    """Softmax probabilities of a classifier that `AutoModelForImageClassification` loads.

    Images are made RGB and prepared by the model's own image processor. Weights are read when the
    first request comes. Where memory does not suffice, the batch is halved and stays so. An image
    that cannot be read fails alone.
    """

    def __init__(self, config: ImageClassifierConfig) -> None:
        self._config = config
        self._directory = ModelDirectory.checked(
            config.path,
            name=config.name,
            needs=["config.json", "preprocessor_config.json"],
            settings=(".json",),
            give="a directory where save_pretrained() of model and image processor wrote",
        )
        self.batch_size = config.batch_size
        self.device = choose_device(config.device, name=config.name)
        self.dtype = choose_dtype(config.dtype, self.device, self._directory.stored_dtype)
        self.bytes_on_disk = self._directory.bytes_on_disk
        self._batches = HalvingBatches(config.batch_size, self.device)
        self._memory = PeakMemory(self.device)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of weights, configuration, image processor, dtype and label mapping."""
        digest = self._directory.digest
        return value_digest(["image_classifier", 1, self.dtype, self._config.labels, digest])

    @property
    def parameters(self) -> int | None:
        """Number of weights by the files' headers; without such, once the model is loaded."""
        found = self._directory.parameters
        if found is None and "_model" in self.__dict__:
            found = sum(weight.numel() for weight in self._model.parameters())
        return found

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most memory that weights and work took; None until then, and where unknown."""
        return self._memory.bytes

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        """One response each: the likeliest label and the log-probability of every label.

        Labels of the model that the suite does not have are left out and the rest renormalised.
        """
        model, processor = self._model, self._processor
        names = label_names(model.config.id2label, self._config.labels)
        columns = [columns_of(self._config.name, request.labels, names) for request in requests]
        pixels = [self._pixels(request, processor) for request in requests]
        order = [index for index, found in enumerate(pixels) if isinstance(found, torch.Tensor)]
        with self._memory.watch():
            logits = dict(self._batches.run(order, lambda chosen: self._forward(pixels, chosen)))
        return [
            found
            if isinstance(found, Response)
            else label_response(request, logits[index], columns[index])
            for index, (request, found) in enumerate(zip(requests, pixels, strict=True))
        ]

    @property
    def in_memory(self) -> bool:
        """Whether the weights have been read."""
        return "_model" in self.__dict__

    def release(self) -> None:
        """Forgets the weights; the next request reads them again."""
        self.__dict__.pop("_model", None)
        release_memory(self.device)

    def _network(self) -> Network:
        model, processor = self._model, self._processor
        patch = getattr(model.config, "patch_size", None)

        def read(request: Request) -> Reading | str:
            found = self._pixels(request, processor)
            if isinstance(found, Response):
                return "its image cannot be read"
            return pixels_reading(found, patch)

        return Network(
            body=body_of(model), read=read, device=self.device, batches=self._batches,
            sees_only_before=False,
        )  # fmt: skip

    def _forward(
        self, pixels: Sequence[torch.Tensor | Response], chosen: list[int]
    ) -> list[torch.Tensor]:
        """Logits in float32 on the CPU; images of one size share a forward pass."""
        tensors = [found for index in chosen if isinstance(found := pixels[index], torch.Tensor)]
        if len({tensor.shape for tensor in tensors}) > 1:
            return [self._forward(pixels, [index])[0] for index in chosen]
        batch = torch.stack(tensors).to(self.device, getattr(torch, self.dtype))
        with torch.inference_mode():
            return list(self._model(pixel_values=batch).logits.float().cpu())

    def _pixels(self, request: Request, processor: Any) -> torch.Tensor | Response:
        """The prepared image, shape (channels, height, width), or why there is none."""
        if request.image is None:
            raise ModelError(
                f"{self._config.name}: an image_classifier needs images: set `image` in the "
                f"suite {request.suite!r}"
            )
        try:
            with PIL.Image.open(io.BytesIO(_bytes(request.image))) as image:
                found = processor(image.convert("RGB"), return_tensors="pt")["pixel_values"][0]
        except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
            where = request.image.path or "the image's bytes"
            return Response(error=f"{where} cannot be read as an image: {error}")
        return torch.as_tensor(found)

    @cached_property
    def _processor(self) -> Any:
        return self._read(transformers.AutoImageProcessor)

    @cached_property
    def _model(self) -> Any:
        model = self._read(
            transformers.AutoModelForImageClassification, dtype=getattr(torch, self.dtype)
        )
        model.to(self.device).eval()
        self._memory.own(model)
        return model

    def _read(self, kind: Any, **options: Any) -> Any:
        with loading(self._config.name, self._directory.path):
            return kind.from_pretrained(self._directory.path, **options)


def _bytes(image: Image) -> bytes:
    if image.data is not None:
        return image.data
    return Path(str(image.path)).read_bytes()
