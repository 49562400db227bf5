"""What to ask: a YAML file with templates over the rows of a data file."""

from kdeval.suites.read import Suite, load_suite
from kdeval.suites.sampling import stratified_sample

__all__ = ["Suite", "load_suite", "stratified_sample"]
