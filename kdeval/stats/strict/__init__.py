"""Bounds that hold at every n, not only in the limit."""
