"""Students against each other, series of models, ensembles, and benchmarks beside production."""
