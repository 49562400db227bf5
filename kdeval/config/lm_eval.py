"""Settings of lm-eval tasks in a run: `lm_eval: [arc_easy]`, or a mapping with more said."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from kdeval.config.base import Strict

__all__ = ["LmEvalConfig"]


class LmEvalConfig(Strict):
    """Tasks, groups and tags of lm-evaluation-harness, run by lm-eval itself over every model."""

    tasks: list[str] = Field(
        min_length=1, description="names of lm-eval tasks, groups and tags, own or built in"
    )
    num_fewshot: int | None = Field(
        None, ge=0, description="examples in the prompt; default: each task's own"
    )
    limit: int | None = Field(
        None, ge=1, description="only the first documents of each task, as lm-eval's own --limit"
    )
    include_path: list[str] = Field(
        default_factory=list,
        description="directories with task files of your own, relative to this file",
    )
    apply_chat_template: bool = Field(
        False, description="every model's own chat template around the prompt"
    )
    fewshot_as_multiturn: bool | None = Field(
        None, description="each example as turns of its own; default: with a chat template, yes"
    )
    system_instruction: str | None = Field(None, description="system prompt of every request")
    gen_kwargs: dict[str, Any] = Field(
        default_factory=dict, description="over the tasks' own generation settings"
    )
    unsafe_code: bool = Field(
        False, description="run tasks that execute what models write, such as humaneval"
    )
    role: Literal["benchmark", "production"] | None = Field(
        "benchmark", description="as of a suite: a benchmark, or your own traffic"
    )

    @field_validator("include_path", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> LmEvalConfig:
        twice = sorted({name for name in self.tasks if self.tasks.count(name) > 1})
        if twice:
            raise ValueError(f"tasks: {twice[0]!r} is listed twice")
        if self.fewshot_as_multiturn and not self.apply_chat_template:
            raise ValueError("fewshot_as_multiturn goes with apply_chat_template: true")
        return self

    def relative_to(self, base: Path) -> LmEvalConfig:
        """The same with its directories below `base`."""
        return self.model_copy(update={"include_path": [str(base / p) for p in self.include_path]})
