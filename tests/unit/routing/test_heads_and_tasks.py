"""Heads and tasks: exported is what was fitted; targets are chosen by what they save."""

from __future__ import annotations

import numpy as np
import pytest
from kdeval_router.heads import Heads
from kdeval_router.schema import Viability
from sklearn.linear_model import LogisticRegression

from kdeval.routing.heads import fit_head
from kdeval.routing.tasks import choose_target, fit_task_classifier


def problem(n: int = 1_500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, 6))
    right = rng.random(n) < 1 / (1 + np.exp(-(features[:, 0] * 2 + 1)))
    return features, right, np.arange(n)


def test_the_exported_head_is_sklearns_model_under_platts_scaling() -> None:
    features, right, groups = problem()
    head = fit_head(features, right, np.ones(len(right), dtype=bool), groups)
    exported = Heads(head.coefficients[None], np.array([head.intercept]))
    ours = np.array([exported.probabilities(row)[0] for row in features])
    logits = np.log(ours / (1 - ours))
    best = min(
        (
            np.abs(logits - np.polyval(np.polyfit(sk, logits, 1), sk)).max()
            for sk in (
                LogisticRegression(C=c, solver="newton-cholesky")
                .fit(features, right)
                .decision_function(features)
                for c in (0.03, 0.3, 3.0)
            )
        ),
    )
    assert best < 1e-9


def test_held_out_probabilities_are_calibrated_and_informative() -> None:
    features, right, groups = problem(6_000)
    head = fit_head(features, right, np.ones(len(right), dtype=bool), groups)
    for low, high in ((0.0, 0.3), (0.3, 0.6), (0.6, 0.9), (0.9, 1.0)):
        inside = (head.held_out >= low) & (head.held_out < high)
        assert abs(head.held_out[inside].mean() - right[inside].mean()) < 0.05


def test_a_head_that_cannot_learn_is_the_base_rate() -> None:
    features, _, groups = problem(200)
    right = np.arange(200) > 4
    head = fit_head(features, right, np.ones(200, dtype=bool), groups)
    assert not head.coefficients.any()
    assert head.held_out == pytest.approx(np.full(200, 196 / 202))


def test_rows_that_are_not_known_are_not_learnt_from() -> None:
    features, right, groups = problem()
    known = np.arange(len(right)) % 3 > 0
    other = np.where(known, right, ~right)
    first, second = (fit_head(features, y, known, groups) for y in (right, other))
    assert (first.coefficients == second.coefficients).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tasks_are_told_apart(count: int) -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, count, 400)
    vectors = rng.normal(0, 0.1, (400, 5)).astype(np.float32)
    vectors[np.arange(400), codes] += 1
    names = np.array([f"task{code}" for code in codes], dtype=object)
    found = fit_task_classifier(vectors, names, np.arange(400))
    says = np.argmax(
        vectors @ found.tensors["tasks.coefficients"].T + found.tensors["tasks.intercepts"], axis=1
    )
    assert found.names == tuple(f"task{code}" for code in range(count))
    assert (says == codes).mean() > 0.99
    assert (found.held_out == codes).mean() > 0.98


def viability(share: float, saving: float | None, *, viable: bool = True) -> Viability:
    return Viability(
        n=100,
        teacher_score=0.9,
        student_score=0.8,
        negative_flips=9,
        routable_share=share,
        saving=saving,
        viable=viable,
    )


def test_the_target_is_the_student_that_saves_most_in_all() -> None:
    good, cheap = viability(0.8, 0.5), viability(0.6, 0.9)
    assert choose_target({"good": good, "cheap": cheap}) == ("cheap", None)
    unpriced = {"good": viability(0.8, None), "cheap": viability(0.6, 0.9)}
    assert choose_target(unpriced) == ("good", None)
    target, reason = choose_target({"good": viability(0.01, None, viable=False)})
    assert target is None
    assert reason is not None
    assert "good: only 1.0%" in reason
