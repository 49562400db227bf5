"""In which order a model is asked, and how much at a time."""

from __future__ import annotations

from kdeval.models.echo import EchoModel
from kdeval.models.protocols import Request
from kdeval.models.variants import Rebatched
from kdeval.records import Kind
from kdeval.run.batches import batches_of, place_in_order


def asked(kind: Kind, *texts: str) -> list[Request]:
    return [
        Request(sample_id=str(n), suite="s", kind=kind, input=text) for n, text in enumerate(texts)
    ]


def test_the_longest_come_first():
    """So memory runs out early or never."""
    found = sorted(asked("generation", "a", "ccc", "bb"), key=place_in_order)
    assert [request.input for request in found] == ["ccc", "bb", "a"]


def test_scored_prompts_that_begin_alike_are_neighbours():
    """Whatever their length: what they share is then computed once."""
    texts = ("header 2, and more", "header 1, short", "header 2", "header 1, and much longer")
    kinds: tuple[Kind, ...] = ("loglikelihood", "multiple_choice")
    for kind in kinds:
        found = [request.text for request in sorted(asked(kind, *texts), key=place_in_order)]
        assert [text[:8] for text in found] == ["header 1"] * 2 + ["header 2"] * 2


def test_a_model_may_score_more_at_a_time_than_it_writes():
    """A batch holds one kind, and as many as the model likes of it."""

    class Accelerated(EchoModel):
        scoring_batch_size = 3

    requests = asked("generation", *"abc") + asked("loglikelihood", *"abc")
    for model, sizes in (
        (EchoModel(batch_size=2), [2, 1, 2, 1]),
        (Accelerated(batch_size=2), [2, 1, 3]),
        (Rebatched(Accelerated(batch_size=2), 1), [1] * 6),
    ):
        assert [len(batch) for batch in batches_of(model, requests)] == sizes
