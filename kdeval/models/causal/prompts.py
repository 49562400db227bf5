"""From a request to the tokens that a language model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

from kdeval.config.transformers_models import CausalLMConfig
from kdeval.errors import ModelError
from kdeval.models.causal.tool_prompts import check_offered, template_message, template_tools
from kdeval.models.protocols import Request
from kdeval.records import Message

__all__ = ["Prompt", "Prompts", "Split"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt as one text.

    Attributes:
        rendered: a chat template made it, so it holds its own special tokens and ends where the
            assistant's words begin.
    """

    text: str
    rendered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Tokens of a prompt, and of what continues it; both have at least one."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]


class Prompts:
    """Renders and tokenizes as the configuration says.

    Raises:
        ModelError: a system prompt or `chat: always` without a chat template.
    """

    def __init__(self, config: CausalLMConfig, tokenizer: Any) -> None:
        self._config = config
        self._tokenizer = tokenizer
        self._templated = config.chat != "never" and bool(tokenizer.chat_template)
        if not self._templated and (config.system is not None or config.chat == "always"):
            what = "system" if config.system is not None else "chat: always"
            raise ModelError(
                f"{config.name}: {what} needs a chat template, and the tokenizer has none; put "
                "the instructions into the suite's input"
            )
        self._beginning, self._plain = _beginning(tokenizer), tokenizer.bos_token_id
        if self._plain is None:
            self._plain = tokenizer.eos_token_id

    def for_writing(self, request: Request) -> Prompt:
        """What the model continues when it writes.

        Raises:
            ValueError: the chat template refuses the messages, or leaves out a tool.
        """
        prompt = self._prompt(request.input, wrap=True, tools=request.tools)
        check_offered(prompt.text, request.tools)
        return prompt

    def for_choosing(self, request: Request) -> Prompt:
        """What the choices continue.

        Raises:
            ValueError: the chat template refuses the messages.
        """
        return self._prompt(request.input, wrap=self._config.chat == "always")

    def content_free(self, text: str) -> Prompt:
        """The same of a prompt without content."""
        return self._prompt(text, wrap=self._config.chat == "always")

    def tokens(self, prompt: Prompt) -> list[int]:
        """Token ids; at least one.

        Raises:
            ValueError: the prompt is empty, and the tokenizer has no token to begin with.
        """
        return list(self._begun(self._encode(prompt.text, prompt.rendered)))

    def splits(self, prompt: Prompt, options: Sequence[str]) -> list[Split]:
        """The prompt with each option after it, cut where the option begins.

        Prompt and option are tokenized as one text, as the model would have read them. Where
        that merges the prompt's end with the option's beginning, the cut goes back to the last
        token that the prompt shares with all of the joined texts; so the continuations of one
        request all cover the same part of the prompt, and their likelihoods compare.

        Raises:
            ValueError: an option is empty, or no token is left to come before it.
        """
        alone = self._encode(prompt.text, prompt.rendered)
        joined = [self._encode(prompt.text + option, prompt.rendered) for option in options]
        cut = min(_shared(alone, ids) for ids in joined)
        for option, ids in zip(options, joined, strict=True):
            if not option or len(ids) <= cut:
                raise ValueError(f"the choice {option!r} has no token of its own")
        return [
            Split(context=self._begun(ids[:cut]), continuation=tuple(ids[cut:])) for ids in joined
        ]

    @property
    def template(self) -> str:
        """The chat template; "" where none is used."""
        return str(self._tokenizer.chat_template) if self._templated else ""

    def rendered(
        self, messages: Sequence[Mapping[str, str]], *, add_generation_prompt: bool
    ) -> str:
        """The messages through the chat template; it may begin with special tokens.

        Raises:
            ModelError: there is no chat template, or it does not take the messages.
        """
        if not self._templated:
            why = "the tokenizer has none" if self._config.chat != "never" else "chat: never"
            raise ModelError(f"{self._config.name}: messages need a chat template: {why}")
        asked = [dict(message) for message in messages]
        if self._config.system is not None and asked and asked[0]["role"] != "system":
            asked.insert(0, {"role": "system", "content": self._config.system})
        try:
            return self._template(asked, add_generation_prompt)
        except jinja2.TemplateError:
            pass
        try:
            return self._template(
                [m for m in asked if m["role"] != "system"], add_generation_prompt
            )
        except jinja2.TemplateError as error:
            raise ModelError(
                f"{self._config.name}: the chat template refuses the messages: {error}"
            ) from error

    def _template(self, messages: Sequence[Mapping[str, str]], prompt: bool) -> str:
        text: str = self._tokenizer.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=prompt,
            continue_final_message=not prompt,
            **self._config.template_options,
        )
        return text

    def separated(self, prompt: Prompt, option: str) -> str:
        """The option with what stands between it and the prompt."""
        separator = self._config.scoring.separator
        if separator is None:
            spaced = prompt.rendered or not prompt.text or prompt.text[-1].isspace()
            separator = "" if spaced or option[:1].isspace() else " "
        return separator + option

    def _prompt(
        self, asked: str | tuple[Message, ...], *, wrap: bool, tools: Sequence[str] = ()
    ) -> Prompt:
        if not self._templated:
            if isinstance(asked, str):
                return Prompt(text=asked, rendered=False)
            lines = [f"{message.role}: {message.text}" for message in asked]
            return Prompt(text="\n".join([*lines, "assistant:"]), rendered=False)
        if isinstance(asked, str) and not wrap:
            return Prompt(text=asked, rendered=False)
        messages = (
            [{"role": "user", "content": asked}]
            if isinstance(asked, str)
            else [template_message(message) for message in asked]
        )
        if self._config.system is not None and messages[0]["role"] != "system":
            messages.insert(0, {"role": "system", "content": self._config.system})
        options = {**self._config.template_options, **template_tools(tools)}
        try:
            text = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, **options
            )
        except jinja2.TemplateError as error:
            raise ValueError(f"the chat template refuses the messages: {error}") from error
        return Prompt(text=text, rendered=True)

    def _begun(self, ids: Sequence[int]) -> tuple[int, ...]:
        """The tokens, or the one that begins a text where there are none."""
        if not ids and self._plain is None:
            raise ValueError(
                "no token comes before what is to be predicted, and the tokenizer has none to "
                "begin a text with (bos or eos): let the input begin with some text"
            )
        return tuple(ids) or (self._plain,)

    def _encode(self, text: str, rendered: bool) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids if rendered else [*self._beginning, *ids]


def _beginning(tokenizer: Any) -> list[int]:
    """Special tokens that the tokenizer puts before a text; those after it would end the text."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full: list[int] = tokenizer("a")["input_ids"]
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            return full[:start]
    return []


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the common beginning."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
