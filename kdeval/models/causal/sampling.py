"""A request as texts to write, and the texts as one response."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from kdeval.config.transformers_models import CausalLMConfig, GenerationSettings, ToolFormat
from kdeval.models.causal.answers import AnswerReader, majority
from kdeval.models.causal.fitting import fit_prompt
from kdeval.models.causal.loaded import LoadedModel
from kdeval.models.causal.token_choice import draws
from kdeval.models.causal.writing import Job, Written
from kdeval.models.protocols import Request
from kdeval.models.written_calls import CALL_MARKS, read_calls
from kdeval.records import Response, Timing

__all__ = ["Writing", "answered", "writing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """A request as jobs, one a sample, how tokens are chosen and how they are read.

    Attributes:
        tool_format: how tool calls are written; None where no tools are offered.
    """

    jobs: tuple[Job, ...]
    settings: GenerationSettings
    reader: AnswerReader
    tool_format: ToolFormat | None = None


def writing(request: Request, loaded: LoadedModel, config: CausalLMConfig) -> Writing:
    """What to write for the request.

    Raises:
        ValueError: the prompt is too long.
    """
    settings = _settings(request, config.generation)
    prompt, tokens, limit = _prompt(request, loaded, config)
    reader = _reader(request, prompt, loaded, settings)
    uniform = (
        draws(settings.seed, prompt, replicate=request.replicate, sample=sample, count=limit)
        for sample in range(settings.samples)
    )
    jobs = [Job(prompt=tokens, uniform=row.tolist(), finished=reader.finished) for row in uniform]
    return Writing(
        jobs=tuple(jobs),
        settings=settings,
        reader=reader,
        tool_format=config.tool_format if request.tools else None,
    )


def _reader(
    request: Request, prompt: str, loaded: LoadedModel, settings: GenerationSettings
) -> AnswerReader:
    """How the answer is read; a raw one as lm-eval's HF model reads it.

    There a special token ends the text when a stop string is part of what it stands for.
    """
    tags = settings.reasoning_tags
    stop = (*request.stop, *settings.stop)
    opened = tags is not None and prompt.rstrip().endswith(tags[0])
    if not request.raw:
        shown = {*stop, *(tags or ()), *(CALL_MARKS if request.tools else ())}
        hidden = frozenset(number for number, text in loaded.special.items() if text not in shown)
        return AnswerReader(
            tokenizer=loaded.tokenizer, hidden=hidden, tags=tags, stop=stop, opened=opened
        )
    ends = (*stop, *filter(None, [loaded.raw.end_text]))
    return AnswerReader(
        tokenizer=loaded.tokenizer,
        hidden=frozenset(number for number, t in loaded.special.items() if t not in (tags or ())),
        tags=tags,
        stop=ends,
        opened=opened,
        cleaned=None,
        stopping=frozenset(
            number for number, text in loaded.special.items() if any(end in text for end in ends)
        ),
    )


def _settings(request: Request, settings: GenerationSettings) -> GenerationSettings:
    """The model's own, but for what the request says; it then wants one answer."""
    if request.decoding is None:
        return settings
    return settings.model_copy(update={**asdict(request.decoding), "samples": 1})


def _prompt(
    request: Request, loaded: LoadedModel, config: CausalLMConfig
) -> tuple[str, tuple[int, ...], int]:
    """The prompt, its tokens, and how many may be written after it."""
    limit = request.max_new_tokens or config.generation.max_new_tokens
    if request.raw and isinstance(request.input, str):
        return request.input, loaded.raw.prompt(request.input, limit), limit
    prompt = loaded.prompts.for_writing(request)
    tokens, limit = fit_prompt(
        loaded.prompts.tokens(prompt), limit=limit, longest=loaded.longest, policy=config.too_long
    )
    return prompt.text, tokens, limit


def answered(asked: Writing, written: Sequence[Written], start: float) -> Response:
    """The answer that most samples agree with, and what writing all of them took.

    Args:
        asked: what was to be written.
        written: one text a job.
        start: clock (`time.perf_counter`) when the request came, for its timing.
    """
    settings = asked.settings
    answers = [asked.reader.read(item.tokens) for item in written]
    said = [_said(answer.text, asked.tool_format) for answer in answers]
    texts = tuple(one.answer or "" for one in said)
    log_probs = [value for item in written for value in item.log_probs]
    if not all(map(math.isfinite, log_probs)):
        return Response(error="the model's logits are not finite numbers")
    chosen, share = 0, None
    if len(texts) > 1 and settings.vote == "majority":
        chosen, share = majority(texts, settings.vote_pattern)
    reasoning = [answer.reasoning_tokens for answer in answers]
    return Response(
        output=said[chosen].output,
        tool_calls=said[chosen].tool_calls,
        confidence=share,
        input_tokens=len(asked.jobs[0].prompt),
        output_tokens=len(log_probs),
        reasoning_tokens=(
            None
            if settings.reasoning_tags is None
            else sum(count for count in reasoning if count is not None)
        ),
        mean_log_prob=math.fsum(log_probs) / len(log_probs),
        truncated=not written[chosen].ended,
        samples=texts if len(texts) > 1 else None,
        timing=_alone(written, start),
    )


def _said(text: str, form: ToolFormat | None) -> Response:
    """The text, without the tool calls in it where tools were offered, and the calls."""
    if form is None:
        return Response(output=text)
    rest, calls = read_calls(text, form)
    return Response(output=rest, tool_calls=calls)


def _alone(written: Sequence[Written], start: float) -> Timing:
    """The time of a request that had the machine to itself."""
    one = written[0]
    steps = len(one.log_probs) - 1
    streamed = len(written) == 1 and steps > 0
    return Timing(
        origin="wall",
        total_s=max(item.last_at for item in written) - start,
        queue_s=max(0.0, one.started_at - start),
        first_token_s=one.first_at - start,
        between_tokens_s=(one.last_at - one.first_at) / steps if streamed else None,
    )
