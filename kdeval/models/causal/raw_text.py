"""Raw texts as tokens, exactly as lm-eval's HF model makes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdeval.models.causal.prompts import Split

__all__ = ["RawText", "Tokens", "context_window", "unapplied"]

_POSITIONS = ("n_positions", "max_position_embeddings", "n_ctx")
_PROCESSORS = (
    "repetition_penalty", "no_repeat_ngram_size", "bad_words_ids", "suppress_tokens",
    "begin_suppress_tokens", "min_length", "min_new_tokens", "sequence_bias",
)  # fmt: skip
_NO_LIMIT = 10**29
_DEFAULT_WINDOW = 2048


def context_window(model: Any, tokenizer: Any, wanted: int | None) -> int:
    """How many tokens lm-eval's HF model feeds at most: by the model, else the tokenizer, or 2048.

    Args:
        model: of transformers.
        tokenizer: of the model.
        wanted: a smaller limit, or None.
    """
    settings = getattr(model.config, "text_config", None) or model.config
    named = (getattr(settings, name, None) for name in _POSITIONS)
    found = next((int(value) for value in named if value is not None), None)
    if found is None:
        limit = getattr(tokenizer, "model_max_length", None)
        found = int(limit) if limit is not None and limit < _NO_LIMIT else _DEFAULT_WINDOW
    return found if wanted is None else min(found, wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Text to token ids.

    Attributes:
        begun: with the special tokens that the tokenizer begins a text with.
        bare: without.
    """

    begun: Mapping[str, list[int]]
    bare: Mapping[str, list[int]]


def unapplied(model: Any) -> dict[str, Any]:
    """Settings of the model's own generation file that lm-eval's HF model applies to any text."""
    found = {name: getattr(model.generation_config, name, None) for name in _PROCESSORS}
    return {name: value for name, value in found.items() if value and value != 1}


class RawText:
    """Tokenizes contexts, continuations and whole texts.

    Attributes:
        window: tokens that are fed at most.
        cut: how many continuations and prompts lost the beginning of their context to it.
        written: how many prompts were made.
    """

    def __init__(
        self, tokenizer: Any, *, window: int, unapplied: Mapping[str, Any] | None = None
    ) -> None:
        self.window = window
        self.cut = self.written = 0
        self._unapplied = unapplied or {}
        self._tokenizer = tokenizer
        bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
        self._prefix: int | None = eos if bos is None else bos
        self._prefix_text = None if self._prefix is None else tokenizer.decode([self._prefix])
        self.end_text: str | None = None if eos is None else tokenizer.decode([eos])

    @property
    def note(self) -> str | None:
        """What sets answers apart from what the whole prompt, or lm-eval, would give; or None."""
        lines = []
        if self.cut:
            whose = "its" if self.cut == 1 else "their"
            lines.append(
                f"{self.cut:,} of lm-eval's prompts lost {whose} beginning: the model takes "
                f"{self.window:,} tokens"
            )
        if self.written and self._unapplied:
            names = ", ".join(f"{name}: {value}" for name, value in self._unapplied.items())
            lines.append(
                f"its generation_config.json says {names}, which lm-eval's HF model applies to "
                "texts and kdeval does not"
            )
        return "; ".join(lines) or None

    def tokens(
        self, asked: Iterable[tuple[str, Sequence[str]]], whole: Iterable[str] = ()
    ) -> Tokens:
        """The tokens of everything that scoring needs, each text once.

        Args:
            asked: contexts with their continuations.
            whole: texts for `windows`.
        """
        begun, bare = set(whole), set[str]()
        for context, choices in asked:
            if context:
                begun.add(context.rstrip())
                begun.update(context + choice for choice in choices)
            else:
                bare.update(choices)
        return Tokens(begun=self._encoded(begun), bare=self._encoded(bare, special=False))

    def continuations(self, context: str, choices: Sequence[str], tokens: Tokens) -> list[Split]:
        """Each choice's tokens after the context's, which may lose its beginning.

        Context and choice are tokenized as one text and cut after as many tokens as the context
        has alone; white space at its end counts as the choice's.

        Raises:
            ValueError: a choice has no token of its own, or too many.
        """
        found = []
        for choice in choices:
            before, after = self._pair(context, choice, tokens)
            if not after:
                raise ValueError(f"the continuation {choice!r} has no token of its own")
            found.append(self._fitted(before, after))
        return found

    def windows(self, text: str, tokens: Tokens) -> list[Split]:
        """The whole text in windows, each token predicted once; none for an empty text.

        The first window follows the prefix token, a full one the one token before it, and the
        last one as many as fit.

        Raises:
            ValueError: the tokenizer has no token to begin with.
        """
        ids = tokens.begun[text]
        if not ids:
            return []
        first = ids[: self.window]
        found = [Split(context=(self._beginning(),), continuation=tuple(first))]
        for done in range(len(first), len(ids), self.window):
            end = min(len(ids), done + self.window)
            before = ids[end - self.window - 1 : done]
            found.append(Split(context=tuple(before), continuation=tuple(ids[done:end])))
        return found

    def prompt(self, text: str, limit: int) -> tuple[int, ...]:
        """Tokens to continue by `limit` others; a long text loses its beginning.

        Raises:
            ValueError: the window has no room for a prompt beside so many tokens.
        """
        if limit >= self.window:
            raise ValueError(
                f"{limit} tokens may be written, and the model takes {self.window} of prompt and "
                "answer together: ask for fewer"
            )
        self.written += 1
        bos = self._tokenizer.bos_token
        special = bos is None or not text.startswith(bos)
        ids: list[int] = self._tokenizer(text, add_special_tokens=special, verbose=False)[
            "input_ids"
        ]
        self.cut += len(ids) > self.window - limit
        return tuple(ids[limit - self.window :]) or (self._beginning(),)

    def _pair(
        self, context: str, choice: str, tokens: Tokens
    ) -> tuple[Sequence[int], Sequence[int]]:
        if context:
            before = tokens.begun[context.rstrip()]
            after = tokens.begun[context + choice][len(before) :]
            return before or [self._beginning()], after
        ids = tokens.bare[choice]
        prefix = self._beginning()
        return (ids[:1], ids[1:]) if ids and ids[0] == prefix else ([prefix], ids)

    def _fitted(self, before: Sequence[int], after: Sequence[int]) -> Split:
        """The last token is never fed, so that one more than the window fits."""
        if len(after) > self.window:
            raise ValueError(
                f"a continuation of {len(after)} tokens, and the model takes {self.window}"
            )
        surplus = max(0, len(before) + len(after) - self.window - 1)
        self.cut += surplus > 0
        return Split(context=tuple(before[surplus:]), continuation=tuple(after))

    def _beginning(self) -> int:
        if self._prefix is None:
            raise ValueError("a text without a context, and the tokenizer has no bos or eos token")
        return self._prefix

    def _encoded(self, texts: Iterable[str], *, special: bool = True) -> dict[str, list[int]]:
        """Text to token ids, in two batches: a text that brings its own first token gets none."""
        groups: dict[bool, list[str]] = {True: [], False: []}
        for text in texts:
            brings = self._prefix_text is not None and text.startswith(self._prefix_text)
            groups[special and not brings].append(text)
        return dict(pair for add, group in groups.items() for pair in self._batch(group, add))

    def _batch(self, texts: list[str], special: bool) -> Iterator[tuple[str, list[int]]]:
        if texts:
            found = self._tokenizer(
                texts, add_special_tokens=special, return_attention_mask=False,
                return_token_type_ids=False, verbose=False,
            )  # fmt: skip
            yield from zip(texts, found["input_ids"], strict=True)
