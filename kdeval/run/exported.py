"""What of a suite a file of exported answers is held against."""

from __future__ import annotations

from kdeval.models.exported import AskedSuite, ExportedModel
from kdeval.models.request_keys import possible_keys
from kdeval.run.requests import as_request
from kdeval.store.export_file import KEY_DIGITS
from kdeval.suites.read import Suite

__all__ = ["asked_suite"]


def asked_suite(model: ExportedModel, suite: Suite, asked: Suite) -> AskedSuite:
    """Contents of what is asked, and the suite's fingerprint over the samples that the export has.

    A suite that has grown, or a run with a --limit, has another fingerprint and perhaps the same
    scorers. Over the same samples it is another only where the scorers are.

    Args:
        model: the exported answers.
        suite: with all its samples.
        asked: with those that are asked.
    """
    known, fingerprint = model.samples_of(suite.name), str(model.header.model["fingerprint"])
    same = {
        sample.id
        for sample in asked.samples
        if (row := known.get(sample.id)) is not None
        and row.content_hash != sample.content_hash
        and any(
            key[:KEY_DIGITS] == row.key for key in possible_keys(fingerprint, as_request(sample))
        )
    }
    return AskedSuite(
        ids={sample.id for sample in suite.samples},
        content_hashes={sample.id: sample.content_hash for sample in asked.samples},
        same_request=same,
        scored_as=suite.fingerprint_over({name: row.content_hash for name, row in known.items()}),
    )
