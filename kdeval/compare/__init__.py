"""Predictions of two models and their scores -> the comparison that reports and gates use."""
