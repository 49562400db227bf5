"""Fixtures of the statistics tests."""

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that does not depend on the order of the tests."""
    return np.random.default_rng(20240607)
