"""How many samples a decision needs."""
