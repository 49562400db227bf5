"""What every backend promises for every kind of request that it claims to answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kdeval.models.protocols import METHODS, Model
from kdeval.records import Kind, Response
from kdeval.run.executor import ask
from kdeval.store.predictions import PredictionStore
from tests.api_server import ApiServer
from tests.contract import backends
from tests.contract.backends import BACKENDS, CHOICES, DOCUMENTS, ODD, requests
from tests.contract.conftest import LABELS

KEY = "sk-test/Key+0123456789=="
CLAIMS = [(name, kind) for name, backend in BACKENDS.items() for kind in backend.kinds]
TOLERANCE = 1e-4

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:coroutine"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Iterator[Path]:
    """What the backends are built of; the API answers until the last test is done."""
    folder = tmp_path_factory.mktemp("backends")
    backends.save_models(folder, tiny_bert)
    with ApiServer(backends.api_answer) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_API_KEY", KEY)
        (folder / "api_base").write_text(server.url)
        yield folder


@pytest.fixture(scope="module")
def built(root: Path) -> Callable[[str], Model]:
    """A backend by name, built once."""
    known: dict[str, Model] = {}

    def get(name: str) -> Model:
        if name not in known:
            known[name] = backends.build(root, name)
        return known[name]

    return get


def _same(one: Response, other: Response) -> None:
    assert (one.output, one.error, one.samples) == (other.output, other.error, other.samples)
    assert (one.input_tokens, one.output_tokens) == (other.input_tokens, other.output_tokens)
    assert one.log_probs == pytest.approx(other.log_probs, abs=TOLERANCE)
    assert one.mean_log_prob == pytest.approx(other.mean_log_prob, abs=TOLERANCE)


@pytest.mark.parametrize("name", BACKENDS)
def test_the_fingerprint_is_stable_and_sensitive(root: Path, name: str) -> None:
    """Building the model again gives the same; a setting that answers depend on, another."""
    first = backends.build(root, name).fingerprint
    assert len(first) >= 16
    assert backends.build(root, name).fingerprint == first
    assert backends.build(root, name, **BACKENDS[name].change).fingerprint != first


@pytest.mark.parametrize(("name", "kind"), CLAIMS)
def test_one_response_each_in_order(built: Callable[[str], Model], name: str, kind: Kind) -> None:
    """Each holds what its kind of request wants; `ask` has checked it against the protocol."""
    model = built(name)
    assert callable(getattr(model, METHODS[kind]))
    asked = requests(kind, name)
    responses = ask(model, asked)
    assert len(responses) == len(asked)
    for response in responses:
        assert response.error is None
        _holds_an_answer(kind, response)
        _is_sane(response)


def _holds_an_answer(kind: Kind, response: Response) -> None:
    options = {"classification": LABELS, "multiple_choice": "012", "loglikelihood": "012"}.get(kind)
    if options is not None:
        assert response.output in options
    if options is not None and response.log_probs is not None:
        values = response.log_probs
        assert set(values) == set(options)
        assert response.output == max(values, key=values.__getitem__)
        if kind != "loglikelihood":
            assert sum(map(math.exp, values.values())) == pytest.approx(1, abs=1e-6)
    if kind == "loglikelihood":
        assert response.greedy is not None
        assert len(response.greedy) == len(CHOICES)
    if kind == "likelihood":
        assert response.output == "a good film"
        assert response.mean_log_prob is not None
        assert response.mean_log_prob <= 0
    if kind == "retrieval":
        ranked = json.loads(response.output or "")
        assert len(ranked) == len(set(ranked)) == 3
        assert set(ranked) <= set(DOCUMENTS)


def _is_sane(response: Response) -> None:
    """Counts and clocks: what is not known is None, and what is known is possible."""
    for count in (response.input_tokens, response.output_tokens, response.reasoning_tokens):
        assert count is None or (isinstance(count, int) and count >= 0)
    timing = response.timing
    if timing is None:
        return
    assert timing.origin in ("wall", "batch", "recorded")
    parts = (timing.total_s, timing.first_token_s, timing.between_tokens_s, timing.queue_s)
    assert all(part is None or (math.isfinite(part) and part >= 0) for part in parts)
    if timing.first_token_s is not None:
        assert timing.total_s is not None
        assert timing.first_token_s <= timing.total_s
    if timing.origin == "batch":
        assert timing.first_token_s is None


@pytest.mark.parametrize(("name", "kind"), CLAIMS)
def test_the_batch_does_not_matter(built: Callable[[str], Model], name: str, kind: Kind) -> None:
    """Backwards or alone: the same answers, log-probabilities to 1e-4; alone has a wall clock."""
    model, asked = built(name), requests(kind, name)
    together = ask(model, asked)
    for one, other in zip(ask(model, asked[::-1])[::-1], together, strict=True):
        _same(one, other)
    for single, response in zip(asked[::3], together[::3], strict=True):
        (alone,) = ask(model, [single])
        _same(alone, response)
        _is_sane(alone)
        assert alone.timing is None or alone.timing.origin != "batch"


@pytest.mark.parametrize(("name", "kind"), CLAIMS)
def test_odd_input_harms_nobody(
    built: Callable[[str], Model], name: str, kind: Kind, tmp_path: Path
) -> None:
    """Chat messages, nothing, very much, other scripts, NUL: an answer or a reason each, and what
    is asked beside them is answered as ever. The store gives all of it back to the byte.
    """
    model, usual = built(name), requests(kind, name)[:2]
    odd = [backends.request(kind, sample, asked, name) for sample, asked in ODD.items()]
    responses = ask(model, [usual[0], *odd, usual[1]])
    expected = ask(model, usual)
    _same(responses[0], expected[0])
    _same(responses[-1], expected[1])
    for sample, response in zip(ODD, responses[1:-1], strict=True):
        assert (response.error is None) != (response.output is None), sample
        assert response.error is None or len(response.error) > 10
        assert response.error is None or sample in ("long", "empty", "nul"), response.error
    keyed = {str(index): response for index, response in enumerate(responses)}
    with PredictionStore(tmp_path / "predictions.sqlite") as store:
        store.put(keyed)
        answered = {key: response for key, response in keyed.items() if response.error is None}
        assert store.get(list(answered)) == answered


def test_a_failure_stays_alone_and_tells_no_secret(built: Callable[[str], Model]) -> None:
    """A request that a user's model raises at is an error without the key in its words."""
    asked = requests("generation", "module")[:3]
    asked[1] = replace(asked[1], input="fail")
    responses = ask(built("module"), asked)
    assert [response.error is None for response in responses] == [True, False, True]
    assert "refused" in (responses[1].error or "")
    assert "sk-abc" not in (responses[1].error or "")


def test_an_api_that_refuses_tells_no_key(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the error of a request shows the key that was sent."""
    monkeypatch.setenv("TEST_API_KEY", KEY)
    model = backends.build(root, "api", api_base="http://127.0.0.1:9/v1", retries={"attempts": 1})
    (response,) = ask(model, requests("generation", "api")[:1])
    assert response.error
    assert KEY not in response.error
    assert KEY[3:12] not in response.error
