"""A causal language model as a `Classifier`, a `ChoiceScorer` and a `Generator`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeVar

from kdeval.config.transformers_models import CausalLMConfig
from kdeval.errors import ModelError
from kdeval.models.causal.checked_scoring import CheckedScorer
from kdeval.models.causal.checked_writing import CheckedWriter
from kdeval.models.causal.checkpoint import Checkpoint, load_tokenizer
from kdeval.models.causal.choosing import Ballot, ballot, elected
from kdeval.models.causal.fitting import TooLongError, fit_splits
from kdeval.models.causal.likelihood import likelihood_response, text_split
from kdeval.models.causal.loaded import LoadedModel
from kdeval.models.causal.opened import OpenCausalLM
from kdeval.models.causal.prompts import Split
from kdeval.models.causal.raw_scoring import RawChoices, raw_choices, raw_response
from kdeval.models.causal.sampling import Writing, answered, writing
from kdeval.models.causal.scoring import ContinuationScore
from kdeval.models.causal.teacher_forcing import answer_split, forced_logits
from kdeval.models.causal.token_choice import TokenChoice
from kdeval.models.causal.tool_prompts import tools_problem
from kdeval.models.causal.writers import Writers
from kdeval.models.causal.writing import Writer
from kdeval.models.protocols import Request
from kdeval.models.torch_hardware import HalvingBatches, PeakMemory, choose_device, choose_dtype
from kdeval.records import Response, Timing
from kdeval.store.fingerprints import value_digest

if TYPE_CHECKING:
    import torch

__all__ = ["CausalLM"]

Work = TypeVar("Work")
_DOCUMENTS = 256
_REFILLS = 4
"""Prompts at hand for every row of a batch: more keep it full for longer, and a kill loses them."""


class CausalLM(OpenCausalLM):
    """A model that `AutoModelForCausalLM` loads.

    Weights are read when the first request comes. Where memory does not suffice, the batch is
    halved and stays so. Answers do not depend on what else is in a batch, up to rounding.
    """

    def __init__(self, config: CausalLMConfig) -> None:
        self._config = config
        self._checkpoint = Checkpoint.from_config(config)
        self.batch_size = config.batch_size
        self.device = choose_device(config.device, name=config.name)
        self.dtype = choose_dtype(config.dtype, self.device, self._checkpoint.stored_dtype)
        self.bytes_on_disk: int | None = self._checkpoint.bytes_on_disk
        self.writing_batch_size = _REFILLS * config.batch_size
        self._batches = HalvingBatches(config.batch_size, self.device)
        self._memory = PeakMemory(self.device)
        self._content_free: dict[Split, ContinuationScore] = {}

    @cached_property
    def fingerprint(self) -> str:
        """Digest of weights, tokenizer, chat template, dtype, quantization and all settings."""
        settings = self._config.model_dump(
            mode="json",
            exclude={"name", "path", "tokenizer", "device", "dtype", "batch_size"},
        )
        if self._config.tool_format == "auto":
            del settings["tool_format"]
        return value_digest(["causal_lm", 1, self.dtype, settings, self._checkpoint.digest])

    @property
    def parameters(self) -> int | None:
        """Number of weights by the files' headers; without such, once the model is loaded."""
        found = self._checkpoint.parameters
        if found is None and "_loaded" in self.__dict__:
            found = sum(weight.numel() for weight in self._loaded.model.parameters())
        return found

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most memory that weights and work took; None until then, and where unknown."""
        return self._memory.bytes

    @property
    def scoring_batch_size(self) -> int:
        """Many documents fill an accelerator; their tokens are grouped here, as memory allows.

        A processor gains little by them and would lose more to a kill.
        """
        return self.batch_size if self.device == "cpu" else max(self.batch_size, _DOCUMENTS)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the answers should know of how they were computed."""
        made = [self.__dict__.get(name) for name in ("_scorer", "_writers")]
        if "_loaded" in self.__dict__:
            made.append(self._loaded.raw)
        found = [item.note for item in made if item is not None and item.note is not None]
        return tuple(dict.fromkeys([*self._noted, *found]))

    @cached_property
    def tools_problem(self) -> str | None:
        """Why it cannot be offered tools; None when it can. Reads the tokenizer, no weights."""
        known = self.__dict__.get("_loaded")
        tokenizer = load_tokenizer(self._checkpoint) if known is None else known.tokenizer
        return tools_problem(self._config, tokenizer)

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        """The label whose words are the likeliest continuation of the prompt."""
        return self._choose(requests)

    def score_choices(self, requests: Sequence[Request]) -> list[Response]:
        """The choice that is the likeliest continuation of the prompt."""
        return self._choose(requests)

    def score_texts(self, requests: Sequence[Request]) -> list[Response]:
        """How likely each text is after its context."""
        self._check(requests)
        loaded, start = self._loaded, time.perf_counter()
        splits = [
            _attempt(lambda one: text_split(one, loaded, self._config.too_long), request)
            for request in requests
        ]
        scores = iter(self.score_continuations([s for s in splits if isinstance(s, Split)]))
        responses = [
            likelihood_response(request, split, next(scores)) if isinstance(split, Split) else split
            for request, split in zip(requests, splits, strict=True)
        ]
        return _timed(responses, start)

    def log_likelihoods(self, requests: Sequence[Request]) -> list[Response]:
        """How likely each raw continuation is, to the token as lm-eval's HF model counts it."""
        self._check(requests)
        loaded, start = self._loaded, time.perf_counter()
        asked = raw_choices(requests, loaded.raw)
        splits = [s for item in asked if isinstance(item, RawChoices) for s in item.splits]
        scores = iter(self.score_continuations(splits))
        responses = [
            raw_response(item, scores) if isinstance(item, RawChoices) else item for item in asked
        ]
        return _timed(responses, start)

    def render_chat(
        self, messages: Sequence[Mapping[str, str]], *, add_generation_prompt: bool = True
    ) -> str:
        """The messages as the text that the model reads; the last one left open where no new
        one is to begin.
        """
        return self._loaded.prompts.rendered(messages, add_generation_prompt=add_generation_prompt)

    @property
    def chat_template(self) -> str:
        """The template that `render_chat` uses; "" where there is none."""
        return self._loaded.prompts.template

    def score_continuations(self, splits: Sequence[Split]) -> list[ContinuationScore]:
        """The log-likelihood of each continuation after its context."""
        with self._memory.watch():
            return self._scorer.score(splits)

    def vocabulary(self) -> Mapping[str, int]:
        """Token to its number."""
        found: Mapping[str, int] = self._loaded.tokenizer.get_vocab()
        return found

    def token_text(self, token: int) -> str:
        """What the token writes inside a text; a piece of a character as U+FFFD."""
        tokenizer = self._loaded.tokenizer
        anchor = tokenizer("a", add_special_tokens=False)["input_ids"]
        alone, both = (
            tokenizer.decode(ids, clean_up_tokenization_spaces=False)
            for ids in (anchor, [*anchor, token])
        )
        text: str = both[len(alone) :]
        return text

    def answer_splits(
        self, requests: Sequence[Request], answers: Sequence[str]
    ) -> list[Split | str]:
        """Each answer after its prompt, or why the model cannot read it."""
        found: list[Split | str] = []
        for request, answer in zip(requests, answers, strict=True):
            try:
                found.append(answer_split(request, answer, self._loaded, self._config.too_long))
            except TooLongError:
                found.append(f"longer than the {self._loaded.longest:,} tokens that it takes")
            except ValueError as error:
                found.append(str(error))
        return found

    def teacher_forced(self, split: Split, *, most_logits: int) -> Iterator[torch.Tensor]:
        """Logits before each token of the continuation, in pieces of at most so many numbers."""
        tokens = max(1, most_logits // max(1, len(self._loaded.tokenizer)))
        return forced_logits(self._loaded.model, split, tokens=tokens, device=self.device)

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """The answer to each prompt; of several samples the one that most agree with."""
        self._check(requests)
        loaded, start = self._loaded, time.perf_counter()
        asked = [
            _attempt(lambda one: writing(one, loaded, self._config), request)
            for request in requests
        ]
        with self._memory.watch():
            valid = [item for item in asked if isinstance(item, Writing)]
            written = iter(self._writers.write(valid))
        responses = [
            answered(item, next(written), start) if isinstance(item, Writing) else item
            for item in asked
        ]
        return responses if len(requests) == 1 else _timed(responses, start)

    def _choose(self, requests: Sequence[Request]) -> list[Response]:
        self._check(requests)
        loaded = self._loaded
        start = time.perf_counter()
        ballots = [_attempt(lambda one: self._ballot(one, loaded), request) for request in requests]
        valid = [item for item in ballots if isinstance(item, Ballot)]
        self._score_content_free(valid)
        scores = iter(self.score_continuations([s for item in valid for s in item.splits]))
        responses = [
            elected(
                item,
                [next(scores) for _ in item.splits],
                [self._content_free[split] for split in item.content_free],
                self._config.scoring,
            )
            if isinstance(item, Ballot)
            else item
            for item in ballots
        ]
        return _timed(responses, start)

    def _ballot(self, request: Request, loaded: LoadedModel) -> Ballot:
        found = ballot(request, loaded.prompts, self._config.scoring)
        splits = fit_splits(found.splits, loaded.longest, self._config.too_long)
        return dataclasses.replace(found, splits=splits)

    def _score_content_free(self, ballots: Sequence[Ballot]) -> None:
        """Scores those that no earlier request needed."""
        needed = dict.fromkeys(split for item in ballots for split in item.content_free)
        missing = [split for split in needed if split not in self._content_free]
        if missing:
            scores = self.score_continuations(missing)
            self._content_free.update(zip(missing, scores, strict=True))

    def _check(self, requests: Sequence[Request]) -> None:
        if any(request.image is not None for request in requests):
            raise ModelError(f"{self._config.name}: a causal_lm reads text, no images")
        if any(request.tools for request in requests) and self.tools_problem is not None:
            raise ModelError(f"{self._config.name}: {self.tools_problem}")

    @cached_property
    def _loaded(self) -> LoadedModel:
        loaded = LoadedModel.from_checkpoint(
            self._checkpoint, self._config, device=self.device, dtype=self.dtype
        )
        self._memory.own(loaded.model)
        return loaded

    @cached_property
    def _scorer(self) -> CheckedScorer:
        return CheckedScorer(
            self._loaded.model, device=self.device, dtype=self.dtype, batches=self._batches
        )

    @cached_property
    def _writers(self) -> Writers:
        return Writers(self._writer)

    def _writer(self, choice: TokenChoice) -> Writer:
        return CheckedWriter(
            self._loaded.model,
            choice,
            ends=self._loaded.ends,
            device=self.device,
            dtype=self.dtype,
            batches=self._batches,
        )


def _attempt(make: Callable[[Request], Work], request: Request) -> Work | Response:
    """The work that a request makes, or its failure when it cannot be carried out."""
    try:
        return make(request)
    except ValueError as error:
        return Response(error=str(error))


def _timed(responses: Sequence[Response], start: float) -> list[Response]:
    """One request: its time. Several: equal parts of the batch's, a latency that nobody sees.

    How long a text waited for its place in the batch stays.
    """
    each = (time.perf_counter() - start) / len(responses)
    origin: Literal["wall", "batch"] = "wall" if len(responses) == 1 else "batch"
    found = []
    for response in responses:
        waited = None if response.timing is None else response.timing.queue_s
        timing = Timing(origin=origin, total_s=each, queue_s=waited)
        done = response if response.error else dataclasses.replace(response, timing=timing)
        found.append(done)
    return found
