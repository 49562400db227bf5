"""White-box measures of models with open weights: they explain, and never gate."""
