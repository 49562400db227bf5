"""lm-eval's documents as samples: what is asked, the choices, the reference, and shared texts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from kdeval.benchmarks.answers import compared, likeliest
from kdeval.benchmarks.instances import AskedDocument
from kdeval.benchmarks.metrics import CHOICE_METRICS, Entry
from kdeval.benchmarks.task_suites import TaskSuite
from kdeval.records import Kind, Message, Sample
from kdeval.store.fingerprints import value_digest

__all__ = ["Document", "choices_of", "cluster_keys", "kind_of", "prompt_keys", "sample_of"]

_SHARED = ("passage", "context", "article", "paragraph", "story", "document", "background")
_KINDS: Mapping[str, Kind] = {
    "multiple_choice": "multiple_choice",
    "generate_until": "generation",
    "loglikelihood": "likelihood",
    "loglikelihood_rolling": "likelihood",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a task, in the teacher's log.

    Attributes:
        task: name of the task.
        number: lm-eval's `doc_id`.
        entry: the log under the first filter.
        asked: what the teacher was asked about it.
        choices: their own words; empty where the task has none.
    """

    task: str
    number: int
    entry: Entry
    asked: AskedDocument
    choices: tuple[str, ...]


def kind_of(suite: TaskSuite, documents: Sequence[Document]) -> Kind:
    """What sort of answer the suite asks for.

    It is multiple choice only where a score is 1 just when the chosen choice is the reference:
    some tasks mark the probability of several right choices, which is no choice.
    """
    task = next(iter(suite.tasks.values()))
    kind = _KINDS.get(task.OUTPUT_TYPE, "generation")
    if kind == "multiple_choice" and not all(_is_choice(suite, item) for item in documents):
        return "likelihood"
    return kind


def _is_choice(suite: TaskSuite, document: Document) -> bool:
    entry, choices = document.entry, document.choices
    reference = _right_choice(suite.tasks[document.task], entry, choices)
    if reference is None or len(entry["filtered_resps"]) < len(choices):
        return False
    return all(
        entry[key] == float(likeliest(compared(entry, key, choices)) == reference)
        for key in CHOICE_METRICS
        if key in entry["metrics"]
    )


def choices_of(task: Any, entry: Entry) -> tuple[str, ...]:
    """The choices' own words, which lm-eval renders anew each time; empty without choices."""
    if task.OUTPUT_TYPE != "multiple_choice":
        return ()
    return tuple(map(str, task.doc_to_choice(entry["doc"])))


def _right_choice(task: Any, entry: Entry, choices: Sequence[str]) -> int | None:
    """The index of the one right choice; None where there is none, or several."""
    several_inputs = bool(getattr(task, "multiple_input", 0))
    gold = task.doc_to_text(entry["doc"]) if several_inputs else entry["target"]
    if isinstance(gold, str):
        return choices.index(gold) if gold in choices else None
    if isinstance(gold, bool) or not isinstance(gold, int):
        return None
    return gold if 0 <= gold < len(choices) else None


def sample_of(
    suite: TaskSuite, document: Document, *, kind: Kind, cluster: str | None, settings: str
) -> Sample:
    """The document as a sample.

    Args:
        suite: which it is in.
        document: in the teacher's log: a chat template makes every model's prompt another.
        kind: of the suite.
        cluster: key of what it shares with others.
        settings: digest of how prompts are made, beside the document itself.
    """
    task, entry, choices = suite.tasks[document.task], document.entry, document.choices
    content = "\0".join((document.task, entry["doc_hash"], entry["target_hash"], settings))
    return Sample(
        id=str(document.number) if len(suite.tasks) == 1 else f"{document.task}/{document.number}",
        suite=suite.name,
        task=document.task,
        kind=kind,
        input=_asked(kind, document.asked),
        reference=_reference(task, kind, entry, choices),
        choices=choices if kind == "multiple_choice" else None,
        slices={"group": group} if (group := suite.groups.get(document.task)) else {},
        cluster=cluster,
        source=f"{document.task}, document {document.number}",
        content_hash=sha256(content.encode()).hexdigest()[:16],
    )


def _reference(task: Any, kind: Kind, entry: Entry, choices: Sequence[str]) -> Any:
    if kind == "multiple_choice":
        return _right_choice(task, entry, choices)
    target = entry["target"]
    return target if isinstance(target, (str, int, float)) else json.dumps(target, default=str)


def _asked(kind: Kind, asked: AskedDocument) -> str | tuple[Message, ...]:
    """The prompt; of a choice between contexts all of them, of a likelihood alone the text."""
    request = asked.requests[0]
    if kind == "likelihood":
        return request.text or request.choices[0]
    if len(asked.requests) == 1 or not isinstance(request.input, str):
        return request.input
    return "\n".join(dict.fromkeys(item.text for item in asked.requests if item.text))


def cluster_keys(documents: Sequence[Document]) -> list[str | None]:
    """Which text each document shares with others of its task; None where it is not known.

    Only fields whose name says that they hold a text that is asked about are looked at, and only
    where some but not all documents have the same: an instruction that all share is no cluster.
    """
    texts = [_shared_text(document) for document in documents]
    counts = Counter(texts)
    of_task = Counter(document.task for document in documents)
    found: list[str | None] = []
    for document, text in zip(documents, texts, strict=True):
        several = text is not None and 1 < counts[text] < of_task[document.task]
        found.append(value_digest(list(text or ()))[:16] if several else None)
    return found


def prompt_keys(documents: Sequence[Document]) -> list[str | None]:
    """Which prompt each document has that another of its task has, too; None: it alone has it."""
    asked = [
        (item.task, *((request.text, request.choices) for request in item.asked.requests))
        for item in documents
    ]
    counts = Counter(asked)
    return [f"prompt {value_digest(item)[:32]}" if counts[item] > 1 else None for item in asked]


def _shared_text(document: Document) -> tuple[str, str, str] | None:
    doc = document.entry["doc"]
    if not isinstance(doc, Mapping):
        return None
    for name in _SHARED:
        if isinstance(doc.get(name), str) and doc[name].strip():
            return document.task, name, doc[name]
    return None
