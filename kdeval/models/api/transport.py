"""One attempt at one request through litellm: a whole reply, or `AttemptError`.

litellm's own retries, logs, callbacks, telemetry and .env files are off. It ends a broken stream as
if it had been finished, and fills in what the API did not say; here neither counts as said.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import textwrap
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from kdeval.errors import MissingExtraError, ModelError
from kdeval.models.api.error_chain import never_sent, out_of_credit, unreadable
from kdeval.models.api.failures import AttemptError, failure
from kdeval.models.api.offers import past_the_gateway
from kdeval.models.api.reply import ChatReply
from kdeval.models.api.reply_parts import completion_reply
from kdeval.models.api.retry_after import wait_seconds
from kdeval.models.api.secret_values import SecretValues
from kdeval.models.api.stream import StreamedReply
from kdeval.models.api.warm_up import warm_up

__all__ = ["Endpoint", "LitellmTransport", "load_litellm"]

_NO_KEY = "no-key"
_REASON = 400
_PREFIXES = re.compile(r"^(?:(?:litellm\.)?\w*(?:Error|Exception)\s*(?::|-)\s*)+")
_CALLBACKS = (
    "callbacks", "success_callback", "failure_callback", "input_callback", "service_callback",
    "_async_success_callback", "_async_failure_callback",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where and how long: everything of a call that is not what is asked.

    Attributes:
        api_base: of a server of the user's own; None: the provider's.
        api_key_env: environment variable that holds the key; None: the provider's own, and for a
            server of the user's own a placeholder, which clients insist on.
        timeout_s: of an attempt, to its last byte.
        stall_s: of a stream, from a piece to the next.
    """

    api_base: str | None
    api_key_env: str | None
    timeout_s: float
    stall_s: float

    @property
    def replying(self) -> str:
        """Whose reply it is, in words."""
        if self.api_base is None:
            return "the provider's reply"
        parts = urlsplit(self.api_base)
        return f"the reply of {parts.hostname}" + (f":{parts.port}" if parts.port else "")

    def arguments(self) -> dict[str, Any]:
        """For litellm's `acompletion`."""
        found: dict[str, Any] = {
            "timeout": self.timeout_s,
            "max_retries": 0,
            "num_retries": 0,
            "caching": False,
        }
        if self.api_base is not None:
            found |= {"api_base": self.api_base, "api_key": _NO_KEY}
        if self.api_key_env is not None:
            found["api_key"] = os.environ[self.api_key_env]
        return found


