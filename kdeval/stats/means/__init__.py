"""Means of paired scores: intervals, tests, averages over tasks."""
