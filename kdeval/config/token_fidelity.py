"""Settings of the comparison of two language models token by token."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kdeval.config.base import Strict

__all__ = ["TokenFidelityConfig"]


class TokenFidelityConfig(Strict):
    """Teacher and student read the same texts, and their next-token distributions are compared.

    For suites where models write (generation, extraction) and language models with open weights.
    Teacher and student are in memory together.
    """

    text: Literal["teacher_output", "reference"] = Field(
        "teacher_output",
        description="which text follows the prompt: what the teacher wrote, which the student is "
        "to imitate; or the reference",
    )
    samples: int = Field(200, ge=1, description="at most so many samples a suite (stratified)")
