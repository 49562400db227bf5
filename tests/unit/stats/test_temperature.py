"""Temperature scaling."""

import numpy as np
import pytest
from scipy.special import log_softmax

from kdeval.stats import fit_temperature, log_losses, scale


@pytest.mark.parametrize("truth", [0.5, 1.0, 2.5])
def test_recovers_the_temperature_of_the_data(rng: np.random.Generator, truth: float) -> None:
    logs = log_softmax(2 * rng.standard_normal((20_000, 4)), axis=1)
    p = np.exp(scale(logs, truth))
    labels = (rng.random((20_000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    assert fit_temperature(logs, labels) == pytest.approx(truth, rel=0.05)


def test_no_temperature_does_better(rng: np.random.Generator) -> None:
    logs = log_softmax(3 * rng.standard_normal((200, 3)), axis=1)
    labels = rng.integers(0, 3, 200)
    labels[:150] = logs[:150].argmax(axis=1)
    best = fit_temperature(logs, labels)
    loss = log_losses(scale(logs, best), labels).mean()
    for other in np.geomspace(0.06, 19, 60):
        assert loss <= log_losses(scale(logs, other), labels).mean() + 1e-9


def test_ends_of_the_range_and_left_out_samples() -> None:
    logs = np.log([[0.9, 0.1], [0.2, 0.8]])
    assert fit_temperature(logs, [0, 1]) == pytest.approx(0.05)
    assert fit_temperature(logs, [1, 0]) == pytest.approx(20.0)
    assert fit_temperature(np.zeros((0, 2)), np.zeros(0, dtype=int)) == 1.0
    impossible = np.array([[0.0, -np.inf]])
    assert fit_temperature(impossible, [1]) == 1.0
    with pytest.raises(ValueError, match="NaN"):
        fit_temperature([[np.nan, 0.0]], [0])


def test_scale_keeps_impossible_classes_and_refuses_bad_temperatures() -> None:
    scaled = scale([[np.log(0.8), np.log(0.2), -np.inf]], 2.0)
    assert np.exp(scaled).sum() == pytest.approx(1)
    assert np.exp(scaled[0]) == pytest.approx([2 / 3, 1 / 3, 0])
    for bad in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="positive"):
            scale([[0.0]], bad)
