"""Teacher and student read the same texts; what differs is written down token by token."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from kdeval.config.token_fidelity import TokenFidelityConfig
from kdeval.diagnostics.token_divergence import NotFiniteError, token_figures
from kdeval.errors import ModelError
from kdeval.models.causal.prompts import Split
from kdeval.models.protocols import Request
from kdeval.models.white_box import TokenScorer
from kdeval.records import Response, Sample
from kdeval.run.requests import as_request
from kdeval.store.tokens import TokenWriter

__all__ = ["SuiteTexts", "measure_tokens"]

_MOST_LOGITS = 9_000_000
"""Numbers of one piece of one model: 36 MB in float32, about ten times that while computing.

More than 32 MiB, so that the C library gives each piece back to the system: smaller ones fragment
the heap, which then grows with the length of the text.
"""

_TOKENS = ("teacher_top", "student_top")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteTexts:
    """Samples of one suite with the teacher's answers to them."""

    suite: str
    samples: tuple[Sample, ...]
    answers: tuple[Response, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Teacher and one student."""

    teacher: TokenScorer
    student: TokenScorer
    shared: bool
    temperature: float


def measure_tokens(
    teacher: TokenScorer,
    students: Mapping[str, TokenScorer],
    suites: tuple[SuiteTexts, ...],
    *,
    settings: TokenFidelityConfig,
    temperature: float,
    directory: Path,
    described: Mapping[str, object],
    progress: Callable[[str, int, int], None],
) -> None:
    """Writes the two files of `kdeval.store.tokens`.

    Each model reads its own rendering of the prompt, as when it answers. Where both have the same
    vocabulary they then read the same tokens, those that the teacher's tokenizer makes of the
    text, and their distributions are compared; else each reads the text in tokens of its own, and
    only the bits that it takes are. Both models are in memory; of the distributions only one piece
    of a text is, at any time.

    Args:
        teacher: with open weights.
        students: name to student with open weights.
        suites: whose texts are read.
        settings: which text it is.
        temperature: of distillation.
        directory: where the files go, whole or not at all.
        described: what `kdeval.store.tokens.read_settings` gives back.
        progress: called with (student, done, total).
    """
    vocabulary = teacher.vocabulary()
    total = sum(len(suite.samples) for suite in suites)
    with TokenWriter(directory, described) as writer:
        for name, student in students.items():
            reader = _Reader(
                teacher=teacher,
                student=student,
                shared=student.vocabulary() == vocabulary,
                temperature=temperature,
            )
            word = cache(teacher.token_text)
            progress(name, 0, total)
            for done, (suite, sample, answer) in enumerate(_each(suites), start=1):
                key = {"suite": suite, "student": name, "sample_id": sample.id}
                text = _text(sample, answer, settings)
                row, tokens, figures = _read(reader, as_request(sample), text)
                if figures is not None:
                    figures = {
                        **figures,
                        "position": range(len(tokens)),
                        "token": [*map(word, tokens)],
                        **{name: [word(int(t)) for t in figures[name]] for name in _TOKENS},
                    }
                writer.add({**key, **row}, figures)
                progress(name, done, total)


def _each(suites: tuple[SuiteTexts, ...]) -> Iterator[tuple[str, Sample, Response]]:
    for suite in suites:
        for sample, answer in zip(suite.samples, suite.answers, strict=True):
            yield suite.suite, sample, answer


@dataclass(frozen=True, slots=True)
class _LeftOut:
    reason: str


def _text(sample: Sample, answer: Response, settings: TokenFidelityConfig) -> str | _LeftOut:
    """The text that follows the prompt."""
    if settings.text == "reference":
        if isinstance(sample.reference, str) and sample.reference:
            return sample.reference
        return _LeftOut("the reference is no text")
    if answer.error is not None or answer.output is None:
        return _LeftOut("the teacher gave no answer")
    if answer.reasoning_tokens:
        return _LeftOut("the teacher reasoned before its answer, and its reasoning is not kept")
    if answer.tool_calls:
        return _LeftOut("the teacher called tools, and how it wrote that is not kept")
    return answer.output or _LeftOut("the teacher's answer is empty")


def _read(
    reader: _Reader, request: Request, text: str | _LeftOut
) -> tuple[dict[str, Any], tuple[int, ...], Mapping[str, Any] | None]:
    """The row of the text, its tokens, and the figures of each of them where they are shared."""
    if isinstance(text, _LeftOut):
        return {"reason": text.reason}, (), None
    splits = []
    for side, model in (("teacher", reader.teacher), ("student", reader.student)):
        split = model.answer_splits([request], [text])[0]
        if isinstance(split, str):
            return {"reason": f"{side}: {split}"}, (), None
        splits.append(split)
    first, second = splits
    if reader.shared:
        second = replace(second, continuation=first.continuation)
    try:
        bits, figures = _measured(reader, first, second)
    except NotFiniteError as error:
        return {"reason": str(error)}, (), None
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ModelError(
            "token_fidelity holds teacher and student in memory together, and they do not fit: "
            "give one of them a smaller dtype, quantization or another device, or leave "
            "token_fidelity out; what was asked is kept"
        ) from error
    row = {
        "bytes": len(text.encode("utf-8")),
        "teacher_bits": bits[0],
        "student_bits": bits[1],
        "teacher_tokens": len(first.continuation),
        "student_tokens": len(second.continuation),
        "same_tokens": reader.shared,
        "same_prompt": reader.shared and first.context == second.context,
    }
    return row, first.continuation, figures


def _measured(
    reader: _Reader, first: Split, second: Split
) -> tuple[list[float], Mapping[str, Any] | None]:
    """Bits that teacher and student spend on the text, and figures by token."""
    figures = None
    if reader.shared:
        pieces = zip(
            reader.teacher.teacher_forced(first, most_logits=_MOST_LOGITS),
            reader.student.teacher_forced(second, most_logits=_MOST_LOGITS),
            strict=True,
        )
        figures = token_figures(pieces, first.continuation, temperature=reader.temperature)
        names = ("teacher_log_prob", "student_log_prob")
        sums = [float(figures[name].sum(dtype="float64")) for name in names]
    else:
        sums = [
            reader.teacher.score_continuations([first])[0].log_prob,
            reader.student.score_continuations([second])[0].log_prob,
        ]
    if not all(map(math.isfinite, sums)):
        raise NotFiniteError("a token of the text has probability 0, or logits are not finite")
    return [-value / math.log(2) for value in sums], figures
