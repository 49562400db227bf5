"""Argument parsing only, one file per command."""
