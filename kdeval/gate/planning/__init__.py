"""How many samples each rule of a policy needs."""
