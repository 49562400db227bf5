"""How alike two networks represent the same samples."""
