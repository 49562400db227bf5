"""The files of a causal language model: where they lie, what they hold, and reading them in."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from kdeval.config.transformers_models import CausalLMConfig
from kdeval.errors import MissingExtraError, ModelError
from kdeval.models.loading import loading
from kdeval.models.weight_files import read_weights, stored_parameters
from kdeval.store.fingerprints import files_digest

__all__ = ["Checkpoint", "load_model", "load_tokenizer"]

_SETTINGS = (".json", ".txt", ".model", ".jinja")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A directory of weights that `save_pretrained` wrote, or a GGUF file.

    Attributes:
        folder: where the weights lie.
        gguf: name of the GGUF file in it, or None.
        tokenizer: the tokenizer's own directory, or None: it is beside the weights.
    """

    name: str
    folder: Path
    gguf: str | None
    tokenizer: Path | None

    @classmethod
    def from_config(cls, config: CausalLMConfig) -> Checkpoint:
        """The checkpoint that the configuration names.

        Raises:
            ModelError: there is none, or it is not clear which.
        """
        path = Path(config.path)
        folder, gguf = _located(config.name, path)
        if gguf is not None and config.quantization is not None:
            raise ModelError(
                f"{config.name}: quantization: {config.quantization} is for full weights; "
                f"{gguf} is quantized already, and is computed with in {config.dtype!r} dtype"
            )
        tokenizer = None if config.tokenizer is None else Path(config.tokenizer)
        return cls(name=config.name, folder=folder, gguf=gguf, tokenizer=tokenizer)

    @property
    def weights(self) -> list[Path]:
        """The files that weights are read from."""
        return read_weights(self.folder) if self.gguf is None else [self.folder / self.gguf]

    @property
    def digest(self) -> str:
        """Digest of weights, configuration, tokenizer and chat template."""
        files = list(self.weights)
        if self.gguf is None:
            files += _settings(self.folder)
        found = files_digest(files, self.folder)
        if self.tokenizer is None:
            return found
        return f"{found}+{files_digest(_settings(self.tokenizer), self.tokenizer)}"

    @property
    def bytes_on_disk(self) -> int:
        """Size of the files with weights."""
        return sum(file.stat().st_size for file in self.weights)

    @property
    def parameters(self) -> int | None:
        """Number of weights by the files' headers; None where they have none."""
        if self.gguf is not None:
            return _gguf_parameters(self.folder / self.gguf)
        return stored_parameters(self.weights)

    def stored_dtype(self) -> Any:
        """The dtype that the checkpoint's configuration names; None for GGUF, which has many."""
        if self.gguf is not None:
            return None
        return transformers.AutoConfig.from_pretrained(self.folder).dtype


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """The tokenizer.

    Raises:
        ModelError: it cannot be read.
    """
    source = checkpoint.tokenizer or checkpoint.folder
    options = {} if checkpoint.tokenizer or checkpoint.gguf is None else _gguf(checkpoint)
    with loading(checkpoint.name, source):
        return transformers.AutoTokenizer.from_pretrained(source, **options)


def load_model(checkpoint: Checkpoint, config: CausalLMConfig, device: str, dtype: str) -> Any:
    """The model on its device, ready to infer.

    Raises:
        ModelError: it cannot be read; MissingExtraError when a package for it is missing.
    """
    options: dict[str, Any] = {"dtype": getattr(torch, dtype)}
    if checkpoint.gguf is not None:
        options |= _gguf(checkpoint)
        options["quantization_config"] = transformers.GgufConfig(dequantize=True)
    if config.quantization is not None:
        options |= _quantized(config.quantization, device, dtype)
    with loading(checkpoint.name, checkpoint.folder):
        model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint.folder, **options)
    if config.quantization is None:
        model.to(device)
    return model.eval()


def _settings(folder: Path) -> list[Path]:
    """Configuration, tokenizer and chat templates; some of these lie in a directory of theirs."""
    found = [file for file in folder.iterdir() if file.suffix in _SETTINGS]
    return found + list(folder.glob("additional_chat_templates/*.jinja"))


def _located(name: str, path: Path) -> tuple[Path, str | None]:
    if path.is_file():
        if path.suffix == ".gguf":
            return path.parent, path.name
        raise ModelError(f"{name}: {path} is no .gguf file: give a directory, or a .gguf file")
    if (path / "config.json").is_file():
        return path, None
    found = sorted(file.name for file in path.glob("*.gguf"))
    if len(found) == 1:
        return path, found[0]
    if found:
        raise ModelError(f"{name}: {path} holds {', '.join(found)}: give the path of one of them")
    raise ModelError(
        f"{name}: {path} has neither config.json nor a .gguf file: give a directory that "
        "save_pretrained() wrote, or a GGUF file"
    )


def _gguf(checkpoint: Checkpoint) -> dict[str, Any]:
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtraError(feature=f"{checkpoint.gguf}", extra="hf")
    if not hasattr(transformers, "GgufConfig"):
        raise ModelError(
            f"{checkpoint.name}: {checkpoint.gguf} needs transformers 5 or newer, "
            f"here is {transformers.__version__}: pip install -U transformers"
        )
    return {"gguf_file": checkpoint.gguf}


def _gguf_parameters(file: Path) -> int | None:
    if importlib.util.find_spec("gguf") is None:
        return None
    from gguf import GGUFReader

    return sum(int(tensor.n_elements) for tensor in GGUFReader(file).tensors)


def _quantized(wanted: str, device: str, dtype: str) -> dict[str, Any]:
    for package in ("bitsandbytes", "accelerate"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(feature=f"quantization: {wanted}", extra="quantization")
    if wanted == "8bit":
        settings = transformers.BitsAndBytesConfig(load_in_8bit=True)
    else:
        settings = transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=getattr(torch, dtype),
        )  # fmt: skip
    return {"quantization_config": settings, "device_map": {"": device}}
