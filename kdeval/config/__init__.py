"""YAML files to validated configuration; unknown keys are rejected, all errors come at once."""
