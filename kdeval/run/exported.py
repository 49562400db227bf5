"""What of a suite a file of exported answers is held against."""

from __future__ import annotations

from kdeval.models.exported import AskedSuite, ExportedModel
from kdeval.suites.read import Suite

__all__ = ["asked_suite"]


def asked_suite(model: ExportedModel, suite: Suite) -> AskedSuite:
    """The suite's contents, and its fingerprint over the samples that the export has.

    A suite that has grown, or a run with a --limit, has another fingerprint and perhaps the same
    scorers. Over the same samples it is another only where the scorers are.
    """
    return AskedSuite(
        content_hashes={sample.id: sample.content_hash for sample in suite.samples},
        scored_as=suite.fingerprint_over(model.samples_of(suite.name)),
    )
