"""Samples and responses in one line."""

from __future__ import annotations

import pytest

from kdeval.records import Response, Sample


@pytest.fixture
def mark():
    """A function of scorer, output and reference that gives the Score."""

    def marked(scorer, output, reference, **more):
        response = more.pop("response", None) or Response(output=output)
        sample = Sample(
            **{
                "id": "1",
                "suite": "s",
                "task": "s",
                "kind": "generation",
                "input": "text",
                "reference": reference,
                "content_hash": "0",
                **more,
            }
        )
        return scorer.score(sample, response)

    return marked
