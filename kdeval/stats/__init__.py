"""Statistics: numpy in, frozen dataclasses out; no models, no files, no global random state."""

from kdeval.stats.binomial import clopper_pearson, wilson
from kdeval.stats.flips import FlipTable, agreement, cohen_kappa, flip_table
from kdeval.stats.interval import Interval, one_sided
from kdeval.stats.paired import mean, paired_difference, retention

__all__ = [
    "FlipTable",
    "Interval",
    "agreement",
    "clopper_pearson",
    "cohen_kappa",
    "flip_table",
    "mean",
    "one_sided",
    "paired_difference",
    "retention",
    "wilson",
]
