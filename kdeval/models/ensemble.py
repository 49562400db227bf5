"""Several models that answer as one: by their mean probability, or by majority."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict, TypeVar

import numpy as np

from kdeval.errors import ModelError
from kdeval.models.protocols import METHODS, Model, Request
from kdeval.records import Kind, Response
from kdeval.store.fingerprints import value_digest

__all__ = ["Combine", "Ensemble", "asked_models"]

Combine = Literal["mean_probability", "majority"]
Number = TypeVar("Number", int, float)
_REFILLS = 4


class Ensemble:
    """Answers what its members' answers come to; a request that fails for one fails for all.

    mean_probability: each member's probabilities over the options, averaged; the output is the
    likeliest. majority: the output that most members gave, tool calls included; of equally
    frequent ones that of the member listed first. Texts are the same when they are equal but for
    white space at their ends.
    """

    def __init__(
        self,
        name: str,
        members: Mapping[str, Model],
        fingerprints: Mapping[str, str],
        *,
        combine: Combine,
    ) -> None:
        """The members in their order.

        Args:
            name: what the ensemble is called, for error messages.
            members: name to model.
            fingerprints: name to what the member's answers are stored under.
            combine: how answers become one.
        """
        self.name = name
        self.members = dict(members)
        self.fingerprints = dict(fingerprints)
        self.combine: Combine = combine
        self.answers_by_id = any(getattr(m, "answers_by_id", False) for m in members.values())

    @property
    def fingerprint(self) -> str:
        """Digest of the members' fingerprints in their order, and of how they are combined."""
        return value_digest(["ensemble", 1, self.combine, list(self.fingerprints.values())])

    @property
    def batch_size(self) -> int:
        """How many requests it likes at a time: those of the member that likes most."""
        return max(_at_a_time(model, "batch_size") for model in self.members.values())

    @property
    def scoring_batch_size(self) -> int:
        """The same where continuations are scored."""
        return max(_at_a_time(model, "scoring_batch_size") for model in self.members.values())

    @property
    def writing_batch_size(self) -> int:
        """The same where texts are written."""
        return max(_at_a_time(model, "writing_batch_size") for model in self.members.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the members, with their names."""
        return tuple(
            f"member {name}: {note}"
            for name, model in self.members.items()
            for note in getattr(model, "notes", ())
        )

    @property
    def parameters(self) -> int | None:
        """Those of all members; None where one does not know."""
        return _total([getattr(model, "parameters", None) for model in self.members.values()])

    @property
    def bytes_on_disk(self) -> int | None:
        """Those of all members; None where one does not know."""
        return _total([getattr(model, "bytes_on_disk", None) for model in self.members.values()])

    def problem(self, kind: Kind) -> str | None:
        """Why it cannot answer requests of that kind; None when it can, as far as members can."""
        if self.combine == "mean_probability" and kind in ("extraction", "generation"):
            return f"texts of {kind} have no probabilities to average: set combine: majority"
        if self.combine == "majority" and kind == "loglikelihood":
            return "log-likelihoods of tasks cannot be voted on: set combine: mean_probability"
        return None

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        """The members asked, and their labels combined."""
        return self._ask(requests)

    def score_choices(self, requests: Sequence[Request]) -> list[Response]:
        """The members asked, and their choices combined."""
        return self._ask(requests)

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """The members asked, and the text that most of them wrote."""
        return self._ask(requests)

    def log_likelihoods(self, requests: Sequence[Request]) -> list[Response]:
        """The members asked, and their probabilities of each continuation averaged."""
        return self._ask(requests)

    def combined(self, request: Request, answers: Mapping[str, Response]) -> Response:
        """What the members' answers to a request come to.

        Args:
            request: what was asked.
            answers: member to its response, every member's.
        """
        for name in self.members:
            error = answers[name].error
            if error is not None:
                return Response(error=f"{name}: {error}")
        ordered = [answers[name] for name in self.members]
        if self.combine == "majority":
            return _majority(ordered)
        if request.kind == "loglikelihood":
            return _mixture(request, ordered)
        return self._mean(request, answers)

    def _ask(self, requests: Sequence[Request]) -> list[Response]:
        method = METHODS[requests[0].kind]
        asked = {
            name: list(getattr(model, method)(requests)) for name, model in self.members.items()
        }
        return [
            self.combined(request, {name: found[index] for name, found in asked.items()})
            for index, request in enumerate(requests)
        ]

    def _mean(self, request: Request, answers: Mapping[str, Response]) -> Response:
        keys = request.labels or tuple(map(str, range(len(request.choices))))
        rows = []
        for name in self.members:
            log_probs = answers[name].log_probs
            if log_probs is None or any(key not in log_probs for key in keys):
                raise ModelError(
                    f"{self.name}: member {name} gives no probability of every option; "
                    "combine: majority needs none"
                )
            logs = np.array([log_probs[key] for key in keys])
            if not np.isfinite(logs).any():
                return Response(error=f"{name}: every option has probability 0")
            shares = np.exp(logs - logs.max())
            rows.append(shares / shares.sum())
        means = np.mean(rows, axis=0)
        best = int(means.argmax())
        return Response(
            output=keys[best],
            log_probs={
                key: math.log(value) if value > 0 else -math.inf
                for key, value in zip(keys, means.tolist(), strict=True)
            },
            confidence=min(1.0, float(means[best])),
            **_totals([answers[name] for name in self.members]),
        )


def asked_models(models: Mapping[str, Model]) -> dict[str, Model]:
    """What is asked when those models are, by name: in an ensemble's place its members."""
    found: dict[str, Model] = {}
    for name, model in models.items():
        if isinstance(model, Ensemble):
            found |= {f"{name}, member {member}": one for member, one in model.members.items()}
        else:
            found[name] = model
    return found


def _at_a_time(model: Model, what: str) -> int:
    """As many as the member likes; of one that answers several at once so many that few of its
    places are idle at the end of each batch.
    """
    size = int(getattr(model, what, getattr(model, "batch_size", 32)))
    at_once = int(getattr(model, "max_concurrency", 1))
    return size if at_once == 1 else _REFILLS * at_once * size


def _mixture(request: Request, answers: Sequence[Response]) -> Response:
    """The mean over members of each continuation's probability, which need not sum to one.

    A continuation is greedy where it is so for every member: it is then what their mean would
    write too. Where only some would write it, that cannot be told from their answers.
    """
    keys = tuple(map(str, range(len(request.choices))))
    told = [item.log_probs for item in answers if item.log_probs is not None]
    if len(told) < len(answers) or any(key not in logs for logs in told for key in keys):
        raise ModelError("a member of the ensemble gives no log-likelihood of every continuation")
    rows = np.array([[logs[key] for key in keys] for logs in told])
    means = np.logaddexp.reduce(rows, axis=0) - math.log(len(rows))
    greedy = [item.greedy for item in answers if item.greedy is not None]
    return Response(
        output=keys[int(means.argmax())],
        log_probs=dict(zip(keys, means.tolist(), strict=True)),
        greedy=tuple(map(all, zip(*greedy, strict=True))) if len(greedy) == len(told) else None,
        **_totals(answers),
    )


def _majority(answers: Sequence[Response]) -> Response:
    said = [None if item.answer is None else item.answer.strip() for item in answers]
    votes = Counter(said)
    most = max(votes.values())
    chosen = next(item for item, text in zip(answers, said, strict=True) if votes[text] == most)
    if chosen.answer is None:
        return Response(error="most members gave a score and no output, which cannot be counted")
    return Response(
        output=chosen.output,
        tool_calls=chosen.tool_calls,
        confidence=most / len(answers),
        **_totals(answers),
    )


class _Totals(TypedDict):
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None


def _totals(answers: Sequence[Response]) -> _Totals:
    """What all members read, wrote and cost; None where one does not tell."""
    return _Totals(
        input_tokens=_total([item.input_tokens for item in answers]),
        output_tokens=_total([item.output_tokens for item in answers]),
        cost_usd=_total([item.cost_usd for item in answers]),
    )


def _total(values: Sequence[Number | None]) -> Number | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], start=known[0]) if len(known) == len(values) else None
