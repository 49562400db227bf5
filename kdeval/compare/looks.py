"""Intervals of a run that was looked at while it grew: wide enough to hold at every look."""

from __future__ import annotations

from kdeval.store.run_directory import RunDirectory

__all__ = ["looks_confidence", "looks_note"]


def looks_confidence(run: RunDirectory, confidence: float | None = None) -> float:
    """The two-sided confidence (the configured one), or for one of several looks that of this look.

    Repeated confidence intervals (Jennison & Turnbull 2000, chapter 9): those of all looks hold
    together with the configured confidence, whatever made the asking stop.
    """
    looks, look = run.looks(), run.manifest.look
    confidence = confidence or run.manifest.confidence
    return confidence if looks is None or look is None else looks.confidence(confidence, look)


def looks_note(run: RunDirectory) -> str | None:
    """What a reader must know about them; None where the samples were fixed beforehand."""
    looks, look = run.looks(), run.manifest.look
    if looks is None or look is None:
        return None
    of = f" of {looks.planned}" if looks.kind == "obrien_fleming" else ""
    return (
        f"Samples were asked until a policy was decided: look {look}{of}, "
        f"{looks.totals[look - 1]:,} of {looks.totals[-1]:,} samples. Intervals are wider than "
        "usual, so that those of all looks hold together with "
        f"{100 * run.manifest.confidence:g} % confidence."
    )
