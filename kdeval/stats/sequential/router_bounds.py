"""Betting bounds and the drift alarm: those of the runtime router, under the name of statistics."""

from kdeval_router.bounds import certify_below, e_cusum, lower_bound, upper_bound

__all__ = ["certify_below", "e_cusum", "lower_bound", "upper_bound"]
