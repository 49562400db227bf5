"""What is asked lies in arrays: keys, order and pending places, as lists of requests gave them."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeval.models.protocols import Request
from kdeval.records import Kind
from kdeval.run.batches import place_in_order
from kdeval.run.keys import Keys, KeySet
from kdeval.run.questions import Pending, Questions, pending_places

TEXTS = st.text(alphabet=st.characters(), max_size=4)
KINDS: st.SearchStrategy[Kind] = st.sampled_from(
    ("generation", "multiple_choice", "classification", "loglikelihood")
)


def request(kind: Kind, text: str, choice: int = 0) -> Request:
    return Request(sample_id="", suite="s", kind=kind, input=text, choices=(str(choice),))


def key(asked: Request) -> str:
    return sha256(repr(asked).encode("utf-8", "surrogatepass")).hexdigest()


REQUESTS = st.lists(st.builds(request, KINDS, TEXTS, st.integers(0, 2)), max_size=30)


def test_keys_are_a_sequence_of_texts() -> None:
    """Elements, slices, equality, copies and joins are those of a tuple of the texts."""
    texts = (*tuple(sha256(bytes([n])).hexdigest() for n in range(5)), "0" * 64)
    keys = Keys(texts)
    assert (tuple(keys), len(keys), keys[-1], keys[1]) == (texts, 6, texts[-1], texts[1])
    assert tuple(keys[1:4]) == texts[1:4]
    assert tuple(keys[4:1]) == ()
    assert tuple(keys[::-2]) == texts[::-2]
    assert tuple(Keys.joined([keys[:2], Keys(), keys[2:]])) == texts
    assert pickle.loads(pickle.dumps(keys)) == keys == Keys(texts) != Keys(texts[1:])
    assert texts[2] in keys
    with pytest.raises(IndexError):
        keys[6]


@given(parts=st.lists(REQUESTS, max_size=3))
def test_pending_as_sorting_the_requests_gives(
    parts: Sequence[Sequence[Request]],
) -> None:
    """Kind, length, text, then key; once a key; nothing that is known."""
    together = [item for part in parts for item in part]
    keys = Keys(map(key, together))
    answered = set(list(keys)[::3])
    pending = {k: item for k, item in zip(keys, together, strict=True) if k not in answered}
    wanted = sorted(pending.items(), key=lambda item: (*place_in_order(item[1]), item[0]))
    questions = Questions(parts)
    mask = np.array([k in answered for k in keys], bool)
    places = pending_places(questions, keys, mask, by_id=False)
    assert [(keys[int(p)], questions[int(p)]) for p in places] == wanted
    unsorted = pending_places(questions, keys, mask, by_id=True)
    assert unsorted.tolist() == np.flatnonzero(~mask).tolist()


def test_requests_under_way_are_told_apart() -> None:
    """Answers may come in any order; each request has its own key, though it looks the same."""
    asked = [request("generation", text) for text in ("a", "b", "c")]
    keys = Keys(map(key, asked))
    pending = Pending(Questions([asked]), keys, np.array([2, 0, 1]))
    sent = list(pending.requests())
    assert [item.text for item in sent] == ["c", "a", "b"]
    assert [pending.taken(item) for item in reversed(sent)] == [keys[1], keys[0], keys[2]]
    with pytest.raises(KeyError):
        pending.taken(sent[0])


def test_a_set_of_keys_is_a_set() -> None:
    """Looked up, united and taken away as those of the language; each key once, none without."""
    texts = [sha256(bytes([n])).hexdigest() for n in range(50)]
    near = texts[0][:16] + "f" * 48
    found = KeySet(Keys([*texts[:30], *texts[:10]]))
    assert found == set(texts[:30])
    assert len(found) == 30
    assert all((text in found) == (place < 30) for place, text in enumerate(texts))
    assert near not in found
    assert near in KeySet([*texts, near])
    assert texts[0] not in KeySet()
    assert frozenset(texts[20:40]) | found == set(texts[:40])
    assert found - set(texts[5:]) == set(texts[:5])
