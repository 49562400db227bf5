"""What a suite's YAML may say; `kdeval schema suite` prints it as JSON Schema."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from kdeval.records import SuiteKind
from kdeval.scorers.label import normalised_label

__all__ = ["ColumnValue", "CorpusConfig", "MessageColumn", "MessageTemplate", "SuiteConfig"]

_COLUMN_OR_TEMPLATE = 'a column\'s name, or a template: "{{ column }}"'


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ColumnValue(_Strict):
    """A column's value as it is, for references that are no text."""

    column: str


class MessageTemplate(_Strict):
    """One chat message; its content is a template, or a text that is the same for every row."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str


class MessageColumn(_Strict):
    """A column with a whole conversation, as chat logs have it."""

    messages: str = Field(
        description="the column: a list of {role, content, tool_calls, tool_call_id}, or as JSON"
    )


class CorpusConfig(_Strict):
    """The documents that a retrieval suite's queries are asked of."""

    data: str = Field(description="JSONL, CSV, TSV (also .gz) or Parquet, relative to the suite")
    id: str = Field("id", description=_COLUMN_OR_TEMPLATE)
    text: str = Field("text", description=_COLUMN_OR_TEMPLATE)
    depth: int = Field(100, ge=1, description="how many documents models return")


class SuiteConfig(_Strict):
    """What to ask, of which data, and how answers are marked."""

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    kind: SuiteKind
    description: str | None = None
    role: Literal["benchmark", "production"] | None = Field(
        None,
        description="with suites of both roles in a run, the report says what of a benchmark's "
        "result holds in production",
    )
    tags: list[str] = Field(default_factory=list)
    data: str = Field(description="JSONL, CSV, TSV (also .gz) or Parquet, relative to this file")
    id: str | None = Field(
        None,
        description=f"{_COLUMN_OR_TEMPLATE}; default: the row's number, "
        "and then the order of the file must not change",
    )
    input: str | MessageColumn | list[MessageTemplate] | None = Field(
        None,
        description=f"{_COLUMN_OR_TEMPLATE}; or chat messages, or {{messages: column}}; needed "
        "unless there is `image`; of likelihood the context, where there is one",
    )
    tools: list[dict[str, Any]] | str | None = Field(
        None,
        description="extraction and generation: functions that may be called, OpenAI-style; a "
        "list, a .json file relative to this one, or a column with a list",
    )
    response_schema: dict[str, Any] | str | None = Field(
        None,
        description="extraction and generation: JSON Schema of the answer; the schema, a .json "
        "file relative to this one, or a column",
    )
    image: str | None = Field(
        None,
        description=f"{_COLUMN_OR_TEMPLATE}, of a path relative to the data file or of a data URI "
        "(data:image/png;base64,...); or a column of bytes",
    )
    reference: str | ColumnValue | None = Field(
        None,
        description=f"{_COLUMN_OR_TEMPLATE}; or {{column: name}} to keep a JSON value; of "
        "likelihood the text that is scored; of retrieval the relevant ids, or id to gain",
    )
    labels: list[str] | None = Field(None, min_length=2, description="classification only")
    choices: str | list[str] | None = Field(
        None, description="multiple choice only: a column that holds a list, or templates"
    )
    first_index: Literal[0, 1] = Field(
        0, description="multiple choice only: the number of the first choice in `reference`"
    )
    stop: list[str] | str | None = Field(
        None,
        description="extraction and generation: texts that end an answer; or a column with a list",
    )
    max_new_tokens: int | None = Field(
        None, ge=1, description="extraction and generation; default: the model's own setting"
    )
    corpus: CorpusConfig | None = Field(None, description="retrieval only: the documents")
    task: str | None = Field(None, description=f"{_COLUMN_OR_TEMPLATE}; default: the suite's name")
    slices: dict[str, str] | list[str] = Field(
        default_factory=dict, description=f"tag to {_COLUMN_OR_TEMPLATE}; or a list of columns"
    )
    cluster: str | None = Field(
        None,
        description=f"{_COLUMN_OR_TEMPLATE}; the conversation, document or template that samples "
        "share. A row without a value is a cluster of its own. Default: samples that ask the very "
        "same are one cluster; a column that differs in each row says that rows are independent "
        "draws of traffic, repeats included",
    )
    scorers: list[str | dict[str, Any]] | None = Field(
        None,
        min_length=1,
        description="default: by kind; with neither scorers nor reference: the recorded score",
    )

    @field_validator("input", "tools", mode="before")
    @classmethod
    def _no_other_mapping(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, dict) and (info.field_name == "tools" or set(value) != {"messages"}):
            ways = {
                "input": "a column or template, a list of messages, or {messages: column}",
                "tools": "a list of functions, a .json file, or a column",
            }
            raise ValueError(f"give {ways[info.field_name or '']}")
        return value

    @field_validator("labels", mode="before")
    @classmethod
    def _labels(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        for label in value:
            if isinstance(label, bool):
                raise ValueError(
                    f"a label is the YAML value {label}: quote yes, no, on, off, true, false"
                )
        return [str(label) if isinstance(label, (int, float)) else label for label in value]

    @field_validator("labels")
    @classmethod
    def _distinct_labels(cls, value: list[str] | None) -> list[str] | None:
        counts = Counter(map(normalised_label, value or ()))
        same = [label for label in value or () if counts[normalised_label(label)] > 1]
        if same:
            raise ValueError(
                f"labels {', '.join(map(repr, same))} are the same but for case and white space"
            )
        if value and not all(map(normalised_label, value)):
            raise ValueError("a label is empty")
        return value

    @field_validator("choices")
    @classmethod
    def _enough_choices(cls, value: str | list[str] | None) -> str | list[str] | None:
        if isinstance(value, list) and len(value) < 2:
            raise ValueError("give at least two choices")
        return value

    @model_validator(mode="after")
    def _fields_of_the_kind(self) -> SuiteConfig:
        problems = []
        own = (
            ("labels", "classification"), ("choices", "multiple_choice"), ("corpus", "retrieval"),
        )  # fmt: skip
        for field, kind in own:
            given = getattr(self, field) is not None
            if given and self.kind != kind:
                problems.append(f"{field} belongs to kind: {kind}, not {self.kind}")
            if not given and self.kind == kind:
                problems.append(f"kind: {kind} needs {field}")
        if self.first_index and self.kind != "multiple_choice":
            problems.append(f"first_index belongs to kind: multiple_choice, not {self.kind}")
        for field in ("stop", "max_new_tokens", "tools", "response_schema"):
            if getattr(self, field) is not None and self.kind not in ("extraction", "generation"):
                problems.append(f"{field} belongs to kind: extraction or generation")
        if isinstance(self.stop, list) and not all(self.stop):
            problems.append("stop: a text is empty")
        if self.kind == "likelihood" and self.reference is None:
            problems.append("kind: likelihood needs reference: the text that models score")
        if self.input is None and self.image is None and self.kind != "likelihood":
            problems.append("input is required, unless there is `image`")
        if isinstance(self.input, list) and not self.input:
            problems.append("input: give at least one message")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def slice_sources(self) -> dict[str, str]:
        """Tag name to the column or template of its value."""
        if isinstance(self.slices, dict):
            return self.slices
        return {name: name for name in self.slices}
