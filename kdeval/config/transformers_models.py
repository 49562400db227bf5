"""Settings of the models that transformers runs: classifiers and causal language models."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from kdeval.config.base import Named, Strict

__all__ = [
    "CausalLMConfig",
    "EmbedderConfig",
    "GenerationSettings",
    "ImageClassifierConfig",
    "ScoringSettings",
    "SequenceClassifierConfig",
    "ToolFormat",
    "TransformersConfig",
]

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
ToolFormat = Literal["auto", "hermes", "json", "mistral"]
_DTYPE = "auto: float32 on a CPU, the checkpoint's own on an accelerator"
_DEVICE = "auto, cpu, cuda, cuda:1, mps"
_LABELS = "the model's label name to the suite's, where they differ"


class TransformersConfig(Named):
    """A directory with weights, where they run, and how many requests they take at a time."""

    path: str
    device: str = Field("auto", description=_DEVICE)
    dtype: Dtype = Field("auto", description=_DTYPE)
    batch_size: int = Field(64, ge=1)


class SequenceClassifierConfig(TransformersConfig):
    """A transformers sequence classifier: a directory with its weights and tokenizer."""

    type: Literal["sequence_classifier"]
    path: str = Field(description="directory that AutoModelForSequenceClassification loads")
    max_length: int | None = Field(None, ge=1, description="tokens; default: what the model takes")
    labels: dict[str, str] = Field(default_factory=dict, description=_LABELS)


class ImageClassifierConfig(TransformersConfig):
    """A transformers image classifier: a directory with its weights and image processor."""

    type: Literal["image_classifier"]
    path: str = Field(description="directory that AutoModelForImageClassification loads")
    batch_size: int = Field(32, ge=1)
    labels: dict[str, str] = Field(default_factory=dict, description=_LABELS)


class EmbedderConfig(TransformersConfig):
    """A transformers encoder that gives texts vectors: a directory with weights and tokenizer."""

    type: Literal["embedder"]
    path: str = Field(description="directory that AutoModel loads")
    max_length: int | None = Field(None, ge=1, description="tokens; default: what the model takes")
    pooling: Literal["mean", "cls"] = Field(
        "mean", description="mean of the token vectors, or the first one"
    )
    query_prefix: str = Field("", description='put before each query: "query: "')
    document_prefix: str = Field("", description='put before each document: "passage: "')


class ScoringSettings(Strict):
    """How a causal language model chooses among choices or labels."""

    normalize: Literal["none", "tokens", "bytes"] = Field(
        "none", description="divide a choice's log-likelihood by its length"
    )
    content_free: str | dict[str, str] | None = Field(
        None,
        description='contextual calibration: a prompt without content, such as "N/A", for all '
        "suites or one by suite name; a choice's log-likelihood after it is subtracted",
    )
    separator: str | None = Field(
        None, description="between prompt and choice; default: a space where none is there yet"
    )
    label_words: dict[str, str] = Field(
        default_factory=dict, description="what is scored for a label, where not the label itself"
    )


class GenerationSettings(Strict):
    """How a causal language model writes."""

    max_new_tokens: int = Field(256, ge=1, description="where the suite says nothing else")
    temperature: float = Field(0.0, ge=0, description="0: greedy")
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int | None = Field(None, ge=1)
    seed: int = 0
    samples: int = Field(1, ge=1, description="how often each prompt is answered")
    vote: Literal["majority", "first"] = Field(
        "majority",
        description="of several samples the output is the commonest answer, with its share as "
        "confidence; or the first, without a confidence",
    )
    vote_pattern: str | None = Field(
        None, description="regular expression of what is compared; its last match counts"
    )
    stop: list[str] = Field(default_factory=list, description="beside those of the suite")
    reasoning_tags: tuple[str, str] | None = Field(
        ("<think>", "</think>"), description="what lies between is counted but not scored"
    )

    @field_validator("stop")
    @classmethod
    def _no_empty_stop(cls, value: list[str]) -> list[str]:
        if "" in value:
            raise ValueError("a stop string is empty")
        return value

    @field_validator("vote_pattern")
    @classmethod
    def _valid_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _sampled(self) -> GenerationSettings:
        if self.temperature == 0 and self.samples > 1:
            raise ValueError(
                f"samples: {self.samples} greedy answers would all be the same; "
                "give a temperature above 0"
            )
        if self.temperature == 0 and (self.top_p < 1 or self.top_k is not None):
            raise ValueError("top_p and top_k need a temperature above 0; at 0 decoding is greedy")
        if self.reasoning_tags is not None and not all(self.reasoning_tags):
            raise ValueError("reasoning_tags: give an opening and a closing tag, or null")
        return self


class CausalLMConfig(TransformersConfig):
    """A causal language model: a directory that transformers loads, or a GGUF file."""

    type: Literal["causal_lm"]
    path: str = Field(
        description="directory that AutoModelForCausalLM loads, or with one .gguf file; or the file"
    )
    tokenizer: str | None = Field(None, description="directory; default: beside the weights")
    quantization: Literal["8bit", "4bit"] | None = Field(
        None, description="load the weights in 8 or 4 bits with bitsandbytes"
    )
    batch_size: int = Field(8, ge=1)
    max_length: int | None = Field(
        None, ge=2, description="tokens of prompt and answer; default: what the model takes"
    )
    too_long: Literal["error", "truncate"] = Field(
        "error", description="a prompt over max_length fails, or loses its beginning"
    )
    chat: Literal["auto", "always", "never"] = Field(
        "auto",
        description="auto: where the tokenizer has a chat template, messages use it, and a plain "
        "prompt becomes a user message for writing but is continued as it is for choosing; "
        "always: for choosing too; never: no template",
    )
    system: str | None = Field(None, description="system prompt, where the suite gives none")
    template_options: dict[str, Any] = Field(
        default_factory=dict, description="variables for the chat template: enable_thinking: false"
    )
    tool_format: ToolFormat = Field(
        "auto",
        description="how it writes tool calls: hermes (<tool_call>{...}</tool_call>), json "
        "(nothing but the call), mistral ([TOOL_CALLS]...); auto: by the marks in the text, "
        "else json",
    )
    scoring: ScoringSettings = ScoringSettings()
    generation: GenerationSettings = GenerationSettings()

    @model_validator(mode="after")
    def _fits(self) -> CausalLMConfig:
        if self.system is not None and self.chat == "never":
            raise ValueError("system needs a chat template; chat: never does without")
        return self
