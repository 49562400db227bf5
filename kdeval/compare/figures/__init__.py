"""What comparisons of several models hold: plain values."""
