"""From what an lm-eval task asks to the requests that a kdeval model answers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kdeval.errors import UsageError
from kdeval.models.protocols import Decoding, Request
from kdeval.records import Message, Response

__all__ = [
    "AskedDocument", "ChatText", "Instance", "Question", "continuations", "prompts", "whole_texts",
]  # fmt: skip

_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_DEFAULT_LIMIT = 256
_GREEDY_ANYWAY: Mapping[str, Any] = {"num_beams": 1, "num_return_sequences": 1}


class Instance(Protocol):
    """What kdeval reads of an `lm_eval.api.instance.Instance`."""

    task_name: str | None
    doc_id: int | None
    repeats: int | None

    @property
    def args(self) -> tuple[Any, ...]:
        """(context, continuation), (context, generation settings) or (text,)."""


class ChatText(str):
    """Chat messages as JSON, for models that take messages rather than a rendered prompt."""

    __slots__ = ()

    @classmethod
    def from_history(cls, history: Sequence[Mapping[str, str]]) -> ChatText:
        """The messages as lm-eval holds them."""
        return cls(json.dumps(list(history), ensure_ascii=False))

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages again."""
        return tuple(Message(role=m["role"], content=m["content"]) for m in json.loads(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request with the document that it is about."""

    task: str
    document: int
    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedDocument:
    """What was asked about one document of a task, and what came of it.

    Attributes:
        task: lm-eval's name of the task.
        document: lm-eval's `doc_id` of the instances; with `samples=`, the place among those.
        requests: as the model saw them; `kdeval.models.request_keys` gives their store keys.
        responses: one a request.
    """

    task: str
    document: int
    requests: tuple[Request, ...]
    responses: tuple[Response, ...]

    @property
    def failure(self) -> str | None:
        """Why an answer is missing; None where all are there."""
        return next((item.error for item in self.responses if item.error is not None), None)


def continuations(
    instances: Sequence[Instance], *, replicate: int = 0
) -> tuple[list[Question], list[tuple[int, int]]]:
    """One question for each context of a document, with all of that context's continuations.

    Returns:
        The questions, in order of first appearance; and for each instance the number of its
        question and of its continuation there.
    """
    groups: dict[tuple[str, int, str], dict[str, int]] = {}
    found = []
    for index, instance in enumerate(instances):
        context, continuation = instance.args
        choices = groups.setdefault((*_document(instance, index), context), {})
        found.append((context, choices.setdefault(continuation, len(choices))))
    number = {key: place for place, key in enumerate(groups)}
    places = [
        (number[(*_document(instance, index), context)], choice)
        for index, (instance, (context, choice)) in enumerate(zip(instances, found, strict=True))
    ]
    questions = [
        _question(task, document, input=_prompt(context), kind="loglikelihood",
                  choices=tuple(choices), replicate=replicate)
        for (task, document, context), choices in groups.items()
    ]  # fmt: skip
    return questions, places


def whole_texts(instances: Sequence[Instance], *, replicate: int = 0) -> list[Question]:
    """One question an instance: how likely the whole text is."""
    return [
        _question(*_document(instance, index), input="", kind="loglikelihood",
                  rolling=True, choices=(instance.args[0],), replicate=replicate)
        for index, instance in enumerate(instances)
    ]  # fmt: skip


def prompts(instances: Sequence[Instance], *, replicate: int = 0) -> list[Question]:
    """One question an instance: a text to be written.

    An instance that lm-eval repeats is asked again: each time is a replicate of its own.

    Args:
        instances: as lm-eval hands them over.
        replicate: which repeat of the whole benchmark this is.

    Raises:
        UsageError: a task asks for a way of decoding that kdeval's models do not have.
    """
    seen: dict[tuple[str, int, int], int] = {}
    questions = []
    for index, instance in enumerate(instances):
        key = (*_document(instance, index), id(instance))
        repeat = seen[key] = seen.get(key, -1) + 1
        context, settings = instance.args
        task, document = key[:2]
        questions.append(
            _question(
                task,
                document,
                kind="generation",
                raw=True,
                input=_prompt(context),
                replicate=replicate * (instance.repeats or 1) + repeat,
                **_writing(settings, task),
            )
        )
    return questions


def _prompt(context: str) -> str | tuple[Message, ...]:
    return context.messages if isinstance(context, ChatText) else context


def _question(task: str, document: int, **asked: Any) -> Question:
    request = Request(sample_id=str(document), suite=task, **asked)
    return Question(task=task, document=document, request=request)


def _document(instance: Instance, index: int) -> tuple[str, int]:
    """Task and document; an instance of no document counts as one of its own."""
    return instance.task_name or "", index if instance.doc_id is None else instance.doc_id


def _writing(settings: Mapping[str, Any], task: str) -> dict[str, Any]:
    """What a request says of its decoding; lm-eval samples only where a task asks for it."""
    given = {name: value for name, value in settings.items() if value is not None}
    until = given.pop("until", ())
    limits = [_number(task, name, given.pop(name), low=1) for name in _LIMITS if name in given]
    sampled = given.pop("do_sample", None)
    temperature = _number(task, "temperature", given.pop("temperature", 1.0 if sampled else 0.0))
    if sampled is False:
        temperature = 0.0
    top_p = _number(task, "top_p", given.pop("top_p", 1.0), high=1.0)
    top_k = _number(task, "top_k", given.pop("top_k", 0))
    odd = {name: value for name, value in given.items() if _GREEDY_ANYWAY.get(name) != value}
    if odd:
        raise UsageError(
            f"task {task!r} asks for {', '.join(f'{k}={v!r}' for k, v in odd.items())}, which "
            "kdeval's models do not do; they know until, max_gen_toks, do_sample, temperature, "
            "top_p and top_k"
        )
    decoding = Decoding() if temperature == 0 else Decoding(
        temperature=temperature, top_p=top_p, top_k=int(top_k) or None
    )  # fmt: skip
    return {
        "stop": tuple(filter(None, [until] if isinstance(until, str) else until)),
        "max_new_tokens": int(limits[0]) if limits else _DEFAULT_LIMIT,
        "decoding": decoding,
    }


def _number(task: str, name: str, value: Any, *, low: float = 0.0, high: float = math.inf) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number <= high:
        limits = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of {low:g} or more"
        raise UsageError(f"task {task!r}: {name} must be a number {limits}, got {value!r}")
    return number
