"""Statistics: numpy in, frozen dataclasses out; no models, no files, no global random state."""

from kdeval.stats.binomial import clopper_pearson, wilson
from kdeval.stats.calibration import (
    AgainstNull,
    CalibrationResult,
    ConfidenceFigures,
    brier_parts,
    brier_scores,
    calibration_summary,
    classwise,
    confidence_auroc,
    confidence_figures,
    expected_calibration_error,
    kept_at,
    log_losses,
    proper_figures,
)
from kdeval.stats.calibration.calibrators.judged import judge_calibrator
from kdeval.stats.fidelity.distillation import distillation_temperature
from kdeval.stats.fidelity.divergence import divergences
from kdeval.stats.fidelity.self_agreement import cross_agreement, self_agreement
from kdeval.stats.fidelity.sharpness import student_temperature
from kdeval.stats.fidelity.top_k import TopKBounds, top_k_bounds
from kdeval.stats.interval import Interval, one_sided
from kdeval.stats.means.flips import FlipTable, cohen_kappa, flip_table
from kdeval.stats.means.macro import (
    TaskScores,
    macro_difference,
    macro_mean,
    macro_retention,
    macro_retention_p_value,
)
from kdeval.stats.means.p_value import retention_p_value
from kdeval.stats.means.paired import agreement, mean, paired_difference, retention
from kdeval.stats.means.per_unit import per_unit
from kdeval.stats.means.quantiles import paired_median_ratio, paired_quantile_ratio, quantile
from kdeval.stats.means.several_tests import holm, shown_by_holm, smallest_of
from kdeval.stats.planning.power import samples_to_bound_mean, samples_to_pass, zero_flip_floor
from kdeval.stats.representation.cka import debiased_cka
from kdeval.stats.representation.layers import layer_similarity
from kdeval.stats.representation.relations import relation_similarity
from kdeval.stats.sequential.confidence_sequence import first_crossing, retention_sequence
from kdeval.stats.sequential.fixed_sequence import (
    FixedSequence,
    fixed_sequence,
    fixed_sequence_of_means,
    selective_start,
    smallest_n,
)
from kdeval.stats.sequential.group_sequential import SequentialDesign, lan_demets, obrien_fleming
from kdeval.stats.sequential.router_bounds import certify_below, e_cusum, lower_bound, upper_bound
from kdeval.stats.strict.intervals import (
    strict_difference,
    strict_macro_difference,
    strict_macro_retention,
    strict_mean,
    strict_retention,
)
from kdeval.stats.temperature import fit_temperature, scale

__all__ = [
    "AgainstNull",
    "CalibrationResult",
    "ConfidenceFigures",
    "FixedSequence",
    "FlipTable",
    "Interval",
    "SequentialDesign",
    "TaskScores",
    "TopKBounds",
    "agreement",
    "brier_parts",
    "brier_scores",
    "calibration_summary",
    "certify_below",
    "classwise",
    "clopper_pearson",
    "cohen_kappa",
    "confidence_auroc",
    "confidence_figures",
    "cross_agreement",
    "debiased_cka",
    "distillation_temperature",
    "divergences",
    "e_cusum",
    "expected_calibration_error",
    "first_crossing",
    "fit_temperature",
    "fixed_sequence",
    "fixed_sequence_of_means",
    "flip_table",
    "holm",
    "judge_calibrator",
    "kept_at",
    "lan_demets",
    "layer_similarity",
    "log_losses",
    "lower_bound",
    "macro_difference",
    "macro_mean",
    "macro_retention",
    "macro_retention_p_value",
    "mean",
    "obrien_fleming",
    "one_sided",
    "paired_difference",
    "paired_median_ratio",
    "paired_quantile_ratio",
    "per_unit",
    "proper_figures",
    "quantile",
    "relation_similarity",
    "retention",
    "retention_p_value",
    "retention_sequence",
    "samples_to_bound_mean",
    "samples_to_pass",
    "scale",
    "selective_start",
    "self_agreement",
    "shown_by_holm",
    "smallest_n",
    "smallest_of",
    "strict_difference",
    "strict_macro_difference",
    "strict_macro_retention",
    "strict_mean",
    "strict_retention",
    "student_temperature",
    "top_k_bounds",
    "upper_bound",
    "wilson",
    "zero_flip_floor",
]
