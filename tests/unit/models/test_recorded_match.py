"""Recorded predictions beside a run's samples: what does not fit together is told."""

import pytest

from kdeval.config.schema import RecordedColumnsConfig
from kdeval.errors import DataError
from kdeval.models.recorded import RecordedModel
from tests.unit.models.recorded_files import jsonl, model


def recorded_ids(tmp_path, *ids, mapped=True, suite=None):
    path = jsonl(tmp_path / "s.jsonl", *({"id": i, "out": "x"} for i in ids))
    columns = RecordedColumnsConfig(id="id" if mapped else None, output="out")
    return RecordedModel(path, columns=columns, suite=suite)


def test_ids_that_meet_give_no_warning(tmp_path):
    assert recorded_ids(tmp_path, "1", "2").unmatched({"s": ["2", "1"]}) == ()


def test_ids_on_one_side_only_are_told(tmp_path):
    found = recorded_ids(tmp_path, "1", "2", "3", "4", "99")
    assert found.unmatched({"s": ["1", "2", "3", "4"]}) == (
        "1 of 5 ids in s.jsonl is in no suite: '99'",
    )
    assert found.unmatched({"s": ["1", "2", "a", "b", "c", "d"], "t": ["3", "4", "99"]}) == (
        "4 of 6 ids of suite 's' have no prediction in s.jsonl: 'a', 'b', 'c', ...",
    )


@pytest.mark.parametrize(
    ("mapped", "suites", "messages"),
    [
        (True, ["s"], ["has 'x0', 'x1', 'x2', ..., the suite has '1', '2', '3'", "{id: 'id'}"]),
        (False, ["s"], ["numbered from 1, as no id is mapped"]),
        (True, ["s", "t"], ["set `suite` to the one suite"]),
    ],
)
def test_a_file_none_of_whose_ids_is_in_the_suite_is_refused(tmp_path, mapped, suites, messages):
    """A wrong id column would else look like a model that never answers."""
    found = recorded_ids(tmp_path, *(f"x{i}" for i in range(8)), mapped=mapped)
    ids = ["1", "2", "3"] if mapped else ["x0", "x1"]
    with pytest.raises(DataError, match=r"s.jsonl: none of its ids is in suite 's'") as caught:
        found.unmatched(dict.fromkeys(suites, ids))
    assert all(message in str(caught.value) for message in messages)


def test_a_model_of_one_suite_is_compared_with_that_one(tmp_path):
    found = recorded_ids(tmp_path, "1", suite="s")
    assert found.unmatched({"s": ["1"], "t": ["9"]}) == ()
    assert found.unmatched({"t": ["9"]}) == ()


@pytest.mark.parametrize("as_list", [False, True])
def test_outputs_that_are_not_the_likeliest_label_are_counted(tmp_path, as_list):
    """Ties, other texts and rows without probabilities do not count."""
    given = [("POS", 0.9), ("neg", 0.9), ("pos", 0.5), ("neg", 0.5), ("?", 0.9), ("pos", None)]
    path = jsonl(
        tmp_path / "p.jsonl",
        *(
            {
                "id": str(index),
                "out": out,
                "p": None if p is None else [1 - p, p] if as_list else {"neg": 1 - p, "pos": p},
            }
            for index, (out, p) in enumerate(given)
        ),
    )
    found = model(path, id="id", output="out", probabilities="p")
    ids = [str(index) for index in range(len(given))]
    (line,) = found.unmatched({"s": ids}, {"s": ["neg", "pos"]})
    assert line.startswith("in 1 of 4 rows of p.jsonl the recorded output is not the most likely")
    assert len(found.unmatched({"s": ids})) == (not as_list)
