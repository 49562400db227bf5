"""How long models take: the probe that measures it and the figures made from it."""
