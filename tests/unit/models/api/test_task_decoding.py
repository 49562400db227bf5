"""A request that says how its text is to be drawn, as lm-eval's tasks do."""

from __future__ import annotations

from kdeval.config.api_models import ApiModelConfig
from kdeval.models.api.chat import chat_parameters
from kdeval.models.protocols import Decoding, Request


def parameters(decoding: Decoding | None, **generation: object) -> dict[str, object]:
    config = ApiModelConfig.model_validate(
        {"name": "m", "type": "api", "model": "openai/m", "generation": generation}
    )
    request = Request(
        sample_id="1", suite="s", kind="generation", input="a", raw=True, decoding=decoding
    )
    found = chat_parameters(request, config)
    return {name: found[name] for name in ("temperature", "top_p") if name in found}


def test_a_task_that_samples_is_sampled():
    """Its temperature wins over the configuration's."""
    drawn = Decoding(temperature=0.8, top_p=0.95)
    assert parameters(drawn) == {"temperature": 0.8, "top_p": 0.95}


def test_a_model_that_takes_no_temperature_gets_none():
    """As many reasoning models."""
    assert parameters(Decoding(temperature=0.8), temperature=None) == {}


def test_a_greedy_task_leaves_the_configuration_as_it_is():
    """So does a request that says nothing."""
    for decoding in (Decoding(), None):
        assert parameters(decoding, temperature=0.3) == {"temperature": 0.3}
