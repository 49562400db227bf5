"""A kdeval model as lm-eval sees it: so lm-eval's own code runs its tasks over it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import lm_eval.models  # noqa: F401  # lm-eval registers its own models only before any other
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from lm_eval.utils import simple_parse_args_string

from kdeval import __version__
from kdeval.benchmarks.ask_with_bar import ask_with_bar
from kdeval.benchmarks.askable import require_askable
from kdeval.benchmarks.instances import (
    AskedDocument,
    ChatText,
    Instance,
    Question,
    continuations,
    prompts,
    whole_texts,
)
from kdeval.benchmarks.model_args import model_from_args
from kdeval.errors import ModelError
from kdeval.models.ensemble import Ensemble
from kdeval.models.protocols import METHODS, Model, Request
from kdeval.records import Kind, Response
from kdeval.run.batches import place_in_order
from kdeval.store.fingerprints import value_digest

__all__ = ["FAILED_LOG_LIKELIHOOD", "Ask", "KdevalLM"]

Ask = Callable[[Sequence[Request]], Sequence[Response]]
"""One response a request, in order; all requests of a call are of one kind."""

FAILED_LOG_LIKELIHOOD = -700.0
"""What lm-eval gets where a request failed: exp(700), as in a perplexity, is still finite."""


_LOGGER = logging.getLogger("lm_eval.models.kdeval")


@register_model("kdeval")
class KdevalLM(LM):  # type: ignore[misc]
    """Answers lm-eval's instances with a kdeval model, and remembers what it was asked.

    Attributes:
        asked: (task, document) to what was asked about it, over all calls.
    """

    def __init__(
        self,
        model: Model,
        *,
        name: str = "model",
        ask: Ask | None = None,
        replicate: int = 0,
        on_failure: Literal["raise", "record"] = "raise",
    ) -> None:
        """The model, under lm-eval's interface.

        Args:
            model: what answers.
            name: what it is called in messages.
            ask: answers requests; default: the model itself, with a progress bar.
            replicate: which repeat of the same questions this is.
            on_failure: of a failed request, "raise" at the end of the call, so that no result
                is made of it; or "record": lm-eval gets `FAILED_LOG_LIKELIHOOD` or an empty text,
                and `failures` tells which documents have to be left out.
        """
        super().__init__()
        self.model = model
        self.name = name
        self.asked: dict[tuple[str, int], AskedDocument] = {}
        self._ask: Ask = ask or partial(ask_with_bar, model, name)
        self._replicate = replicate
        self._on_failure = on_failure
        self._told: set[str] = set()

    @classmethod
    def create_from_arg_string(
        cls, arg_string: str, additional_config: Mapping[str, Any] | None = None
    ) -> KdevalLM:
        """The model that `--model_args` names (see `model_from_args`)."""
        return cls.create_from_arg_obj(simple_parse_args_string(arg_string), additional_config)

    @classmethod
    def create_from_arg_obj(
        cls, arg_dict: Mapping[str, Any], additional_config: Mapping[str, Any] | None = None
    ) -> KdevalLM:
        """The model that `--model_args` names (see `model_from_args`).

        Of `additional_config`, lm-eval's own --batch_size and --device count where the arguments
        say nothing. What its command line hands over unasked, 1 and "cuda:0", is kdeval's choice.
        """
        given = additional_config or {}
        batch, device = str(given.get("batch_size")), given.get("device")
        more: dict[str, Any] = {}
        if batch.isdecimal() and batch != "1":
            more["batch_size"] = int(batch)
        if device not in (None, "cuda", "cuda:0"):
            more["device"] = device
        name, model = model_from_args({**more, **arg_dict})
        return cls(model, name=name)

    @property
    def failures(self) -> dict[tuple[str, int], str]:
        """(task, document) to the reason, of documents with an answer missing."""
        return {
            key: asked.failure for key, asked in self.asked.items() if asked.failure is not None
        }

    def loglikelihood(self, requests: Sequence[Instance]) -> list[tuple[float, bool]]:
        """Summed natural-log probability of each continuation, and whether it is greedy."""
        questions, places = continuations(requests, replicate=self._replicate)
        responses = self._answers("loglikelihood", questions)
        return [_read(responses[question], choice) for question, choice in places]

    def loglikelihood_rolling(self, requests: Sequence[Instance]) -> list[float]:
        """Summed natural-log probability of each whole text."""
        questions = whole_texts(requests, replicate=self._replicate)
        return [_read(response, 0)[0] for response in self._answers("loglikelihood", questions)]

    def generate_until(self, requests: Sequence[Instance]) -> list[str]:
        """The text written after each context."""
        questions = prompts(requests, replicate=self._replicate)
        return [
            _until(response.output or "", question.request.stop)
            for question, response in zip(
                questions, self._answers("generation", questions), strict=True
            )
        ]

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """The history as the model reads it: rendered, or JSON for a model that takes messages."""
        render = getattr(self.model, "render_chat", None)
        if render is None:
            return ChatText.from_history(chat_history)
        text: str = render(chat_history, add_generation_prompt=add_generation_prompt)
        return text

    @property
    def tokenizer_name(self) -> str:
        """What lm-eval keeps rendered requests under: they depend on the chat template alone."""
        template = self.chat_template()
        return f"kdeval-{value_digest(template)[:16]}" if template else "kdeval-messages"

    def chat_template(self, chat_template: bool | str = False) -> str:
        """The model's own template; "" for a model that takes messages."""
        found: str = getattr(self.model, "chat_template", "")
        return found

    def get_model_info(self) -> dict[str, Any]:
        """What lm-eval writes of the model beside its results."""
        return {
            "kdeval_version": __version__,
            "model_fingerprint": self.model.fingerprint,
            "model_num_parameters": getattr(self.model, "parameters", None),
            "model_dtype": getattr(self.model, "dtype", None),
            "model_notes": list(getattr(self.model, "notes", ())),
        }

    def _answers(self, kind: Kind, questions: Sequence[Question]) -> list[Response]:
        """One response a question, remembered by document."""
        self._require(kind, questions)
        order = sorted(
            range(len(questions)), key=lambda index: place_in_order(questions[index].request)
        )
        found = self._ask([questions[index].request for index in order])
        by_index = dict(zip(order, found, strict=True))
        responses = [by_index[index] for index in range(len(questions))]
        self._remember(questions, responses)
        self._tell()
        failed = [item.error for item in responses if item.error is not None]
        if failed and self._on_failure == "raise":
            raise ModelError(
                f"{self.name}: {len(failed)} of {len(responses)} requests failed, so lm-eval "
                f"writes no result; the first: {failed[0]}. {_way_out(kind, questions, responses)}"
            )
        return responses

    def _tell(self) -> None:
        """Logs, as lm-eval's own models do, what is new among the model's notes."""
        for note in getattr(self.model, "notes", ()):
            if note not in self._told:
                self._told.add(note)
                _LOGGER.warning("%s: %s", self.name, note)

    def _require(self, kind: Kind, questions: Sequence[Question]) -> None:
        require_askable(self.name, self.model)
        if isinstance(self.model, Ensemble):
            if (problem := self.model.problem(kind)) is not None:
                raise ModelError(f"{self.name}: {problem}")
            chats = any(not isinstance(item.request.input, str) for item in questions)
            if kind == "loglikelihood" and chats:
                raise ModelError(
                    f"{self.name}: each member has a chat template of its own, and continuations "
                    "are scored after one prompt: leave out apply_chat_template"
                )
        if not hasattr(self.model, METHODS[kind]):
            what = "log-likelihoods" if kind == "loglikelihood" else "texts"
            raise ModelError(
                f"{self.name}: {type(self.model).__name__} gives no {what}, which the task needs"
            )

    def _remember(self, questions: Sequence[Question], responses: Sequence[Response]) -> None:
        for question, response in zip(questions, responses, strict=True):
            key = (question.task, question.document)
            before = self.asked.get(key)
            self.asked[key] = AskedDocument(
                task=question.task,
                document=question.document,
                requests=(*(before.requests if before else ()), question.request),
                responses=(*(before.responses if before else ()), response),
            )


def _way_out(kind: Kind, questions: Sequence[Question], responses: Sequence[Response]) -> str:
    """Which tasks to leave out of --tasks, or what to ask less of."""
    pairs = zip(questions, responses, strict=True)
    tasks = dict.fromkeys(question.task for question, item in pairs if item.error is not None)
    shorter = (
        "Where prompt and answer are longer than the model takes, --gen_kwargs max_gen_toks=... "
        "or a smaller --num_fewshot makes them shorter; or leave"
        if kind == "generation"
        else "Where prompts are longer than the model takes, a smaller --num_fewshot makes them "
        "shorter; or leave"
    )
    return f"{shorter} out of --tasks: {', '.join(tasks)}"


def _until(text: str, stops: Sequence[str]) -> str:
    """The text before the first stop string, also of a model that does not heed them."""
    return text[: min((place for stop in stops if (place := text.find(stop)) >= 0), default=None)]


def _read(response: Response, choice: int) -> tuple[float, bool]:
    if response.log_probs is None:
        return FAILED_LOG_LIKELIHOOD, False
    greedy = response.greedy is not None and response.greedy[choice]
    return response.log_probs[str(choice)], greedy
