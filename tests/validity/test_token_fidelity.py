"""Coverage of a mean by token where the tokens of a text depend on each other."""

import numpy as np
import pytest

from kdeval.stats.fidelity.self_agreement import self_agreement
from kdeval.stats.means.per_unit import per_unit

pytestmark = pytest.mark.validity

TRIALS = 2000


def _texts(rng, n, spread, link):
    """KL totals and lengths of n texts; hard texts diverge more, and are longer by `link`."""
    hard = rng.normal(size=n)
    lengths = 1 + rng.poisson(np.exp(3 + link * hard))
    level = 0.2 * np.exp(spread * hard - spread**2 / 2)
    totals = rng.gamma(shape=0.3 * lengths) / 0.3 * level
    return totals, lengths.astype(float)


@pytest.mark.parametrize(
    ("n", "spread", "link"),
    [(50, 0.3, 0.0), (50, 0.3, 0.3), (50, 0.6, 0.0), (200, 0.6, 0.3), (200, 0.6, -0.3)],
)
def test_mean_kl_by_token_with_texts_as_clusters(asymptotic, n, spread, link):
    """The truth is expected total over expected length, in closed form."""
    rng = np.random.default_rng([7, n, int(10 * link) + 9])
    mean_length = 1 + np.exp(3 + link**2 / 2)
    # E[level (1 + exp(3 + link h))], level = 0.2 exp(s h - s^2 / 2): a lognormal moment
    mean_total = 0.2 * (1 + np.exp(3 + link * spread + link**2 / 2))
    truth = mean_total / mean_length
    missed = 0
    for _ in range(TRIALS):
        found = per_unit(*_texts(rng, n, spread, link), confidence=0.95)
        missed += not found.low <= truth <= found.high
    asymptotic("mean KL by token, texts as clusters", f"n={n} spread={spread} link={link}",
               missed, TRIALS, 0.05)  # fmt: skip


@pytest.mark.parametrize(("n", "sharp", "repeats"), [(60, 0.5, 2), (200, 0.5, 3), (60, 3.0, 5)])
def test_self_agreement_covers_the_probability_that_two_draws_agree(asymptotic, n, sharp, repeats):
    """Samples are redrawn with their answers, so the truth is an average over samples."""
    rng = np.random.default_rng([11, n, repeats])
    k = 4
    truth = (sharp + 1) / (k * sharp + 1)  # E[sum p^2] of a symmetric Dirichlet
    missed = 0
    for _ in range(TRIALS):
        p = rng.dirichlet(np.full(k, sharp), size=n)
        draws = (rng.random((n, repeats, 1)) > p.cumsum(axis=1)[:, None, :]).sum(axis=2)
        found = self_agreement(draws, confidence=0.95)
        missed += not found.low <= truth <= found.high
    asymptotic("self-agreement", f"n={n} repeats={repeats} sharp={sharp}", missed, TRIALS, 0.05)
