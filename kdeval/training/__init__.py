"""Measuring a student while it is trained."""
