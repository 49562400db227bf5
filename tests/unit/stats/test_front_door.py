"""The front door of kdeval.stats."""

from kdeval_router import bounds

import kdeval.stats
from kdeval.stats.sequential import router_bounds as sequential


def test_every_name_of_the_front_door_exists() -> None:
    for name in kdeval.stats.__all__:
        assert hasattr(kdeval.stats, name)
    assert list(kdeval.stats.__all__) == sorted(kdeval.stats.__all__)


def test_the_betting_bounds_are_those_of_the_router() -> None:
    for name in sequential.__all__:
        assert getattr(sequential, name) is getattr(bounds, name)
