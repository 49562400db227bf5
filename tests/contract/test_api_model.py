"""A model behind an API, through litellm, against a server that misbehaves on order."""

from __future__ import annotations

import math
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kdeval.config.api_models import ApiModelConfig
from kdeval.config.schema import Price
from kdeval.errors import BudgetError, ModelError
from kdeval.models.api.model import ApiModel
from kdeval.models.protocols import Request
from kdeval.records import Message, Response
from kdeval.run.executor import LocalExecutor, ask
from tests.api_server import TRANSIENT, ApiServer, Body, Fault, Reply, asked_text

TIMEOUT_S = 1.2
KEY = "sk-test/Key+0123456789=="

pytestmark = pytest.mark.filterwarnings("ignore:coroutine")


def answer(body: Body) -> Reply:
    """Labels and letters where they are asked for; else the prompt in capitals."""
    text = asked_text(body)
    word = "positive" if "labels" in text else "B" if "letter" in text else None
    if word is None:
        return Reply(content=text.upper())
    other = "negative" if word == "positive" else "A"
    top = {word: math.log(0.8), other: math.log(0.15), "the": math.log(0.05)}
    return Reply(
        content=word,
        logprobs=[(word, math.log(0.8), top)],
        usage={
            "prompt_tokens": 1000,
            "completion_tokens": 1,
            "total_tokens": 1001,
            "prompt_tokens_details": {"cached_tokens": 400},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    )


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """One server for all tests; each sets what it does."""
    with ApiServer(answer) as running:
        yield running


@pytest.fixture
def api(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    """The server as a test finds it: answering everything, with nothing asked yet."""
    monkeypatch.setenv("TEST_API_KEY", KEY)
    server.answer, server.fault, server.headers = answer, lambda key, attempt: None, {}
    server.asked.clear()
    server.answered.clear()
    server.most_at_once = 0
    return server


def model(api: ApiServer, *, price: Price | None = None, **more: Any) -> ApiModel:
    config = ApiModelConfig(
        **{
            "name": "gpt", "type": "api", "model": "openai/gpt-4.1-2025-04-14",
            "api_base": api.url, "api_key_env": "TEST_API_KEY",
            "timeout_s": TIMEOUT_S, "stall_s": 0.3, "retries": {"attempts": 4, "total_s": 20},
            **more,
        }
    )  # fmt: skip
    return ApiModel(config, price=price)


def write(text: str, **more: Any) -> Request:
    return Request(sample_id=text, suite="s", kind="generation", input=text, **more)


def classify(text: str) -> Request:
    return Request(
        sample_id=text, suite="s", kind="classification", input=text,
        labels=("positive", "negative"),
    )  # fmt: skip


def choose(text: str) -> Request:
    return Request(
        sample_id=text, suite="s", kind="multiple_choice", input=text, choices=("x", "y")
    )


def first_fails_with(fault: Fault) -> Callable[[str, int], Fault | None]:
    return lambda key, attempt: fault if attempt == 0 else None


@pytest.mark.parametrize("stream", [False, True])
def test_text_is_written(api: ApiServer, stream: bool) -> None:
    """The answer with its tokens and its own time; streamed, also the time to the first token.

    The very first request of a process has no time: litellm loads its parts meanwhile.
    """
    one = model(api, stream=stream, timeout_s=20, stall_s=20)
    first, found = (ask(one, [write(f"{words} {stream}")])[0] for words in ("one", "two words"))
    assert first.timing is not None
    assert first.timing.total_s is None
    assert found.output == f"TWO WORDS {stream}".upper()
    assert (found.input_tokens, found.output_tokens) == (3, 3)
    assert found.truncated is False
    assert found.timing is not None
    assert found.timing.origin == "wall"
    assert (found.timing.first_token_s is not None) is stream
    assert found.timing.total_s is not None
    assert (found.timing.first_token_s or 0) <= found.timing.total_s
    assert found.cost_usd is not None
    assert found.cost_usd > 0


def test_what_is_asked_is_what_was_configured(api: ApiServer) -> None:
    """Messages with the system prompt, limits, decoding; the suite's own settings come first."""
    one = model(
        api, system="Be brief.",
        generation={"max_new_tokens": 50, "temperature": 0.3, "top_p": 0.9, "stop": ["END"]},
    )  # fmt: skip
    ask(one, [write("hello", stop=("\n",), max_new_tokens=7)])
    body = api.asked[-1].body
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"},
    ]  # fmt: skip
    assert (body["max_tokens"], body["temperature"], body["top_p"]) == (7, 0.3, 0.9)
    assert body["stop"] == ["\n", "END"]
    chat = (Message(role="system", content="Rhyme."), Message(role="user", content="hi"))
    ask(one, [Request(sample_id="c", suite="s", kind="generation", input=chat)])
    assert [item["content"] for item in api.asked[-1].body["messages"]] == ["Rhyme.", "hi"]


@pytest.mark.parametrize("stream", [False, True])
def test_labels_and_choices_have_probabilities(api: ApiServer, stream: bool) -> None:
    """Of the token that decides, over the options; and the likeliest tokens beside them."""
    one = model(api, top_log_probs=5, stream=stream)
    label, choice = ask(one, [classify("good?")])[0], ask(one, [choose("which?")])[0]
    assert label.output == "positive"
    assert label.log_probs is not None
    assert math.exp(label.log_probs["negative"]) == pytest.approx(0.15 / 0.95)
    assert label.confidence == pytest.approx(0.8 / 0.95)
    assert label.top_log_probs is not None
    assert set(label.top_log_probs) == {"positive", "negative", "the"}
    assert choice.output == "1"
    assert choice.log_probs is not None
    assert math.exp(choice.log_probs["1"]) == pytest.approx(0.8 / 0.95)


def test_cached_tokens_cost_less(api: ApiServer) -> None:
    """By the price map inside of litellm; what the configuration says wins over it."""
    found = ask(model(api), [classify("good?")])[0]
    assert found.cost_usd == pytest.approx(600 * 2e-6 + 400 * 5e-7 + 1 * 8e-6)
    price = Price(usd_per_million_input_tokens=1.0, usd_per_million_output_tokens=10.0)
    found = ask(model(api, price=price), [classify("good?")])[0]
    assert found.cost_usd == pytest.approx(1000e-6 + 10e-6)
    unknown = ask(model(api, model="openai/home-made"), [classify("good?")])[0]
    assert unknown.cost_usd is None
    assert unknown.error is None


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", TRANSIENT)
def test_it_is_answered_after_all(api: ApiServer, fault: Fault, stream: bool) -> None:
    """Whatever happened to the first attempt; a broken stream is never taken for a whole answer."""
    text = f"one two three four five six {fault} {stream}"
    one = model(api, stream=stream)
    ask(one, [write("first")])
    api.fault = first_fails_with(fault)
    found = ask(one, [write(text)])[0]
    assert found.error is None
    assert found.output == text.upper()
    assert [text in asked.key for asked in api.asked].count(True) == 2
    assert found.timing is not None
    assert found.timing.queue_s is not None
    assert found.timing.total_s is not None
    assert found.timing.total_s < TIMEOUT_S


@pytest.mark.parametrize("stream", [False, True])
def test_what_never_ends_well_is_a_recorded_error(api: ApiServer, stream: bool) -> None:
    """One response with the reason and the number of attempts; and no key, though the server sent
    it back.
    """
    api.fault = lambda key, attempt: "500"
    one = model(api, stream=stream, retries={"attempts": 2, "total_s": 20})
    found = ask(one, [write("hello")])[0]
    assert "given up after 2 attempts" in str(found.error)
    assert str(found.error) == (
        "given up after 2 attempts: InternalServerError: the server says 500; you sent Bearer "
        "(removed)"
    )
    assert KEY not in str(found)
    assert len(api.asked) == 2


@pytest.mark.parametrize(
    ("fault", "reply", "said"),
    [
        ("html", Reply(content="a"), "is not JSON: it begins with '<html>Sign in"),
        ("truncated_json", Reply(content="a"), "is not JSON: it begins with '{\"id\""),
        (None, Reply(content=None, message={"content": [{"type": "text"}]}),
         "is no chat completion: Message.content: input should be a valid string"),
        (None, Reply(content="a", usage={"prompt_tokens": "many"}),
         "is no chat completion: Usage.prompt_tokens: input should be a valid integer"),
    ],
)  # fmt: skip
def test_a_reply_that_cannot_be_read_is_told_as_one(
    api: ApiServer, fault: Fault | None, reply: Reply, said: str
) -> None:
    """With the server's address and no traceback; its content is on no terminal."""
    api.fault, api.answer = lambda key, attempt: fault, lambda body: reply
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = ask(model(api, timeout_s=20, retries={"attempts": 1}), [write("x")])[0]
    host = api.url.removeprefix("http://").removesuffix("/v1")
    assert found.error is not None
    assert found.error.startswith(f"given up after 1 attempt: the reply of {host} {said}")
    assert "Traceback" not in found.error
    assert "site-packages" not in found.error
    assert not any("serializer" in str(item.message) for item in told)


@pytest.mark.parametrize("fault", ["401", "404", "429_quota"])
def test_a_wrong_key_model_or_empty_account_stops_the_run(api: ApiServer, fault: Fault) -> None:
    """Before thousands of others are asked, and without the key in the message."""
    api.fault = lambda key, attempt: fault
    batches = [[write(str(i))] for i in range(200)]
    with pytest.raises(ModelError) as caught:
        list(LocalExecutor().answer(model(api, max_concurrency=4), batches))
    assert "gpt: " in str(caught.value)
    assert KEY not in str(caught.value)
    assert len(api.asked) <= 4


def test_a_prompt_that_is_too_long_fails_alone(api: ApiServer) -> None:
    """It is not sent again, and the others are answered."""
    api.fault = lambda key, attempt: "400_context" if "long" in key else None
    one = model(api)
    found = [ask(one, [write(text)])[0] for text in ("a long one", "a short one")]
    assert "too long for the model" in str(found[0].error)
    assert found[1].output == "A SHORT ONE"
    assert len(api.asked) == 2


def test_a_setting_that_the_model_does_not_take_is_told(api: ApiServer) -> None:
    """It is neither left out silently nor sent ten thousand times."""
    one = model(api, generation={"reasoning_effort": "low"})
    with pytest.raises(ModelError, match="reasoning_effort"):
        ask(one, [write("hello")])
    assert api.asked == []


def test_an_unknown_provider_is_told(api: ApiServer) -> None:
    """With what to write for a server of one's own."""
    with pytest.raises(ModelError, match=r"no provider 'opnai'.*openai/NAME"):
        ask(model(api, model="opnai/gpt-4.1"), [write("hello")])


def test_no_key_of_the_environment_goes_to_another_server(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an address of one's own and no api_key_env, the provider's key stays at home."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    ask(model(api, api_key_env=None), [write("hello")])
    assert KEY not in str(api.asked[0].headers)


def test_the_window_slides(api: ApiServer) -> None:
    """No more in the air than were allowed, and as many as were; a straggler holds up nobody."""
    released, together = threading.Event(), threading.Barrier(3, timeout=10)

    def slow(body: Body) -> Reply:
        if asked_text(body) in ("0", "1", "2"):
            together.wait()
        if asked_text(body) == "0":
            released.wait(10)
        return Reply(content="x")

    api.answer = slow
    one = model(api, max_concurrency=3, timeout_s=20)
    order: list[str] = []
    for batch, _ in LocalExecutor().answer(one, [[write(str(i))] for i in range(12)]):
        order.append(batch[0].text)
        if len(order) == 11:
            released.set()
    assert order[-1] == "0"
    assert api.most_at_once == 3


def test_the_budget_stops_the_run_and_keeps_what_was_answered(api: ApiServer) -> None:
    """Nothing is asked that might pass it; what was answered before is handed on."""
    price = Price(usd_per_request=0.1)
    one = model(api, price=price, budget_usd=0.55, max_concurrency=2)
    found: list[Response] = []

    def collect() -> None:
        for _, responses in LocalExecutor().answer(one, [[write(str(i))] for i in range(50)]):
            found.extend(responses)

    with pytest.raises(BudgetError, match=r"\$0\.5000 is spent"):
        collect()
    assert [response.error for response in found] == [None] * 5
    assert len(api.asked) == 5
    assert one.budget.spent_usd == pytest.approx(0.5)
    assert "$0.5000 spent for this run" in one.spent_note
    assert not any("spent" in note for note in one.notes)


def test_nobody_is_paid_where_nobody_listens(api: ApiServer) -> None:
    """A refused connection cost nothing; one that broke after the request was sent may have."""
    more: dict[str, Any] = {"price": Price(usd_per_request=0.1), "budget_usd": 1.0}
    retries = {"attempts": 2, "total_s": 20}
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unheard.getsockname()[1]}/v1"
        absent = model(api, api_base=address, retries=retries, **more)
        assert "given up" in str(ask(absent, [write("hello")])[0].error)
    assert absent.budget.spent_usd == 0
    api.fault = lambda key, attempt: "reset"
    broken = model(api, retries=retries, **more)
    assert "given up" in str(ask(broken, [write("hello")])[0].error)
    assert broken.budget.lost_usd == pytest.approx(0.2)


def test_a_refusal_and_a_filter_are_told(api: ApiServer) -> None:
    """A refusal is an answer; what a filter withheld is an error; both are counted in the notes."""
    api.answer = lambda body: (
        Reply(content=None, message={"refusal": "I cannot."})
        if asked_text(body) == "a"
        else Reply(content="", finish_reason="content_filter")
    )
    one = model(api)
    refused, withheld = ask(one, [write("a")])[0], ask(one, [write("b")])[0]
    assert refused.output == "I cannot."
    assert "content filter" in str(withheld.error)
    notes = " ".join(one.notes)
    assert "1 refusals of the model" in notes
    assert "1 of its answers withheld" in notes


def test_labels_that_were_cut_off_are_told(api: ApiServer) -> None:
    """They count as wrong, and the limit of new tokens is to blame."""
    api.answer = lambda body: Reply(
        content="The answer", finish_reason="length" if "cut" in asked_text(body) else "stop"
    )
    one = model(api)
    for text in ("cut 1", "cut 2", "whole"):
        ask(one, [classify(text)])
    ask(one, [write("cut, but free text")])
    assert [note for note in one.notes if "cut off" in note] == [
        "2 of 3 answers that were to be a label or a letter were cut off at max_new_tokens"
    ]


def test_a_limit_that_is_spent_is_waited_for(api: ApiServer) -> None:
    """The answer's headers say that nothing remains: the next request goes when they said."""
    api.headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "400ms"}
    one = model(api)
    ask(one, [write("a")])
    ask(one, [write("b")])
    assert api.asked[1].at - api.asked[0].at >= 0.4


def test_importing_the_adapter_does_nothing() -> None:
    """No litellm, no network, no thread: it comes with the first request."""
    program = (
        "import sys, threading, kdeval.models.api.model, kdeval.models.resolver\n"
        "assert not {'litellm', 'openai', 'httpx'} & set(sys.modules), 'imported'\n"
        "assert threading.active_count() == 1\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
