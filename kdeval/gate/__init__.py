"""A comparison against a policy: pass, fail, or inconclusive with what is missing."""
