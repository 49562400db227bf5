"""How far predicted probabilities can be believed: one idea a file, each figure beside its null."""

from kdeval.stats.calibration.binned import expected_calibration_error
from kdeval.stats.calibration.classwise import ClassFigures, Classwise, classwise
from kdeval.stats.calibration.confidence import ConfidenceFigures, confidence_figures
from kdeval.stats.calibration.decomposition import BrierParts, brier_parts
from kdeval.stats.calibration.discrimination import confidence_auroc
from kdeval.stats.calibration.null import AgainstNull
from kdeval.stats.calibration.proper_null import ProperFigures, proper_figures
from kdeval.stats.calibration.proper_scores import brier_scores, log_losses
from kdeval.stats.calibration.selective import Kept, RiskCoverage, kept_at
from kdeval.stats.calibration.summary import CalibrationResult, calibration_summary

__all__ = [
    "AgainstNull",
    "BrierParts",
    "CalibrationResult",
    "ClassFigures",
    "Classwise",
    "ConfidenceFigures",
    "Kept",
    "ProperFigures",
    "RiskCoverage",
    "brier_parts",
    "brier_scores",
    "calibration_summary",
    "classwise",
    "confidence_auroc",
    "confidence_figures",
    "expected_calibration_error",
    "kept_at",
    "log_losses",
    "proper_figures",
]
