"""Scores of whole sets, which are no means of samples."""
