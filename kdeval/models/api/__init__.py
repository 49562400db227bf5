"""Models that are asked through an API."""
