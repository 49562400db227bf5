"""A request in any of the accepted shapes, read into one text and the features it needs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kdeval_router.tool_calls import call_lines

__all__ = ["FEATURES", "Feature", "ReadRequest", "canonical_text", "read_request"]

Feature = Literal["tools", "schema", "images", "other_content"]
FEATURES: tuple[Feature, ...] = ("tools", "schema", "images", "other_content")

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_TOOL_ROLES = frozenset({"tool", "function"})
_TOOL_KEYS = ("tools", "functions", "tool_calls", "function_call")
_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
_IMAGE_PARTS = frozenset({"image", "image_url", "input_image"})
_ROLE_LINE = re.compile(r"^(?:system|developer|user|assistant|tool|function): ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """What of a request the router looks at.

    Attributes:
        text: the whole conversation as one text; "" when there is none.
        needs: features that the answering model must offer.
        problem: why the request cannot be read, or None.
    """

    text: str = ""
    needs: frozenset[Feature] = frozenset()
    problem: str | None = None


def canonical_text(text: str) -> str:
    """The text as the encoder sees it, in fitting and at run time.

    A conversation of a single user message is that message: suites write it both ways.
    """
    text = text.strip()
    if text.startswith("user: ") and len(_ROLE_LINE.findall(text)) == 1:
        return text[len("user: ") :].strip()
    return text


def read_request(request: object) -> ReadRequest:
    """The request read; a shape that is not known is reported in `problem`, never raised.

    Args:
        request: a text; a list of chat messages; or a mapping with `messages` (or `prompt`) and
            optionally `tools`, `functions`, `response_format` and `modalities`.
    """
    if isinstance(request, str):
        return ReadRequest(text=canonical_text(request))
    if isinstance(request, Mapping):
        return _read_mapping(request)
    if isinstance(request, Sequence) and not isinstance(request, (bytes, bytearray)):
        return _read_messages(request, set())
    return ReadRequest(problem=f"a request of type {type(request).__name__} is not known")


def _read_mapping(request: Mapping[Any, Any]) -> ReadRequest:
    needs: set[Feature] = set()
    if request.get("tools") or request.get("functions"):
        needs.add("tools")
    if not _is_plain_format(request.get("response_format")):
        needs.add("schema")
    if request.get("modalities") not in (None, ["text"], ("text",)):
        needs.add("other_content")
    messages = request.get("messages")
    if isinstance(messages, Sequence) and not isinstance(messages, (str, bytes, bytearray)):
        return _read_messages(messages, needs)
    prompt = request.get("prompt")
    if messages is None and isinstance(prompt, str):
        return ReadRequest(text=canonical_text(prompt), needs=frozenset(needs))
    return ReadRequest(
        needs=frozenset(needs), problem="the mapping has neither a list `messages` nor a `prompt`"
    )


def _is_plain_format(response_format: object) -> bool:
    if response_format is None:
        return True
    return isinstance(response_format, Mapping) and response_format.get("type") == "text"


def _read_messages(messages: Sequence[Any], needs: set[Feature]) -> ReadRequest:
    lines: list[str] = []
    for position, message in enumerate(messages):
        role = message.get("role") if isinstance(message, Mapping) else None
        if not isinstance(role, str) or role not in _ROLES:
            return ReadRequest(
                needs=frozenset(needs),
                problem=f"message {position} is no mapping with one of the known roles",
            )
        if role in _TOOL_ROLES or any(message.get(key) for key in _TOOL_KEYS):
            needs.add("tools")
        content = _read_content(message.get("content"), needs)
        if content is None:
            return ReadRequest(
                needs=frozenset(needs),
                problem=f"message {position} has a content that is no text and no list of parts",
            )
        said = [content] if content else []
        role = "tool" if role == "function" else role
        lines.append(f"{role}: {chr(10).join([*said, *call_lines(message)])}")
    return ReadRequest(text=canonical_text("\n".join(lines)), needs=frozenset(needs))


def _read_content(content: object, needs: set[Feature]) -> str | None:
    """The text of a message's content, or None where it cannot be read; adds to `needs`."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence) or isinstance(content, (bytes, bytearray)):
        return None
    texts: list[str] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
            continue
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in _TEXT_PARTS and isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            needs.add("images" if kind in _IMAGE_PARTS else "other_content")
    return "\n".join(texts)
