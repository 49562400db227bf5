"""Ensembles: what members' answers come to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeval.errors import ModelError
from kdeval.models.echo import EchoModel
from kdeval.models.ensemble import Ensemble
from kdeval.models.protocols import Request
from kdeval.models.resolver import require_capability
from kdeval.records import Response

LABELS = ("no", "maybe", "yes")


def request(kind: Any = "classification", **changes: Any) -> Request:
    options: dict[str, Any] = {"labels": LABELS} if kind == "classification" else {}
    return Request(sample_id="s", suite="x", kind=kind, input="text", **(options | changes))


def ensemble(combine: Any = "mean_probability", n: int = 3) -> Ensemble:
    members = {f"m{seed}": EchoModel(seed=seed) for seed in range(n)}
    prints = {name: model.fingerprint for name, model in members.items()}
    return Ensemble("team", members, prints, combine=combine)


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=2, max_size=5))
def test_probabilities_are_averaged(weights: list[list[float]]) -> None:
    """The mean of the members' normalised probabilities, also of unnormalised choices."""
    logs = np.log(weights)
    shares = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    team = ensemble(n=len(weights))
    asked = request("multiple_choice", choices=("a", "b", "c"))
    found = team.combined(
        asked,
        {
            name: Response(output="0", log_probs=dict(zip("012", row.tolist(), strict=True)))
            for name, row in zip(team.members, logs, strict=True)
        },
    )
    assert found.log_probs is not None
    mean = [math.exp(found.log_probs[key]) for key in "012"]
    assert mean == pytest.approx(shares.mean(axis=0).tolist())
    assert found.output == str(int(shares.mean(axis=0).argmax()))
    assert found.confidence == pytest.approx(max(mean))


@pytest.mark.parametrize(
    ("votes", "output", "share"),
    [
        (("a", "b", "b"), "b", 2 / 3),
        (("b", "a", "c"), "b", 1 / 3),  # a tie: the member listed first
        (("b", "a", "a", "b"), "b", 1 / 2),
        ((" a\n", "a", "b"), " a\n", 2 / 3),  # white space at the ends does not count
    ],
)
def test_majority(votes: tuple[str, ...], output: str, share: float) -> None:
    team = ensemble("majority", n=len(votes))
    answers = {name: Response(output=vote) for name, vote in zip(team.members, votes, strict=True)}
    found = team.combined(request("generation"), answers)
    assert (found.output, found.confidence) == (output, pytest.approx(share))


def test_one_failure_fails_the_ensemble() -> None:
    """A missing member is a missing answer: fewer members would be another ensemble."""
    answers = {"m0": Response(output="a"), "m1": Response(error="gone"), "m2": Response(output="a")}
    found = ensemble("majority").combined(request("generation"), answers)
    assert found == Response(error="m1: gone")


def test_costs_and_tokens_are_added_up_or_unknown() -> None:
    team = ensemble("majority", n=2)
    one = Response(output="a", cost_usd=0.5, input_tokens=3, output_tokens=1)
    two = Response(output="a", cost_usd=0.25, input_tokens=3)
    found = team.combined(request("generation"), {"m0": one, "m1": two})
    assert (found.cost_usd, found.input_tokens, found.output_tokens) == (0.75, 6, None)


def test_it_answers_as_its_members_combined() -> None:
    """Asked live, as the latency probe does."""
    team = ensemble()
    (found,) = team.classify([request()])
    answers = {name: model.classify([request()])[0] for name, model in team.members.items()}
    assert found == team.combined(request(), answers)


def test_without_probabilities_there_is_no_mean() -> None:
    team = ensemble(n=2)
    answers = {"m0": Response(output="yes"), "m1": Response(output="yes")}
    with pytest.raises(ModelError, match="combine: majority needs none"):
        team.combined(request(), answers)


def test_the_fingerprint_is_that_of_the_members_in_order() -> None:
    assert ensemble(n=2).fingerprint == ensemble(n=2).fingerprint
    others = {ensemble(n=3).fingerprint, ensemble("majority", n=2).fingerprint}
    turned = ensemble(n=2)
    turned.fingerprints = dict(reversed(turned.fingerprints.items()))
    assert ensemble(n=2).fingerprint not in others | {turned.fingerprint}


def test_capability_follows_the_members() -> None:
    """Texts need a majority; a member that cannot answer is named."""
    require_capability("team", ensemble("majority"), "generation", "x")
    with pytest.raises(ModelError, match="set combine: majority"):
        require_capability("team", ensemble(), "generation", "x")

    class OnlyTexts:
        fingerprint = "f"

        def generate(self, requests: Any) -> Any:
            return []

    mixed = Ensemble(
        "team", {"echo": EchoModel(), "texts": OnlyTexts()}, {"echo": "e", "texts": "t"},
        combine="majority",
    )  # fmt: skip
    with pytest.raises(ModelError, match=r"team, member texts: OnlyTexts has no method classify"):
        require_capability("team", mixed, "classification", "x")


def test_continuations_are_held_likely_by_the_mean_of_members() -> None:
    """Each continuation's own probability is averaged; greedy is what every member would write."""
    team = ensemble("mean_probability", 2)
    asked = Request(
        sample_id="1", suite="s", kind="loglikelihood", input="x", choices=(" a", " b"), raw=True
    )
    told = (
        Response(
            output="0", log_probs={"0": math.log(0.2), "1": math.log(0.1)}, greedy=(True, False)
        ),
        Response(
            output="1", log_probs={"0": math.log(0.4), "1": math.log(0.7)}, greedy=(True, True)
        ),
    )
    found = team.combined(asked, dict(zip(team.members, told, strict=True)))
    assert found.log_probs is not None
    assert found.log_probs["0"] == pytest.approx(math.log(0.3))
    assert found.log_probs["1"] == pytest.approx(math.log(0.4))
    assert (found.output, found.greedy) == ("1", (True, False))
    with pytest.raises(ModelError, match="cannot be voted on"):
        require_capability("m", ensemble("majority", 2), "loglikelihood", "arc_easy")
