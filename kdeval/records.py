"""The records that every stage reads and writes: Sample, Prediction, Score, ScoredPair, RunHeader.

Absent is unknown: an optional field is None, never 0, NaN or "".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "Aggregation",
    "Corpus",
    "Image",
    "Kind",
    "Message",
    "Metric",
    "Prediction",
    "Response",
    "RunHeader",
    "Sample",
    "Score",
    "ScoredPair",
    "SuiteKind",
    "Timing",
    "ToolCall",
    "canonical_json",
    "input_text",
]

Aggregation = Literal["mean", "ratio_of_sums", "exp_ratio_of_sums", "macro_f1", "mcc", "bleu"]
"""How a set is scored: by the mean of its samples' scores, or by a function of the sum of their
sufficient statistics (`kdeval.stats.sets.aggregates`)."""

SuiteKind = Literal[
    "classification", "multiple_choice", "extraction", "generation", "likelihood", "retrieval"
]
"""What a suite of the user's may ask."""

Kind = Literal[SuiteKind, "loglikelihood"]
"""What a model may be asked; "loglikelihood" is what lm-eval's tasks ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A function that a model wants called, or one that it called earlier in a conversation.

    Attributes:
        name: of the function; None where the model told none that can be read.
        arguments: the JSON object of the arguments, or the text that was written instead of one.
        valid: the arguments are a JSON object and the name was told.
        id: what the message with the function's answer refers to; None where nothing does.
    """

    name: str | None
    arguments: Any
    valid: bool = True
    id: str | None = None

    @property
    def text(self) -> str:
        """One line: `call get_weather({"city": "Oslo"})`, keys in order and 1.0 written as 1.

        Of one that is not valid `call get_weather, not valid: {"city": "Os`.
        """
        if self.valid:
            return f"call {self.name}({canonical_json(self.arguments)})"
        told = self.arguments if isinstance(self.arguments, str) else canonical_json(self.arguments)
        return f"call {self.name or '?'}, not valid: {' '.join(told.split())}"


