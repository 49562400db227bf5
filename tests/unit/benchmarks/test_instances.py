"""What an lm-eval task asks, as requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from kdeval.benchmarks.instances import ChatText, continuations, prompts, whole_texts
from kdeval.errors import UsageError
from kdeval.models.echo import EchoModel
from kdeval.models.protocols import Decoding
from kdeval.models.request_keys import request_key
from kdeval.records import Message


@dataclass(eq=False)
class Asked:
    """As lm_eval.api.instance.Instance, in the parts that kdeval reads."""

    args: tuple[Any, ...]
    task_name: str | None = "t"
    doc_id: int | None = 0
    repeats: int | None = 1


def test_continuations_of_one_context_are_one_request():
    """One request a context and document, its choices in order, equal ones once."""
    asked = [
        Asked(("c", " a")), Asked(("c", " b")), Asked(("", " a")), Asked(("c", " a")),
        Asked(("c", " a"), doc_id=1), Asked(("c", " a"), task_name="other"),
    ]  # fmt: skip
    questions, places = continuations(asked)
    found = [(q.task, q.document, q.request.input, q.request.choices) for q in questions]
    assert found == [
        ("t", 0, "c", (" a", " b")), ("t", 0, "", (" a",)), ("t", 1, "c", (" a",)),
        ("other", 0, "c", (" a",)),
    ]  # fmt: skip
    assert places == [(0, 0), (0, 1), (1, 0), (0, 0), (2, 0), (3, 0)]
    assert {q.request.kind for q in questions} == {"loglikelihood"}


def test_a_documents_key_does_not_depend_on_the_others():
    """So that a limit, or another task beside it, asks nothing again."""
    model = EchoModel()

    def keys(asked: list[Asked]) -> set[str]:
        return {request_key(model, "f", q.request) for q in continuations(asked)[0]}

    first, second = Asked(("c", " a")), Asked(("d", " b"), doc_id=1)
    assert keys([first]) < keys([second, first])


def test_instances_of_no_document_stay_apart():
    """Instances made by hand have no document; each counts as one."""
    questions, _ = continuations([Asked(("c", " a"), doc_id=None), Asked(("c", "b"), doc_id=None)])
    assert [q.document for q in questions] == [0, 1]


def test_a_repeated_prompt_is_a_replicate():
    """Repeats of a prompt, and repeats of the whole benchmark, have keys of their own."""
    asked = Asked(("c", {}), repeats=2)
    both = [prompts([asked, asked], replicate=n) for n in (0, 1)]
    assert [q.request.replicate for run in both for q in run] == [0, 1, 2, 3]


def test_rolling_and_plain_texts_have_keys_of_their_own():
    """A whole text is not the same question as a continuation of nothing."""
    rolling = whole_texts([Asked(("text",))])[0].request
    plain = continuations([Asked(("", "text"))])[0][0].request
    assert rolling.choices == plain.choices
    assert len({request_key(EchoModel(), "f", request) for request in (rolling, plain)}) == 2


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ((), 256, Decoding())),
        ({"until": "\n", "max_new_tokens": 5}, (("\n",), 5, Decoding())),
        ({"until": ["a", ""], "max_gen_toks": 7, "max_tokens": 9}, (("a",), 7, Decoding())),
        ({"do_sample": False, "temperature": 1, "top_p": 0.5}, ((), 256, Decoding())),
        ({"temperature": 0.5}, ((), 256, Decoding(temperature=0.5))),
        ({"do_sample": True}, ((), 256, Decoding(temperature=1.0))),
        (
            {"do_sample": True, "temperature": 0.7, "top_p": 0.9, "top_k": 40, "num_beams": 1},
            ((), 256, Decoding(temperature=0.7, top_p=0.9, top_k=40)),
        ),
    ],
)
def test_decoding_is_what_the_task_says(settings: dict[str, Any], expected: tuple[Any, ...]):
    """Greedy unless a task samples; 256 tokens unless it says how many."""
    request = prompts([Asked(("c", settings))])[0].request
    assert (request.stop, request.max_new_tokens, request.decoding) == expected
    assert request.raw


def test_what_models_cannot_do_is_refused():
    """A beam search is not quietly made greedy."""
    with pytest.raises(UsageError, match=r"'t' asks for num_beams=4.*max_gen_toks"):
        prompts([Asked(("c", {"num_beams": 4}))])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"temperature": -1}, "temperature must be a number of 0 or more, got -1"),
        ({"temperature": 0.5, "top_p": 1.5}, "top_p must be a number from 0 to 1, got 1.5"),
        ({"max_gen_toks": "x"}, "max_gen_toks must be a number of 1 or more, got 'x'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], expected: str):
    """A negative temperature would prefer the unlikely."""
    with pytest.raises(UsageError, match=f"task 't': {expected}"):
        prompts([Asked(("c", settings))])


def test_chat_messages_come_back():
    """For a model that takes messages, the rendered text is JSON and becomes messages again."""
    history = [{"role": "system", "content": "é"}, {"role": "user", "content": 'a "b"'}]
    text = ChatText.from_history(history)
    assert "é" in text
    request = prompts([Asked((text, {}))])[0].request
    assert request.input == (
        Message(role="system", content="é"), Message(role="user", content='a "b"'),
    )  # fmt: skip
