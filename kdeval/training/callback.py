"""A callback of the transformers Trainer that measures checkpoints while a student distils."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

import transformers

from kdeval.config.schema import load_config
from kdeval.errors import KdevalError, ModelError
from kdeval.models.live import inferring, live_model
from kdeval.training.recorder import CheckpointRecorder

__all__ = ["KdevalCallback"]

_LOG = logging.getLogger("kdeval")


class KdevalCallback(transformers.TrainerCallback):  # type: ignore[misc]
    """Asks the suites of a configuration of the model in memory, at each save or evaluation.

    The run directory then holds one student for each checkpoint, called student-step, and a series
    of them: `kdeval report` shows the curve, which checkpoint is best, and what was forgotten. The
    teacher is asked once. Weights are not written for it; training goes on as if it had not been
    measured (dropout, the trainer's tokenizer, random numbers).

    Only the main process works; the others wait for it at their next exchange. Sharded weights
    (FSDP, DeepSpeed ZeRO-3) are refused: measure their saved checkpoints with `kdeval run`.

    What is wrong with the configuration stops training before its first step. What fails later is
    logged, and training goes on.
    """

    def __init__(
        self,
        config: str | Path,
        out: str | Path,
        *,
        student: str = "student",
        when: Literal["save", "evaluate"] = "evaluate",
        tokenizer: Any = None,
        limit: int | None = None,
    ) -> None:
        """Reads the configuration.

        Args:
            config: a kdeval.yaml. The student in it that is being trained says by its type and
                settings how the model is asked; its path need not exist.
            out: the run directory.
            student: the name of that student.
            when: after the trainer saves, or after it evaluates.
            tokenizer: the trainer's `processing_class` unless told.
            limit: at most so many samples a suite, a seeded stratified sample.

        Raises:
            ConfigError: listing every problem of the configuration.
        """
        file = Path(config)
        self.when = when
        self._tokenizer = tokenizer
        self._recorder = CheckpointRecorder(
            load_config(file, live=(student,)),
            Path(out),
            student=student,
            limit=limit,
            search=(file.resolve().parent, Path.cwd()),
        )

    def on_train_begin(self, args: Any, state: Any, control: Any, **found: Any) -> None:
        """Checks suites, models and directory before the first step."""
        if not state.is_world_process_zero:
            return
        _refuse_sharded(args)
        model = _bare(found["model"])
        with inferring(model):
            live = live_model(self._recorder.template, model, self._processing(found))
            self._recorder.begin(live, step=state.global_step)

    def on_save(self, args: Any, state: Any, control: Any, **found: Any) -> None:
        """Records the checkpoint, when asked to do so on saves."""
        if self.when == "save":
            self._record(args, state, found)

    def on_evaluate(self, args: Any, state: Any, control: Any, **found: Any) -> None:
        """Records the checkpoint, when asked to do so on evaluations."""
        if self.when == "evaluate":
            self._record(args, state, found)

    def _record(self, args: Any, state: Any, found: dict[str, Any]) -> None:
        step = int(state.global_step)
        if not state.is_world_process_zero or step in self._recorder.steps:
            return
        model = _bare(found["model"])
        saved = f"{args.output_dir}/checkpoint-{step}"
        try:
            with inferring(model):
                live = live_model(self._recorder.template, model, self._processing(found))
                self._recorder.record(live, step=step, path=saved)
        except (KdevalError, OSError) as error:
            _LOG.warning("kdeval could not measure step %d: %s", step, error)

    def _processing(self, found: dict[str, Any]) -> Any:
        """The tokenizer; under which name the trainer passes it depends on its version."""
        for given in (self._tokenizer, found.get("processing_class"), found.get("tokenizer")):
            if given is not None:
                return given
        raise ModelError(
            "the trainer has no tokenizer: give it one as processing_class, or give the callback "
            "one as tokenizer"
        )


def _bare(model: Any) -> Any:
    """The model without what wraps it for several devices."""
    return getattr(model, "module", model)


def _refuse_sharded(args: Any) -> None:
    deepspeed = getattr(args, "hf_deepspeed_config", None)
    if getattr(args, "fsdp", None) or (deepspeed is not None and deepspeed.is_zero3()):
        raise ModelError(
            "the weights are sharded over processes (FSDP or ZeRO-3), so no single process can be "
            "asked: save checkpoints, and list them as students and as a series of kind "
            "checkpoints for `kdeval run`"
        )