class LitellmTransport:
    """Sends what `chat_parameters` made.

    Raises:
        ModelError: litellm knows no such provider.
    """

    def __init__(self, model: str, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._litellm = load_litellm()
        try:
            self._litellm.get_llm_provider(model)
        except Exception:
            raise ModelError(
                f"litellm knows no provider {model.partition('/')[0]!r} (model: {model!r}); for an "
                "OpenAI-compatible server of your own write openai/NAME and give api_base"
            ) from None
        self._secrets = SecretValues.of_environment(endpoint.api_key_env)
        self._key = SecretValues.of_variable(endpoint.api_key_env)
        self._warm = False
        self._warming: asyncio.Task[None] | None = None

    async def send(self, parameters: Mapping[str, Any]) -> ChatReply:
        """The whole reply; without times where litellm was still loading parts of itself.

        Raises:
            AttemptError: there is none, or a broken one; without any secret in its words.
        """
        if self._warming is None:
            self._warming = asyncio.create_task(warm_up(self._litellm))
        await asyncio.shield(self._warming)
        warm = self._warm
        try:
            async with asyncio.timeout(self._endpoint.timeout_s):
                reply = await self._reply(parameters)
        except AttemptError as failed:
            failed.reason = self._clean(failed.reason)
            raise
        except TimeoutError:
            raise AttemptError(
                f"no whole answer within {self._endpoint.timeout_s:g} s", billed=True
            ) from None
        except Exception as error:
            raise self._failure(error) from None
        self._warm = True
        return (reply if warm else reply.untimed()).without(self._key.removed)

    async def _reply(self, parameters: Mapping[str, Any]) -> ChatReply:
        start = time.perf_counter()
        answered = await self._litellm.acompletion(
            **parameters,
            **past_the_gateway(self._litellm, parameters),
            **self._endpoint.arguments(),
        )
        wait_s = wait_seconds(_headers(answered), now=time.time())
        if not parameters.get("stream"):
            reply = completion_reply(answered, total_s=time.perf_counter() - start)
            return replace(reply, wait_s=wait_s)
        collected = StreamedReply(start)
        try:
            chunks = aiter(answered)
            while True:
                try:
                    async with asyncio.timeout(self._endpoint.stall_s):
                        chunk = await anext(chunks)
                except StopAsyncIteration:
                    break
                except TimeoutError:
                    raise AttemptError(
                        f"the stream stood still for {self._endpoint.stall_s:g} s", billed=True
                    ) from None
                collected.add(chunk)
        finally:
            await _close(answered)
        return replace(collected.whole(answered), wait_s=wait_s)

    def _failure(self, error: Exception) -> AttemptError:
        """What litellm's exception means; where no headers came back, its status is made up."""
        errors = self._litellm.exceptions
        kind = type(error).__name__
        told = _PREFIXES.sub("", str(error)).strip()
        reason = self._clean(f"{kind}: {told}" if told else kind)
        wrong = unreadable(error, self._secrets.removed)
        if wrong is not None:
            return failure(None, self._clean(f"{self._endpoint.replying} {wrong}"))
        headers = getattr(error, "litellm_response_headers", None) or {}
        status = getattr(error, "status_code", None)
        if isinstance(error, errors.UnsupportedParamsError):
            refused = reason.partition(" To drop these")[0]
            return AttemptError(
                f"{refused} Leave that setting out, or set it to null", remedy="stop the run"
            )
        if isinstance(error, errors.ContextWindowExceededError):
            return AttemptError(f"too long for the model: {reason}", remedy="give up")
        if isinstance(error, errors.ContentPolicyViolationError):
            return AttemptError(f"refused by the provider's filter: {reason}", remedy="give up")
        if status == 402 or out_of_credit(error):
            return AttemptError(f"the account is out of credit: {reason}", remedy="stop the run")
        if not headers and (not isinstance(status, int) or status >= 500):
            status = None
        failed = failure(status, reason, wait_s=wait_seconds(headers, now=time.time()))
        failed.billed = failed.billed and not never_sent(error)
        return failed

    def _clean(self, reason: str) -> str:
        """In a line of whole words, without secrets, and without a traceback of litellm's."""
        said = reason.partition("Traceback (most recent call last)")[0]
        return textwrap.shorten(self._secrets.removed(said), _REASON, placeholder=" ...")


def _headers(answered: Any) -> dict[str, str]:
    """Of the provider's answer, which litellm keeps under names of its own."""
    hidden = getattr(answered, "_hidden_params", None) or {}
    found = hidden.get("additional_headers") or {}
    return {str(name).removeprefix("llm_provider-"): str(value) for name, value in found.items()}


async def _close(stream: Any) -> None:
    """Gives the connection back, whatever it was in the middle of."""
    inner = getattr(stream, "completion_stream", None)
    close = getattr(inner, "aclose", None) or getattr(inner, "close", None)
    if close is None:
        return
    try:
        found = close()
        if asyncio.iscoroutine(found):
            await found
    except Exception:
        return


def load_litellm() -> Any:
    """The litellm module, made silent.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    try:
        import litellm
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("litellm", "openai"):
            raise
        raise MissingExtraError(feature="type: api", extra="api") from error
    litellm.suppress_debug_info = True
    litellm.set_verbose = False
    litellm.telemetry = False
    litellm.drop_params = False
    litellm.modify_params = False
    litellm.num_retries = None
    litellm.cache = None
    litellm.disable_aiohttp_transport = True
    litellm.disable_streaming_logging = True
    for names in _CALLBACKS:
        setattr(litellm, names, [])
    warnings.filterwarnings("ignore", message="coroutine '[A-Za-z]+.acompletion' was never")
    warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "httpx", "openai"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
    return litellm
