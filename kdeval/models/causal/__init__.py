"""A causal language model that chooses by log-likelihood and writes token by token."""
