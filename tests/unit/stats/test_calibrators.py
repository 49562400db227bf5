"""Calibrators against scikit-learn and slow definitions; which one n samples get."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from kdeval.stats import judge_calibrator
from kdeval.stats.calibration.calibrators.choice import choose_calibrator, fit_calibrator
from kdeval.stats.calibration.calibrators.logistic import fit_logistic
from kdeval.stats.calibration.calibrators.venn_abers import fit_venn_abers, levels_of

NAMES = ("temperature", "Platt", "beta", "Venn-Abers", "isotonic")


def overconfident(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Claims 2 x the log-odds that are true, less one."""
    odds = rng.normal(1.5, 1.2, n)
    claimed = 1 / (1 + np.exp(-(2 * odds + 1)))
    return claimed, rng.random(n) < 1 / (1 + np.exp(-odds))


@pytest.mark.parametrize("name", ["temperature", "Platt", "beta"])
def test_logistic_calibrators_equal_scikit_learn(rng: np.random.Generator, name: str) -> None:
    """Soft targets are two weighted copies of each sample."""
    claimed, right = overconfident(rng, 300)
    c = np.clip(claimed, 1e-3, 1 - 1e-3)
    logit = np.log(c / (1 - c))
    features = {
        "temperature": logit[:, None],
        "Platt": logit[:, None],
        "beta": np.stack([np.log(c), -np.log(1 - c)], axis=1),
    }[name]
    wins = right.sum()
    target = np.where(right, (wins + 1) / (wins + 2), 1 / (300 - wins + 2))
    oracle = LogisticRegression(C=np.inf, fit_intercept=name != "temperature", tol=1e-10)
    oracle.fit(
        np.concatenate([features, features]),
        np.repeat([1, 0], 300),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    found = fit_logistic(name, claimed, right)
    assert found(claimed) == pytest.approx(oracle.predict_proba(features)[:, 1], abs=2e-4)


def test_platt_finds_the_world(rng: np.random.Generator) -> None:
    claimed, right = overconfident(rng, 50_000)
    parameters = fit_calibrator("Platt", claimed, right).parameters
    assert parameters["b"] == pytest.approx(0.5, abs=0.02)
    assert parameters["a"] == pytest.approx(-0.5, abs=0.04)


def test_venn_abers_equals_its_definition(rng: np.random.Generator) -> None:
    """Two isotonic regressions with the new sample in them, by scikit-learn."""
    claimed, right = overconfident(rng, 120)
    new = rng.uniform(0.02, 0.99, 15)
    scale, level = levels_of(claimed).astype(float), levels_of(new).astype(float)
    fitted = fit_venn_abers(claimed, right)
    for x, found in zip(level, fitted(new), strict=True):
        p0, p1 = (
            IsotonicRegression()
            .fit(np.append(scale, x), np.append(right.astype(float), answer))
            .predict([x])[0]
            for answer in (0.0, 1.0)
        )
        assert found == pytest.approx(p1 / (1 - p0 + p1))
        assert p0 <= found <= p1


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(NAMES),
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.3, 0.8, 0.95, 1.0]), st.booleans()),
        min_size=1,
        max_size=30,
    ),
)
def test_calibrated_probabilities_rise_and_are_never_certain(
    name: str, samples: list[tuple[float, bool]]
) -> None:
    """Also with one kind of answer, one confidence, separated classes and certainty claimed."""
    claimed, right = np.array([c for c, _ in samples]), np.array([r for _, r in samples])
    calibrator = fit_calibrator(name, claimed, right)
    found = calibrator(np.linspace(0, 1, 21))
    assert np.isfinite(found).all()
    assert ((found > 0) & (found < 1)).all()
    assert (np.diff(found) >= -1e-9).all()


@pytest.mark.parametrize(
    ("n", "probability", "names"),
    [
        (99, True, {"temperature"}),
        (99, False, {"Platt"}),
        (100, True, {"Platt"}),
        (499, True, {"Platt"}),
        (500, True, {"Platt", "beta", "Venn-Abers"}),
        (3000, False, {"Platt", "beta", "Venn-Abers", "isotonic"}),
    ],
)
def test_the_number_of_samples_decides(
    rng: np.random.Generator, n: int, probability: bool, names: set[str]
) -> None:
    claimed, right = overconfident(rng, n)
    choice = choose_calibrator(claimed, right, rng, probability=probability)
    assert choice.name in names
    if n >= 500:
        assert set(choice.log_losses) == names
        assert choice.log_losses[choice.name] == min(choice.log_losses.values())
    else:
        assert {choice.name} == names
        assert str(100 if n < 100 and probability else 500) in choice.why


def test_a_shape_that_no_line_fits_goes_to_a_step_function(rng: np.random.Generator) -> None:
    """Right half of the time below 0.9, nearly always above."""
    claimed = rng.uniform(0.4, 1.0, 6000)
    right = rng.random(6000) < np.where(claimed < 0.9, 0.5, 0.97)
    assert choose_calibrator(claimed, right, rng).name in ("Venn-Abers", "isotonic")


def test_judged_on_the_other_half(rng: np.random.Generator) -> None:
    claimed, right = overconfident(rng, 2000)
    fitting = np.arange(2000) < 1000
    found = judge_calibrator(claimed, right, fitting, rng)
    assert (found.n_fit, found.n_judged) == (1000, 1000)
    assert found.before.brier == pytest.approx(((claimed - right)[1000:] ** 2).mean())
    assert found.before.ece.p_value < 0.01 < found.after.ece.p_value
    assert found.after.log_loss < found.before.log_loss
    assert found.brier_change.high < 0
    assert found.brier_change.n == 1000
    worthless = right.copy()
    worthless[:1000] = rng.permutation(worthless[:1000])
    harmed = judge_calibrator(claimed, worthless, fitting, rng)
    assert harmed.brier_change.estimate > found.brier_change.estimate


def test_what_is_no_probability_has_no_before(rng: np.random.Generator) -> None:
    claimed, right = overconfident(rng, 200)
    fitting = np.arange(200) % 2 == 0
    found = judge_calibrator(claimed**3, right, fitting, rng, probability=False)
    assert (found.name, found.before, found.brier_change) == ("Platt", None, None)
    assert found.after.ece.estimate is not None


def test_clusters_stay_in_one_fold(rng: np.random.Generator) -> None:
    """Four copies of each sample: folds of copies would favour the calibrator that remembers."""
    claimed, right = (np.repeat(part, 4) for part in overconfident(rng, 200))
    copies = np.repeat(np.arange(200), 4)
    honest = choose_calibrator(claimed, right, rng, clusters=copies)
    naive = choose_calibrator(claimed, right, rng)
    assert honest.log_losses["Venn-Abers"] > naive.log_losses["Venn-Abers"]


def test_too_little_is_refused_with_a_reason(rng: np.random.Generator) -> None:
    claimed, right = overconfident(rng, 50)
    few = judge_calibrator(claimed, right, np.arange(50) < 25, rng)
    assert (few.name, few.why, few.after) == (None, "fewer than 30 samples in a half", None)
    same = judge_calibrator(np.full(80, 0.9), np.ones(80), np.arange(80) < 40, rng)
    assert same.name is None
    assert same.why == "every answer it would be fitted on is right"
    nothing = judge_calibrator([], [], [], rng)
    assert (nothing.n_fit, nothing.name) == (0, None)
    certain = judge_calibrator(np.ones(80), np.arange(80) % 4 > 0, np.arange(80) // 8 % 2 == 0, rng)
    assert certain.before.log_loss is None
    assert certain.after.log_loss == pytest.approx(0.56, abs=0.05)
