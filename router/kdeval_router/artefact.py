"""A router on disk: `router.yaml` and `router.safetensors`, tied by SHA-256, no pickle.

`router.yaml` names the hash of the weights and carries the hash of its own content, so a change
to either file, in transit or by hand, is an error and never a different decision.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from kdeval_router.decision import RoutingRule, StudentRule, TaskRule
from kdeval_router.encoder import StaticEncoder
from kdeval_router.errors import RouterArtefactError
from kdeval_router.familiarity import Familiarity
from kdeval_router.heads import Heads
from kdeval_router.schema import SCHEMA_VERSION, RouterConfig

__all__ = ["CONFIG_FILE", "WEIGHTS_FILE", "RouterArtefact", "build_rule", "tensors_digest"]

CONFIG_FILE = "router.yaml"
WEIGHTS_FILE = "router.safetensors"

Tensors = Mapping[str, NDArray[Any]]

_REFIT = "fit the router again with `kdeval route fit`, or restore the file from version control"
_TENSORS = {
    "encoder.tokenizer": ("uint8", 1),
    "encoder.vectors": ("int8", 2),
    "encoder.scales": ("float32", 1),
    "encoder.weights": ("float32", 1),
    "tasks.coefficients": ("float32", 2),
    "tasks.intercepts": ("float32", 1),
    "references.vectors": ("int8", 2),
    "references.scales": ("float32", 1),
    "references.task": ("int32", 1),
    "conform.scores": ("float32", 1),
    "conform.task": ("int32", 1),
    "heads.coefficients": ("float64", 2),
    "heads.intercepts": ("float64", 1),
    "splits.seen": ("int64", 1),
}
_HEADER = (
    "# A kdeval router. Made by `kdeval route fit`; a change by hand is refused at loading, "
    "because\n# the guarantee would no longer be about what runs.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterArtefact:
    """A router's configuration and arrays, verified."""

    config: RouterConfig
    tensors: Tensors

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> RouterArtefact:
        """The artefact in `directory`.

        Raises:
            RouterArtefactError: a file is missing, broken, tampered with, mismatched or of
                another schema version.
        """
        folder = Path(directory)
        config = _read_config(folder / CONFIG_FILE)
        return cls(config=config, tensors=_read_weights(folder, config))

    def save(self, directory: str | os.PathLike[str]) -> RouterArtefact:
        """The artefact as written, with its hashes; each file appears whole or not at all."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        payload = save_tensors({name: np.ascontiguousarray(v) for name, v in self.tensors.items()})
        weights = {"file": WEIGHTS_FILE, "sha256": hashlib.sha256(payload).hexdigest()}
        config = self.config.model_copy(
            update={"weights": type(self.config.weights).model_validate(weights)}
        )
        config = config.model_copy(update={"config_hash": config.content_hash()})
        text = _HEADER + yaml.safe_dump(
            config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100
        )
        _write_whole(folder / WEIGHTS_FILE, payload)
        _write_whole(folder / CONFIG_FILE, text.encode("utf-8"))
        return RouterArtefact(config=config, tensors=self.tensors)


def build_rule(artefact: RouterArtefact, changed: frozenset[str] = frozenset()) -> RoutingRule:
    """The deciding rule of an artefact; the students named in `changed` get nothing."""
    config, tensors = artefact.config, artefact.tensors
    students = {
        name: StudentRule(
            head=position + 1, supports=frozenset(entry.supports), changed=name in changed
        )
        for position, (name, entry) in enumerate(config.students.items())
    }
    tasks = tuple(
        TaskRule(
            name=name,
            student=None if entry.target == config.teacher else entry.target,
            max_tokens=entry.max_tokens,
        )
        for name, entry in config.tasks.items()
    )
    return RoutingRule(
        teacher=config.teacher,
        students=students,
        tasks=tasks,
        encoder=StaticEncoder.from_tensors(tensors),
        familiarity=Familiarity.from_tensors(
            tensors, tasks=len(tasks), covers=config.encoder.scored_by_coverage
        ),
        heads=Heads.from_tensors(tensors),
        alpha=config.thresholds.alpha_in_distribution,
        ranked_by=config.thresholds.ranked_by,
        threshold=config.thresholds.maximum,
        max_characters=config.max_characters,
        config_hash=config.config_hash,
    )


def tensors_digest(tensors: Tensors, prefix: str) -> str:
    """SHA-256 over names, types, shapes and bytes of the tensors whose name has the prefix."""
    digest = hashlib.sha256()
    for name in sorted(key for key in tensors if key.startswith(prefix)):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name}\0{array.dtype}\0{array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _read_config(file: Path) -> RouterConfig:
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RouterArtefactError(
            f"{file} is missing: give the directory that `kdeval route fit` wrote"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RouterArtefactError(f"{file} cannot be read ({_line(error)}): {_REFIT}") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise RouterArtefactError(
            f"{file} has schema version {version!r}, this kdeval-router reads {SCHEMA_VERSION}: "
            "install the version named under `created`, or fit the router again"
        )
    try:
        config = RouterConfig.model_validate(data)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        raise RouterArtefactError(f"{file} is invalid ({problems}): {_REFIT}") from error
    if config.content_hash() != config.config_hash:
        raise RouterArtefactError(
            f"{file} was changed after fitting (its content is not that of its config_hash "
            f"{config.config_hash[:12]}...): {_REFIT}"
        )
    return config


def _read_weights(folder: Path, config: RouterConfig) -> Tensors:
    file = folder / config.weights.file
    try:
        payload = file.read_bytes()
    except OSError as error:
        raise RouterArtefactError(f"{file} cannot be read ({_line(error)}): {_REFIT}") from error
    digest = hashlib.sha256(payload).hexdigest()
    if digest != config.weights.sha256:
        raise RouterArtefactError(
            f"{file} does not belong to {CONFIG_FILE} beside it (SHA-256 {digest[:12]}..., "
            f"expected {config.weights.sha256[:12]}...): {_REFIT}"
        )
    try:
        tensors: Tensors = load_tensors(payload)
    except SafetensorError as error:
        raise RouterArtefactError(f"{file} is broken ({_line(error)}): {_REFIT}") from error
    problem = _shape_problem(tensors, config)
    if problem is not None:
        raise RouterArtefactError(f"{file} does not fit {CONFIG_FILE} ({problem}): {_REFIT}")
    return tensors


def _shape_problem(tensors: Tensors, config: RouterConfig) -> str | None:
    for name, (kind, axes) in _TENSORS.items():
        array = tensors.get(name)
        if array is None:
            return f"no tensor {name!r}"
        if array.dtype != kind or array.ndim != axes:
            return f"tensor {name!r} is {array.dtype} with {array.ndim} axes, not {kind}, {axes}"
    dimensions, tasks = config.encoder.dimensions, len(config.tasks)
    wanted = {
        "encoder.vectors": (config.encoder.vocabulary, dimensions),
        "references.vectors": (config.encoder.references, dimensions),
        "tasks.coefficients": (tasks, dimensions),
        "heads.coefficients": (1 + len(config.students), dimensions + 2 + tasks),
    }
    for name, shape in wanted.items():
        if tensors[name].shape != shape:
            return f"tensor {name!r} has shape {tensors[name].shape}, not {shape}"
    return None


def _write_whole(file: Path, content: bytes) -> None:
    partial = file.with_name(file.name + ".partial")
    partial.write_bytes(content)
    partial.replace(file)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
