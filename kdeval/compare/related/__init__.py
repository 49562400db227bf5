"""Students against each other, series, ensembles, transfer."""
