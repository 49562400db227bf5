"""Answers that several runs share, so that a teacher is paid for once."""
