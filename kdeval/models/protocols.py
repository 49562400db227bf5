"""What a model must offer: small protocols; a capability is an isinstance check.

A model answers a batch of requests with one `Response` each, in order. To say that a single
request failed it returns `Response(error=...)`; when it raises, the batch is asked again one by
one, so that a single bad request never takes others with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from kdeval.records import Corpus, Image, Kind, Message, Response, input_text

__all__ = [
    "METHODS",
    "AnsweredBefore",
    "ChoiceScorer",
    "Classifier",
    "ContinuationScorer",
    "Decoding",
    "Embedder",
    "Generator",
    "LikelihoodScorer",
    "Model",
    "Ranker",
    "Request",
    "Unloadable",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How tokens are chosen: greedily at temperature 0."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing asked of a model, free of the reference, so that no model can see the answer.

    Attributes:
        sample_id: only recorded predictions look at it.
        input: the rendered prompt, or chat messages.
        labels: the closed label set; classification only.
        choices: the answers to choose from in multiple choice; of likelihood the one text; of
            loglikelihood the continuations of exactly this input.
        replicate: 0, 1, ... for repeats of the same request.
        image: the image asked about.
        stop: a generated text ends before the first of these.
        max_new_tokens: limit of a generated text; None: the model's own setting.
        corpus: the documents to rank; retrieval only.
        raw: a text as input is continued as it is: no chat template, nothing added.
        rolling: the one choice is a whole text, scored window by window; loglikelihood only.
        decoding: how a text is written; None: as the model's own settings say.
        tools: functions that may be called, each an OpenAI-style definition as JSON text
            ({"type": "function", "function": {"name", "description", "parameters"}}).
        response_schema: the JSON Schema of the answer, as JSON text.
    """

    sample_id: str
    suite: str
    kind: Kind
    input: str | tuple[Message, ...]
    labels: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    replicate: int = 0
    image: Image | None = None
    stop: tuple[str, ...] = ()
    max_new_tokens: int | None = None
    corpus: Corpus | None = None
    raw: bool = False
    rolling: bool = False
    decoding: Decoding | None = None
    tools: tuple[str, ...] = ()
    response_schema: str | None = None

    @property
    def text(self) -> str:
        """The input as one text: the prompt itself, or "role: content" lines."""
        return input_text(self.input)


@runtime_checkable
class Model(Protocol):
    """Every model.

    `fingerprint` is a digest of all that its answers depend on (weights, tokenizer, chat
    template, dtype, decoding), so that a changed model is asked again. A model may also declare
    `answers_by_id = True` (its answers depend on the sample's id: recorded predictions),
    `batch_size: int` (how many requests it likes at a time; 32 unless told),
    `scoring_batch_size: int` and `writing_batch_size: int` (the same where continuations are
    scored and where texts are written, if it differs) and
    `max_concurrency: int` (how many batches it takes at once, each from a thread of its own; 1
    unless told). `shareable = False` keeps its answers out of caches that runs share, and
    `expires_after_s: float` lets them serve from there for so long only.
    """

    @property
    def fingerprint(self) -> str:
        """Digest of everything that the answers depend on."""


@runtime_checkable
class Classifier(Model, Protocol):
    """Chooses one of a closed set of labels."""

    def classify(self, requests: Sequence[Request]) -> Sequence[Response]:
        """Responses whose output is one of the request's labels, with `log_probs` per label."""


@runtime_checkable
class ChoiceScorer(Model, Protocol):
    """Gives each choice of a multiple-choice request a log-probability."""

    def score_choices(self, requests: Sequence[Request]) -> Sequence[Response]:
        """Responses whose output is the index of the best choice as text ("0", "1", ...)."""


@runtime_checkable
class Generator(Model, Protocol):
    """Writes text: generation and extraction."""

    def generate(self, requests: Sequence[Request]) -> Sequence[Response]:
        """Responses whose output is the generated text.

        To a request with `tools` they have `tool_calls` too: () where none is called. A model may
        declare `tools_problem: str | None` (why it cannot be offered tools; None when it can) and
        `keeps_schema = True` (it is told the request's response schema, or held to it).
        """


@runtime_checkable
class LikelihoodScorer(Model, Protocol):
    """Says how likely it holds a given text: perplexity and bits per byte."""

    def score_texts(self, requests: Sequence[Request]) -> Sequence[Response]:
        """Responses with the text (`choices[0]`) as output, its `output_tokens` and their
        `mean_log_prob` after the input.
        """


@runtime_checkable
class ContinuationScorer(Model, Protocol):
    """Says how likely it holds each of several continuations of a raw text."""

    def log_likelihoods(self, requests: Sequence[Request]) -> Sequence[Response]:
        """Responses with each continuation's summed `log_probs` and whether it is `greedy`.

        The output is the index of the likeliest. A context may be empty, and nothing is put
        between it and a continuation. Of a `rolling` request the one text counts as a whole,
        however long it is.
        """


@runtime_checkable
class Ranker(Model, Protocol):
    """Ranks the documents of a corpus for a query."""

    def rank(self, requests: Sequence[Request]) -> Sequence[Response]:
        """Responses whose output is a JSON list of document ids, the best first."""


@runtime_checkable
class Embedder(Model, Protocol):
    """Gives texts vectors; a model of your own with this alone ranks by cosine."""

    def embed(self, texts: Sequence[str], *, role: Literal["query", "document"]) -> Any:
        """An array of shape (n, d)."""


@runtime_checkable
class Unloadable(Protocol):
    """Holds weights that it can read again."""

    @property
    def in_memory(self) -> bool:
        """Whether the weights are in memory."""

    def release(self) -> None:
        """Forgets the weights; the next request reads them again."""


@runtime_checkable
class AnsweredBefore(Protocol):
    """Wants to know whether an earlier command has answers of it, of the same fingerprint.

    What a server refuses is then told apart from a setting that it refuses everything for.
    """

    answered_before: bool


METHODS: Mapping[Kind, str] = {
    "classification": "classify",
    "multiple_choice": "score_choices",
    "extraction": "generate",
    "generation": "generate",
    "likelihood": "score_texts",
    "loglikelihood": "log_likelihoods",
    "retrieval": "rank",
}
"""The method that answers each kind of request."""
