"""lm-eval's documents as samples, and answers as its metrics compare them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import pytest

from kdeval.benchmarks.answers import answer, compared, likeliest
from kdeval.benchmarks.documents import Document, cluster_keys, kind_of, prompt_keys, sample_of
from kdeval.benchmarks.instances import AskedDocument
from kdeval.benchmarks.task_suites import TaskSuite
from kdeval.models.protocols import Request
from kdeval.records import Response, Timing


@dataclass
class _Task:
    """As lm-eval's ConfigurableTask, in the parts that kdeval reads."""

    OUTPUT_TYPE: str = "multiple_choice"
    multiple_input: int = 0

    def doc_to_text(self, doc: dict[str, Any]) -> Any:
        return doc["answer"]


def _entry(target: Any, logs: list[float], metrics: dict[str, Any], **doc: Any) -> dict[str, Any]:
    content = {"choices": ["yes", "perhaps"], "answer": 1, **doc}
    return {
        "doc": content, "target": target, "doc_hash": "d", "target_hash": "t", "filter": "none",
        "filtered_resps": [(value, False) for value in logs], "metrics": list(metrics), **metrics,
    }  # fmt: skip


def _asked(*responses: Response, texts: tuple[str, ...] = ("context",)) -> AskedDocument:
    requests = tuple(
        Request(sample_id="0", suite="t", kind="loglikelihood", input=text, choices=(" yes",))
        for text in texts
    )
    return AskedDocument(task="t", document=0, requests=requests, responses=responses)


def _document(entry: dict[str, Any], number: int = 0, task: str = "t") -> Document:
    return Document(
        task=task, number=number, entry=entry, asked=_asked(Response(output="0")),
        choices=tuple(entry["doc"]["choices"]),
    )  # fmt: skip


def _suite(task: Any) -> TaskSuite:
    return TaskSuite(name="t", tasks={"t": task})


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (_entry(1, [-2.0, -1.0], {"acc": 1.0}), "multiple_choice"),
        (_entry("perhaps", [-1.0, -2.0], {"acc": 0.0, "other": 3}), "multiple_choice"),
        (_entry(0, [-2.0, -1.0], {"acc": 0.31}), "likelihood"),
        (_entry([0, 1], [-2.0, -1.0], {"acc": 1.0}), "likelihood"),
        (_entry(5, [-2.0, -1.0], {"acc": 0.0}), "likelihood"),
    ],
)
def test_only_a_choice_is_multiple_choice(entry: dict[str, Any], kind: str) -> None:
    """Not where a score is the probability of several right choices, or nothing is right."""
    assert kind_of(_suite(_Task()), [_document(entry)]) == kind


def test_a_choice_between_contexts_has_its_reference_in_the_text() -> None:
    """As in winogrande: the right context's number is what lm-eval calls the text."""
    suite = _suite(_Task(multiple_input=2))
    entry = _entry(" continuation", [-2.0, -1.0], {"acc": 1.0})
    asked = _asked(Response(output="0"), Response(output="0"), texts=("with a", "with b"))
    document = replace(_document(entry, 7), asked=asked)
    sample = sample_of(suite, document, kind=kind_of(suite, [document]), cluster=None, settings="s")
    assert (sample.reference, sample.kind, sample.id) == (1, "multiple_choice", "7")
    assert sample.text == "with a\nwith b"


def test_each_metric_compares_its_own_numbers() -> None:
    """Log-likelihoods, those over letters or bytes (where there are any), and those over the choice
    alone.
    """
    entry = {"filtered_resps": [(-4.0, False), (-5.0, False), (-1.0, False), (-3.0, False)]}
    choices = ("ab", "ééé")
    assert compared(entry, "acc", choices) == [-4.0, -5.0]
    assert compared(entry, "acc_norm", choices) == [-2.0, -5.0 / 3]
    assert compared(entry, "acc_bytes", choices) == [-2.0, -5.0 / 6]
    assert compared(entry, "acc_mutual_info", choices) == [-3.0, -2.0]
    assert compared(entry, "acc_norm", ("", "ab")) == [-math.inf, -2.5]
    assert likeliest([-1.0, -1.0]) == 0


def test_what_several_requests_took_is_summed_where_all_is_known() -> None:
    """Tokens, cost and time of one document; unknown as soon as one part is."""
    known = Response(
        output="0", input_tokens=3, cost_usd=0.5, timing=Timing(origin="wall", total_s=2.0)
    )
    entry = _entry(1, [-2.0, -1.0], {"acc": 1.0})
    asked = _asked(known, known, texts=("a", "b"))
    found = answer("multiple_choice", entry, "acc", asked, ("yes", "perhaps"))
    assert (found.output, found.log_probs) == ("1", {"0": -2.0, "1": -1.0})
    assert (found.input_tokens, found.cost_usd, found.output_tokens) == (6, 1.0, None)
    assert found.timing is not None
    assert found.timing.total_s == 4.0


def test_a_failed_part_is_a_failed_document() -> None:
    """No output and no probabilities stand in for the answer."""
    entry = _entry(1, [-2.0, -1.0], {"acc": 1.0})
    asked = _asked(Response(output="0"), Response(error="timed out"), texts=("a", "b"))
    found = answer("multiple_choice", entry, "acc", asked, ("yes", "perhaps"))
    assert (found.error, found.output, found.log_probs) == ("timed out", None, None)


def test_a_text_shared_by_some_documents_is_their_cluster() -> None:
    """Not one that all share, nor one that stands alone, nor the same in another task."""

    def document(number: int, task: str = "t", **doc: Any) -> Document:
        return _document(_entry(1, [0.0], {}, **doc), number, task)

    keys = cluster_keys(
        [
            document(0, passage="A"), document(1, passage="A"), document(2, passage="B"),
            document(3, question="A"), document(0, "u", context="all"),
            document(1, "u", context="all"), document(0, "v", passage="A"), document(1, "v"),
        ]
    )  # fmt: skip
    assert keys[0] == keys[1] is not None
    assert keys[2:] == [None] * 6


def test_documents_that_ask_the_same_prompt_are_a_cluster() -> None:
    """Within their task; the reference plays no part."""

    def document(number: int, text: str, task: str = "t") -> Document:
        entry = _entry(number, [0.0], {})
        return replace(
            _document(entry, number, task), asked=_asked(Response(output="0"), texts=(text,))
        )

    keys = prompt_keys(
        [document(0, "A"), document(1, "A"), document(2, "B"), document(0, "A", "u")]
    )
    assert keys[0] == keys[1] is not None
    assert keys[2:] == [None, None]
