"""Calibrators: from a confidence to the share of such answers that is right."""
