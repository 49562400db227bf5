"""An OpenAI-compatible chat API on 127.0.0.1 that misbehaves on order.

What it does to a request is decided by the request's messages and by how often they were asked
before, so a test that is run again meets the same faults.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, get_args

Fault = Literal[
    "429", "429_seconds", "429_date", "500", "502", "reset", "hang", "truncated_json",
    "wrong_schema", "empty_choices", "slow_drip", "400", "400_context", "401", "404", "429_quota",
    "html",
]  # fmt: skip
TRANSIENT: tuple[Fault, ...] = get_args(Fault)[:11]
"""The faults that go away when the request is asked again."""

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the model behind the API says.

    Attributes:
        content: the text; streamed a word at a time.
        message: further fields of the message, such as tool_calls or refusal.
        logprobs: per token (token, log-probability, its likeliest tokens).
        usage: as in the API; None: counted in words.
        token_delay_s: between the chunks of a stream.
    """

    content: str | None
    message: Mapping[str, Any] = field(default_factory=dict)
    finish_reason: str = "stop"
    logprobs: Sequence[tuple[str, float, Mapping[str, float]]] | None = None
    usage: Mapping[str, Any] | None = None
    token_delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One HTTP request that came in, and when (`time.monotonic`)."""

    key: str
    body: Body
    headers: Mapping[str, str]
    fault: Fault | None
    at: float


def asked_text(body: Body) -> str:
    """The last user message: what identifies a sample to a test."""
    return str(body["messages"][-1]["content"])


def seeded_faults(
    share: float, *, kinds: Sequence[Fault] = TRANSIENT, seed: int = 0
) -> Callable[[str, int], Fault | None]:
    """Of all attempts about `share` fail, by a hash of (seed, messages, attempt)."""

    def fault(key: str, attempt: int) -> Fault | None:
        digest = hashlib.sha256(f"{seed} {key} {attempt}".encode()).digest()
        if int.from_bytes(digest[:4], "big") / 2**32 >= share:
            return None
        return kinds[int.from_bytes(digest[4:8], "big") % len(kinds)]

    return fault


class ApiServer:
    """Runs from `with ApiServer(...) as server` to its end.

    Attributes:
        url: what a client takes as its api_base.
        asked: every request, in order of arrival.
        answered: `asked_text` to how often it was answered whole.
        most_at_once: the most requests that were in the air together.
    """

    def __init__(
        self,
        answer: Callable[[Body], Reply] = lambda body: Reply(content=asked_text(body)),
        *,
        fault: Callable[[str, int], Fault | None] = lambda key, attempt: None,
        retry_after_s: float = 0.05,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """An API that is not up yet.

        Args:
            answer: what is said to a request's body.
            fault: what is done to the request with those messages, the how many-th time (from 0).
            retry_after_s: what "429_seconds" tells the client to wait.
            headers: of every answer, such as x-ratelimit-remaining-requests.
        """
        self.answer = answer
        self.fault = fault
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})
        self.asked: list[Asked] = []
        self.answered: Counter[str] = Counter()
        self.most_at_once = 0
        self.closing = threading.Event()
        self._attempts: Counter[str] = Counter()
        self._in_the_air = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> ApiServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def came_in(self, body: Body, headers: Mapping[str, str]) -> Fault | None:
        """Notes a request; what is to be done to it."""
        key = json.dumps(body["messages"], sort_keys=True)
        with self._lock:
            fault = self.fault(key, self._attempts[key])
            self._attempts[key] += 1
            self.asked.append(
                Asked(key=key, body=body, headers=headers, fault=fault, at=time.monotonic())
            )
        return fault

    def was_answered(self, body: Body) -> None:
        """Notes that the whole answer was handed to the network."""
        with self._lock:
            self.answered[asked_text(body)] += 1

    @contextlib.contextmanager
    def in_the_air(self) -> Iterator[None]:
        """While a request is worked on."""
        with self._lock:
            self._in_the_air += 1
            self.most_at_once = max(self.most_at_once, self._in_the_air)
        try:
            yield
        finally:
            with self._lock:
                self._in_the_air -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def api(self) -> ApiServer:
        api: ApiServer = self.server.api  # type: ignore[attr-defined]
        return api

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_POST(self) -> None:
        try:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        except (ValueError, ConnectionResetError):  # the client was killed in the middle of it
            self.close_connection = True
            return
        fault = self.api.came_in(body, dict(self.headers.items()))
        with self.api.in_the_air(), contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if fault is None or fault in ("reset", "truncated_json", "slow_drip"):
                self._answer(body, fault)
            else:
                self._refuse(fault)

    def _refuse(self, fault: Fault) -> None:
        if fault == "hang":
            self._hang()
            return
        if fault == "html":
            self._whole(b"<html>Sign in to the guest network</html>", None)
            return
        if fault == "wrong_schema":
            self._send(200, {"reply": "this is no chat completion"})
            return
        if fault == "empty_choices":
            self._send(200, {**_envelope("x"), "object": "chat.completion", "choices": []})
            return
        wait: dict[str, str] = {}
        if fault == "429_seconds":
            wait = {"Retry-After": str(self.api.retry_after_s)}
        if fault == "429_date":
            wait = {"Retry-After": formatdate(time.time() + 1, usegmt=True)}
        status = int(fault.partition("_")[0])
        self._send(status, {"error": self._error(fault, status)}, wait)

    def _hang(self) -> None:
        """Says nothing until the client has had enough."""
        while not self.api.closing.is_set():
            if select.select([self.connection], [], [], 0.05)[0]:
                break
        self._drop()

    def _error(self, fault: Fault, status: int) -> dict[str, Any]:
        """Echoes the Authorization header, as careless servers do."""
        said = self.headers.get("Authorization", "nothing")
        code = {
            "400_context": "context_length_exceeded",
            "404": "model_not_found",
            "429_quota": "insufficient_quota",
        }.get(fault)
        message = f"the server says {status}; you sent {said}"
        if fault == "429_quota":
            message = "You exceeded your current plan, please check your billing details."
        if fault == "400_context":
            message = "This model's maximum context length is 8 tokens."
        return {"message": message, "type": "error", "code": code, "param": None}

    def _answer(self, body: Body, fault: Fault | None) -> None:
        reply = self.api.answer(body)
        if body.get("stream"):
            pieces = [f"data: {json.dumps(chunk)}\n\n" for chunk in _chunks(body, reply)]
            pieces.append("data: [DONE]\n\n")
            self._stream([piece.encode() for piece in pieces], reply, fault)
        else:
            self._whole(json.dumps(_completion(body, reply)).encode(), fault)
        if fault is None:
            self.api.was_answered(body)

    def _whole(self, payload: bytes, fault: Fault | None) -> None:
        if fault == "truncated_json":
            payload = payload[: len(payload) // 2]
        self._head(200, "application/json", {"Content-Length": str(len(payload))})
        if fault == "slow_drip":
            self._drip(payload)
        elif fault == "reset":
            self.wfile.write(payload[: len(payload) // 2])
            self._drop()
        else:
            self.wfile.write(payload)

    def _stream(self, pieces: Sequence[bytes], reply: Reply, fault: Fault | None) -> None:
        self._head(200, "text/event-stream", {"Connection": "close"})
        self.close_connection = True
        whole = pieces if fault is None else pieces[: max(1, len(pieces) // 2)]
        for piece in whole:
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(reply.token_delay_s)
        if fault == "reset":
            self._drop()
        elif fault == "truncated_json":
            self.wfile.write(b'data: {"id": "x", "choi')
        elif fault == "slow_drip":
            self._drip(b": still here\n\n" * 100)

    def _drip(self, payload: bytes) -> None:
        for byte in payload:
            if self.api.closing.wait(0.05):
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()

    def _drop(self) -> None:
        """Ends the connection with a reset."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _send(
        self, status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        payload = json.dumps(content).encode()
        length = {"Content-Length": str(len(payload))}
        self._head(status, "application/json", {**length, **(headers or {})})
        self.wfile.write(payload)

    def _head(self, status: int, kind: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **self.api.headers, **headers}.items():
            self.send_header(name, value)
        self.end_headers()


