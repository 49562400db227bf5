"""Routers: fitted on a run, certified, evaluated on traffic they have not seen."""
