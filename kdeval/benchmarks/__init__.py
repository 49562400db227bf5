"""lm-eval's tasks over kdeval's models."""
