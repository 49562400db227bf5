"""`make bench`: speed and memory figures; never asserted, always measured side by side."""
