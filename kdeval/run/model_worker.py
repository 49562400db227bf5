"""What runs in a worker process: one model, built there, that answers units of requests.

Every answer is plain data: an exception of a library that the driver lacks could not be read there.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdeval import __version__
from kdeval.errors import KdevalError
from kdeval.models.protocols import Model
from kdeval.records import Corpus, Response, Timing
from kdeval.run.elsewhere import Elsewhere
from kdeval.run.executor import ask
from kdeval.run.worker_messages import Answered, Parcel, Ready, Refused, WorkerJob, place_of

__all__ = ["ModelWorker"]

_THREADS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)  # fmt: skip


class ModelWorker:
    """One model in a process of its own."""

    def __init__(self, job: WorkerJob) -> None:
        self._job = job
        self._where = "" if socket.gethostname() == job.host else f"on {socket.gethostname()}: "
        self._model: Model | None = None
        self._parameters: int | None = None
        self._corpora: dict[str, Corpus] = {}
        _limit(job)
        with contextlib.suppress(OSError):
            os.chdir(job.directory)

    def load(self) -> Ready | Refused:
        """Builds the model; refused when it is not the one that the driver has."""
        # Imported late: libraries that come with models read the limits when they are loaded.
        from kdeval.models.resolver import build_model

        job, name = self._job, self._job.source.config.name
        if job.version != __version__:
            return self._refused(
                f"{name}: the worker has kdeval {__version__}, the driver {job.version}: "
                "install the same version"
            )
        missing = [path for path in job.source.paths if not Path(path).exists()]
        if missing:
            return self._refused(
                f"{name}: there is no {missing[0]!r}: workers read files where they run, so it "
                "must lie at the same path on every machine, or on a file system that all share"
            )
        try:
            self._model = build_model(_seen_from_here(job), search=job.source.search)
            fingerprint = self._model.fingerprint
        except KdevalError as error:
            return self._refused(str(error))
        except Exception as error:
            return self._refused(f"{name} cannot be built: {type(error).__name__}: {error}")
        _limit_torch(job.threads)
        if fingerprint != job.source.fingerprint:
            return self._refused(self._difference())
        return Ready()

    def keep(self, key: str, corpus: Corpus) -> None:
        """Remembers a corpus that later requests ask of."""
        self._corpora[key] = corpus

    def answer(self, parcel: Parcel) -> Answered | Refused:
        """The answers to requests that are asked at once."""
        assert self._model is not None
        requests = [
            request if key is None else replace(request, corpus=self._corpora[key])
            for request, key in zip(parcel.requests, parcel.corpora, strict=True)
        ]
        try:
            responses = [_shared(response) for response in ask(self._model, requests)]
            return Answered(responses, self._described())
        except KdevalError as error:
            return self._refused(str(error))

    def _refused(self, reason: str) -> Refused:
        return Refused(self._where + reason)

    def _difference(self) -> str:
        here, there = self._job.place, place_of(self._model)
        how = f" ({here} in the driver, {there} in the worker)" if here != there else ""
        return (
            f"{self._job.source.config.name}: a worker's model is not the driver's{how}, and "
            "answers of different weights or settings are never mixed; see that all machines have "
            "the same files, that nobody changes them now, and where the dtype differs set `dtype`"
        )

    def _described(self) -> Elsewhere:
        model = self._model
        if self._parameters is None:
            self._parameters = getattr(model, "parameters", None)
        device, dtype = (getattr(model, name, None) for name in ("device", "dtype"))
        return Elsewhere(
            workers=1,
            device=None if device is None else str(device),
            dtype=None if dtype is None else str(dtype),
            parameters=self._parameters,
            peak_memory_bytes=getattr(model, "peak_memory_bytes", None),
            notes=tuple(str(note) for note in getattr(model, "notes", ())),
        )


def _shared(response: Response) -> Response:
    """Without a latency: on machines where several workers compute, nobody would see that one."""
    timing = response.timing
    if timing is None or timing.origin != "wall":
        return response
    return replace(response, timing=Timing(origin="batch", total_s=timing.total_s))


def _limit(job: WorkerJob) -> None:
    """Threads and devices, before any library reads them; of those loaded, after."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    for name in _THREADS:
        os.environ[name] = str(job.threads)
    if not job.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    threadpool_limits(job.threads)
    _limit_torch(job.threads)


def _limit_torch(threads: int) -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)


def _seen_from_here(job: WorkerJob) -> Any:
    """The configuration; a worker that has one GPU sees it as the first, whatever its number."""
    config = job.source.config
    device = getattr(config, "device", None)
    if job.gpus and isinstance(device, str) and device.startswith("cuda:"):
        return config.model_copy(update={"device": "cuda"})
    return config
