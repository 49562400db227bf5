"""Statistics: numpy in, frozen dataclasses out; no models, no files, no global random state."""

from kdeval.stats.binomial import clopper_pearson, wilson
from kdeval.stats.calibration import (
    CalibrationResult,
    brier_scores,
    calibration,
    expected_calibration_error,
    log_losses,
)
from kdeval.stats.fixed_sequence import (
    FixedSequence,
    fixed_sequence,
    fixed_sequence_of_means,
    selective_start,
    smallest_n,
)
from kdeval.stats.flips import FlipTable, cohen_kappa, flip_table
from kdeval.stats.interval import Interval, one_sided
from kdeval.stats.paired import agreement, mean, paired_difference, retention
from kdeval.stats.power import samples_to_bound_mean, samples_to_pass, zero_flip_floor
from kdeval.stats.quantiles import paired_median_ratio, paired_quantile_ratio, quantile
from kdeval.stats.sequential import certify_below, e_cusum, lower_bound, upper_bound
from kdeval.stats.temperature import fit_temperature, scale

__all__ = [
    "CalibrationResult",
    "FixedSequence",
    "FlipTable",
    "Interval",
    "agreement",
    "brier_scores",
    "calibration",
    "certify_below",
    "clopper_pearson",
    "cohen_kappa",
    "e_cusum",
    "expected_calibration_error",
    "fit_temperature",
    "fixed_sequence",
    "fixed_sequence_of_means",
    "flip_table",
    "log_losses",
    "lower_bound",
    "mean",
    "one_sided",
    "paired_difference",
    "paired_median_ratio",
    "paired_quantile_ratio",
    "quantile",
    "retention",
    "samples_to_bound_mean",
    "samples_to_pass",
    "scale",
    "selective_start",
    "smallest_n",
    "upper_bound",
    "wilson",
    "zero_flip_floor",
]