def _envelope(model: str) -> dict[str, Any]:
    return {"id": "chatcmpl-test", "created": 1_700_000_000, "model": model}


def _completion(body: Body, reply: Reply) -> dict[str, Any]:
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": reply.content, **reply.message},
        "finish_reason": reply.finish_reason,
    }
    if body.get("logprobs") and reply.logprobs is not None:
        choice["logprobs"] = {"content": _token_log_probs(body, reply.logprobs)}
    return {
        **_envelope(body["model"]),
        "object": "chat.completion",
        "choices": [choice],
        "usage": _usage(body, reply),
    }


def _chunks(body: Body, reply: Reply) -> Iterator[dict[str, Any]]:
    """A role, the content word by word, the finish reason, and the usage where it is asked for."""
    envelope = {**_envelope(body["model"]), "object": "chat.completion.chunk"}

    def chunk(delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, **more}
        return {**envelope, "choices": [choice]}

    yield chunk({"role": "assistant", "content": ""})
    if body.get("logprobs") and reply.logprobs is not None:
        for item in _token_log_probs(body, reply.logprobs):
            yield chunk({"content": item["token"]}, logprobs={"content": [item]})
    else:
        words = (reply.content or "").split(" ")
        for index, word in enumerate(words):
            yield chunk({"content": word if index == 0 else f" {word}"})
    for index, call in enumerate(reply.message.get("tool_calls", ())):
        yield chunk({"tool_calls": [{"index": index, **call}]})
    rest = {name: value for name, value in reply.message.items() if name != "tool_calls"}
    if rest:
        yield chunk(rest)
    yield chunk({}, reply.finish_reason)
    if body.get("stream_options", {}).get("include_usage"):
        yield {**envelope, "choices": [], "usage": _usage(body, reply)}


def _token_log_probs(
    body: Body, log_probs: Sequence[tuple[str, float, Mapping[str, float]]]
) -> list[dict[str, Any]]:
    most = int(body.get("top_logprobs") or 0)
    return [
        {
            "token": token,
            "logprob": value,
            "bytes": None,
            "top_logprobs": [
                {"token": other, "logprob": its, "bytes": None}
                for other, its in sorted(top.items(), key=lambda item: -item[1])[:most]
            ],
        }
        for token, value, top in log_probs
    ]


def _usage(body: Body, reply: Reply) -> dict[str, Any]:
    if reply.usage is not None:
        return dict(reply.usage)
    asked = sum(len(str(message.get("content") or "").split()) for message in body["messages"])
    written = len((reply.content or "").split())
    return {
        "prompt_tokens": asked,
        "completion_tokens": written,
        "total_tokens": asked + written,
    }
