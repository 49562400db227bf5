"""What two language models on the same texts come to: divergence by token, and bits by byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kdeval.stats.interval import Interval

__all__ = [
    "BitsPerByte",
    "PlaceFigures",
    "TokenApart",
    "TokenFidelity",
    "WideToken",
    "without_text",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenApart:
    """Mean divergence of the student's next token from the teacher's, at one temperature.

    Attributes:
        kl: KL(teacher ‖ student) in nats a token.
        js: Jensen-Shannon in bits a token.
        teacher_entropy: in nats a token.
        student_entropy: in nats a token.
    """

    temperature: float
    kl: Interval
    js: Interval
    teacher_entropy: float
    student_entropy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFigures:
    """Tokens from `first` to `last` of the answers, counted from 1; None: to the end."""

    first: int
    last: int | None
    tokens: int
    kl: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class WideToken:
    """A token at which both models differ most.

    Attributes:
        before: what the text says before it, at most 40 characters; None in a report without
            text, as every token is.
        teacher_probability: of this token.
        student_probability: of this token.
        teacher_top: the token that the teacher holds likeliest there.
        student_top: the student's.
        teacher_top_probability: the teacher's, of its own.
        student_top_probability: the student's, of its own.
    """

    sample_id: str
    position: int
    before: str | None
    token: str | None
    kl: float
    teacher_probability: float
    student_probability: float
    teacher_top: str | None
    student_top: str | None
    teacher_top_probability: float
    student_top_probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BitsPerByte:
    """What the same UTF-8 text costs each model, in tokens of its own.

    Attributes:
        difference: student minus teacher, paired by text; positive: the student finds the texts
            less likely.
    """

    teacher: Interval
    student: Interval
    difference: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFidelity:
    """One suite; every interval takes texts (or the suite's clusters) as independent, not tokens.

    Attributes:
        text: what was read: the teacher's own output, or the reference.
        texts: that both read.
        left_out: reason to number of texts left out.
        tokens: tokens read by both; 0 where vocabularies differ.
        own_prompts: texts before which the two prompts differ.
        apart: at temperature 1, then at the distillation temperature; empty where vocabularies
            differ.
        same_top: share of tokens where both hold the same token likeliest; None likewise.
        half_share: the smallest share of the tokens that carries half of all KL; None likewise.
        places: KL by place in the answer.
        widest: tokens of the largest KL.
        bits: None where no text was read.
    """

    suite: str
    text: str
    texts: int
    left_out: Mapping[str, int]
    tokens: int
    own_prompts: int
    apart: tuple[TokenApart, ...]
    same_top: Interval | None
    half_share: float | None
    places: tuple[PlaceFigures, ...]
    widest: tuple[WideToken, ...]
    bits: BitsPerByte | None


def without_text(found: TokenFidelity) -> TokenFidelity:
    """The same figures, and no word of the texts."""
    return replace(found, widest=tuple(_wordless(item) for item in found.widest))


def _wordless(item: WideToken) -> WideToken:
    return replace(item, before=None, token=None, teacher_top=None, student_top=None)
