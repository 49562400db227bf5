"""Tests in an order: looks, running intervals, thresholds one after the other."""
