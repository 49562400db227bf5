"""The deterministic fake."""

import math

import pytest

from kdeval.config.schema import EchoModelConfig
from kdeval.errors import ModelError
from kdeval.models.echo import EchoModel
from kdeval.models.protocols import ChoiceScorer, Classifier, Generator, Request

LABELS = ("negative", "neutral", "positive")


def request(index=0, kind="classification", **more):
    given = {"sample_id": str(index), "suite": "s", "kind": kind, "input": f"text {index}"}
    return Request(**{**given, **more})


def classification(count):
    return [request(index, labels=LABELS) for index in range(count)]


def test_it_has_every_capability():
    model = EchoModel()
    assert isinstance(model, Classifier)
    assert isinstance(model, ChoiceScorer)
    assert isinstance(model, Generator)


def test_a_label_comes_with_a_distribution_whose_largest_it_is():
    for response in EchoModel().classify(classification(50)):
        assert set(response.log_probs) == set(LABELS)
        assert math.isclose(sum(map(math.exp, response.log_probs.values())), 1)
        assert response.output == max(response.log_probs, key=response.log_probs.get)
        assert response.confidence == pytest.approx(math.exp(response.log_probs[response.output]))


def test_every_label_is_picked_for_some_input():
    assert {r.output for r in EchoModel().classify(classification(60))} == set(LABELS)


def test_answers_depend_on_input_and_seed_only():
    first, second = EchoModel(seed=1), EchoModel(seed=1, batch_size=3, delay_s=0.0)
    requests = classification(40)
    assert first.classify(requests) == [second.classify([one])[0] for one in requests]
    assert EchoModel(seed=2).classify(requests) != first.classify(requests)


def test_a_choice_is_an_index_as_text():
    response = EchoModel().score_choices([request(kind="multiple_choice", choices=("x", "y"))])[0]
    assert response.output in ("0", "1")
    assert set(response.log_probs) == {"0", "1"}


def test_it_writes_the_input_or_the_fixed_text():
    asked = [request(kind="generation")]
    assert EchoModel().generate(asked)[0].output == "text 0"
    assert EchoModel(text="done").generate(asked)[0].output == "done"


def test_the_same_share_of_inputs_fails_every_time():
    model = EchoModel(fail_share=0.3)
    failed = [bool(r.error) for r in model.classify(classification(500))]
    assert 0.22 < sum(failed) / 500 < 0.38
    assert failed == [bool(r.error) for r in model.classify(classification(500))]
    assert all(EchoModel(fail_share=1).classify(classification(5))[i].error for i in range(5))
    assert not any(r.error for r in EchoModel().classify(classification(100)))


def test_a_failing_request_can_take_its_batch_with_it():
    with pytest.raises(RuntimeError, match="echo fails"):
        EchoModel(fail_share=1, raises=True).classify(classification(2))


def test_it_counts_what_it_was_asked():
    model = EchoModel()
    model.classify(classification(3))
    model.generate([request(7, kind="generation")])
    assert (model.calls, model.asked) == (2, ["0", "1", "2", "7"])


def test_the_fingerprint_covers_what_answers_depend_on():
    assert EchoModel(seed=1).fingerprint == EchoModel(seed=1, delay_s=1).fingerprint
    prints = {m.fingerprint for m in (EchoModel(), EchoModel(seed=1), EchoModel(text="x"))}
    assert len(prints) == 3


def test_a_share_beyond_one_is_refused():
    with pytest.raises(ModelError, match="fail_share"):
        EchoModel(fail_share=1.5)


def test_it_is_built_from_its_configuration():
    config = EchoModelConfig(name="e", type="echo", seed=3, text="t", fail_share=0.5, delay_s=0.1)
    model = EchoModel.from_config(config)
    assert (model.seed, model.text, model.fail_share, model.delay_s) == (3, "t", 0.5, 0.1)


def test_choices_without_options_are_an_error_of_the_request():
    assert EchoModel().classify([request()])[0].error


def test_continuations_have_log_likelihoods_of_their_own():
    """Each depends on its context and itself alone; the likeliest is the output, and greedy."""
    both, one = (
        EchoModel().log_likelihoods([request(kind="loglikelihood", choices=choices)])[0]
        for choices in ((" a", " long one"), (" long one",))
    )
    assert both.log_probs["1"] == one.log_probs["0"] < 0
    assert both.output == max(both.log_probs, key=both.log_probs.get)
    assert both.greedy == tuple(str(index) == both.output for index in range(2))
    assert EchoModel().log_likelihoods([request(kind="loglikelihood")])[0].error is not None