def canonical_json(value: Any) -> str:
    """JSON text that is the same for equal values: keys in order, 1.0 written as 1."""
    return json.dumps(_whole(value), ensure_ascii=False, sort_keys=True)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One chat message.

    Attributes:
        content: "" where an assistant's message only calls tools.
        tool_calls: what an assistant's message calls.
        tool_call_id: of a tool's message: the id of the call that it answers.
        name: of a tool's message: the function that answers.
    """

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None

    @property
    def text(self) -> str:
        """The content, and each call on a line of its own."""
        calls = [call.text for call in self.tool_calls]
        return "\n".join([self.content, *calls] if self.content else calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that is asked about: a file, or its bytes; exactly one of `path` and `data`.

    Attributes:
        sha256: digest of the bytes, so that a changed file is asked again.
    """

    sha256: str
    path: str | None = None
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Documents that queries are asked of.

    Attributes:
        sha256: digest of ids and texts, so that changed documents are ranked again.
        ids: of the documents, in order.
        depth: how many of them an answer ranks.
    """

    sha256: str
    ids: tuple[str, ...] = field(repr=False)
    texts: tuple[str, ...] = field(repr=False)
    depth: int = 100
    known: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    def __contains__(self, document: str) -> bool:
        return document in (self.known or self.ids)


def input_text(asked: str | tuple[Message, ...]) -> str:
    """The prompt itself, or chat messages as "role: content" lines."""
    if isinstance(asked, str):
        return asked
    return "\n".join(f"{message.role}: {message.text}" for message in asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One thing to ask, with what a right answer is when that is known.

    Attributes:
        id: unique within its suite.
        suite: name of the suite it belongs to.
        task: the task it is an instance of; routing decides per task. Defaults to the suite.
        input: the rendered prompt, or chat messages.
        reference: the right answer (a label, a choice, a text or a JSON value) or None.
        choices: the answers of a multiple-choice sample, in order.
        labels: the closed label set of a classification suite.
        slices: tag name to tag value, for example {"domain": "tweets"}.
        cluster: key of the conversation, document, template or prompt that it shares with others.
        content_hash: digest of what is asked and of the reference; two runs pair by it.
        image: the image that is asked about, in suites with images.
        corpus: the documents that are ranked, in suites of retrieval.
        stop: a generated text ends before the first of these.
        max_new_tokens: limit of a generated text; None: the model's own setting.
        tools: functions that may be called, each an OpenAI-style definition as JSON text.
        response_schema: the JSON Schema of the answer, as JSON text.
    """

    id: str
    suite: str
    task: str
    kind: Kind
    input: str | tuple[Message, ...]
    reference: Any = None
    choices: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    slices: Mapping[str, str] = field(default_factory=dict)
    cluster: str | None = None
    source: str | None = None
    content_hash: str
    image: Image | None = None
    stop: tuple[str, ...] = ()
    max_new_tokens: int | None = None
    corpus: Corpus | None = None
    tools: tuple[str, ...] = ()
    response_schema: str | None = None

    @property
    def text(self) -> str:
        """The input as one text: the prompt itself, or "role: content" lines."""
        return input_text(self.input)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds, on the named clock; a part that was not measured is None.

    Attributes:
        origin: "wall" (one request at a time), "batch" (the batch's time shared out, no latency
            anybody would see) or "recorded" (told by a log).
        total_s: from the request being sent to the last byte of the answer.
        first_token_s: to the first token of a streamed answer.
        between_tokens_s: mean time between a token and the next, after the first.
        queue_s: waiting before work on it began.
    """

    origin: Literal["wall", "batch", "recorded"]
    total_s: float | None = None
    first_token_s: float | None = None
    between_tokens_s: float | None = None
    queue_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a model answers to one request; exactly one of `output` and `error` may be absent.

    Attributes:
        output: the label, the chosen choice's index as text, the generated text, the text whose
            likelihood was asked, or the ranked document ids as a JSON list. None only
            beside an error, or for a recorded prediction that has just a score. "" where a model
            only calls tools.
        tool_calls: what it calls; () of a model that was offered tools and calls none; None where
            no tools were offered, or nothing is known of calls.
        log_probs: natural-log probability per label, or per choice index as text; of
            "loglikelihood" each continuation's own, so that they need not sum to one.
        greedy: of "loglikelihood" whether each continuation is what greedy decoding would write.
        top_log_probs: natural-log probability of the likeliest tokens at the place that decides
            the answer, at temperature 1, as an API tells them; they need not sum to one.
        confidence: the model's probability that its output is right, in [0, 1].
        score: a score in the user's own unit that a log carries; only recorded predictions.
        output_tokens: tokens written in all: every sample, reasoning and end tokens included.
        reasoning_tokens: those of them that are reasoning, which `output` leaves out; None where
            reasoning cannot be told from the answer.
        mean_log_prob: mean natural-log probability of the `output_tokens` as they were written.
        truncated: the output ended because no more tokens were allowed.
        samples: every answer where one prompt was answered several times, `output` included.
        cost_usd: what this response cost when it was made.
        marks: score by metric, of an exported answer that comes without its text.
        error: why there is no answer: an infrastructure failure, never a wrong answer.
    """

    output: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    log_probs: Mapping[str, float] | None = None
    greedy: tuple[bool, ...] | None = None
    top_log_probs: Mapping[str, float] | None = None
    confidence: float | None = None
    score: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    mean_log_prob: float | None = None
    truncated: bool | None = None
    samples: tuple[str, ...] | None = None
    timing: Timing | None = None
    cost_usd: float | None = None
    marks: Mapping[str, Score] | None = None
    error: str | None = None

    @property
    def answer(self) -> str | None:
        """The output, and each tool call on a line of its own; None where there is no answer."""
        calls = [call.text for call in self.tool_calls or ()]
        return "\n".join([self.output, *calls] if self.output else calls) if calls else self.output


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A response, with whose it is and to what.

    Attributes:
        response_keys: content hash of (model fingerprint, request, decoding, replicate); several
            where the sample took several requests.
        cached: it was in the store before this run asked, so it is not counted as spend.
    """

    sample_id: str
    response_keys: tuple[str, ...]
    model_fingerprint: str
    replicate: int = 0
    response: Response
    cached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a scorer's number means.

    Attributes:
        name: the scorer's name as reports print it.
        higher_is_better: direction.
        low: smallest possible value, None when unbounded.
        high: largest possible value, None when unbounded.
        chance: score of guessing, where that is defined for the sample set.
        aggregation: how a set is scored. With any but "mean", a sample's own score only says how
            it went there.
    """

    name: str
    higher_is_better: bool = True
    low: float | None = 0.0
    high: float | None = 1.0
    chance: float | None = None
    aggregation: Aggregation = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A finite value, or None with the reason why there is none.

    Attributes:
        statistics: sufficient statistics, where the metric's aggregation is no mean.
    """

    scorer: str
    value: float | None
    reason: str | None = None
    statistics: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPair:
    """One sample with the teacher's and one student's prediction, both marked by one scorer."""

    sample: Sample
    student: str
    teacher_prediction: Prediction
    student_prediction: Prediction
    teacher_score: Score
    student_score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader:
    """Where an artefact comes from, enough to make it again.

    Attributes:
        created: ISO 8601 time in UTC.
        versions: package name to version.
        git_revision: of the directory the command ran in, with "+dirty" when it had changes.
        models: model name to its fingerprint.
        suites: suite name to the fingerprint of its samples.
        hardware: processor, core count, accelerator, operating system.
        command: the command line that made it, without secrets.
    """

    created: str
    kdeval: str
    versions: Mapping[str, str]
    git_revision: str | None
    seed: int
    models: Mapping[str, str]
    suites: Mapping[str, str]
    hardware: Mapping[str, str]
    command: str | None = None
