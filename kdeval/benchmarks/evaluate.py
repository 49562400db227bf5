"""Running lm-eval's tasks over one model, by lm-eval's own code, and keeping what it logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.defaults import DEFAULT_OTHER_SEED
from lm_eval.evaluator import evaluate

from kdeval.benchmarks.instances import AskedDocument
from kdeval.benchmarks.language_model import KdevalLM
from kdeval.benchmarks.quiet import quiet
from kdeval.benchmarks.random_state import random_state
from kdeval.benchmarks.tasks import LoadedTasks, examples_of
from kdeval.config.lm_eval import LmEvalConfig
from kdeval.errors import DataError, KdevalError
from kdeval.run.secrets import redacted

__all__ = ["ModelLog", "evaluate_model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLog:
    """What lm-eval logged of one model.

    Attributes:
        samples: task name to its log: a mapping for each document and filter.
        asked: (task, document's place among those asked) to the requests and their responses.
        results: task name to lm-eval's own figures, made before failures are left out.
    """

    samples: Mapping[str, Sequence[Mapping[str, Any]]]
    asked: Mapping[tuple[str, int], AskedDocument]
    results: Mapping[str, Mapping[str, Any]]


def evaluate_model(
    loaded: LoadedTasks, model: KdevalLM, *, documents: Mapping[str, Sequence[int]] | None = None
) -> ModelLog:
    """lm-eval's log of `model` on all tasks, as `lm_eval.simple_evaluate` would make it.

    Args:
        loaded: the tasks.
        model: who answers.
        documents: task name to the places of the documents that are asked, in order; None: all,
            or the first of them where the settings have a limit.

    Raises:
        KdevalError: a model or task asks for what kdeval does not do.
        DataError: a task's own code failed.
    """
    settings, tasks = loaded.settings, loaded.tasks
    with quiet(), random_state():
        for task in tasks.values():
            _configure(task, settings)
        loaded.random_state.restore()
        try:
            found = evaluate(
                lm=model,
                task_dict={"tasks": tasks, "groups": {}},
                limit=settings.limit if documents is None else None,
                samples=None if documents is None else {k: list(v) for k, v in documents.items()},
                bootstrap_iters=0,
                log_samples=True,
                system_instruction=settings.system_instruction,
                apply_chat_template=settings.apply_chat_template,
                fewshot_as_multiturn=_as_turns(settings),
                confirm_run_unsafe_code=settings.unsafe_code,
            )
        except KdevalError:
            raise
        except Exception as error:
            told = redacted(" ".join(str(error).split()))[:300]
            raise DataError(
                f"lm_eval: {model.name}: lm-eval failed on {', '.join(tasks)}: "
                f"{type(error).__name__}: {told}"
            ) from error
    return ModelLog(samples=found["samples"], asked=model.asked, results=found["results"])


def _as_turns(settings: LmEvalConfig) -> bool:
    given = settings.fewshot_as_multiturn
    return settings.apply_chat_template if given is None else given


def _configure(task: Any, settings: LmEvalConfig) -> None:
    """What lm-eval's `simple_evaluate` sets of each task: examples, generation, and its seed."""
    task.set_config(key="num_fewshot", value=examples_of(task, settings))
    if settings.gen_kwargs and task.get_config("output_type") == "generate_until":
        task.set_config(key="generation_kwargs", value=dict(settings.gen_kwargs), update=True)
    task.set_fewshot_seed(seed=DEFAULT_OTHER_SEED)
