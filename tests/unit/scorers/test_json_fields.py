"""Fields of a JSON answer."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.records import Response, Sample
from kdeval.scorers.json_fields import JsonFields

INVOICE = {
    "number": "INV-7",
    "total": 12.5,
    "paid": False,
    "seller": {"name": "Acme", "city": None},
    "items": [{"name": "pen", "count": 2}, {"name": "ink", "count": 1}],
}


def changed(**more):
    return json.dumps({**INVOICE, **more})


def score(output, reference=INVOICE, **options):
    sample = Sample(
        id="1",
        suite="s",
        task="s",
        kind="extraction",
        input="",
        reference=reference,
        content_hash="0",
    )
    return JsonFields(**options).score(sample, Response(output=output))


@pytest.mark.parametrize(
    ("output", "value"),
    [
        (json.dumps(INVOICE), 1),
        (changed(number=" INV-7 "), 1),
        (changed(number="inv-7"), 8 / 9),
        (changed(total="12.5"), 8 / 9),
        (changed(total=12.50), 1),
        (changed(paid=0), 8 / 9),
        (changed(seller={"name": "Acme"}), 1),
        (changed(seller={"name": "Acme", "city": "Rome"}), 8 / 9),
        (changed(seller=None), 7 / 9),
        (changed(items=[INVOICE["items"][0]]), 7 / 9),
        (changed(items=[*INVOICE["items"], {"name": "cap", "count": 3}]), 9 / 11),
        (changed(items=INVOICE["items"][::-1]), 5 / 9),
        (changed(items={"0": 1}), 5 / 9),
        (changed(note="x"), 1),
        (changed(seller={}), 8 / 9),
        ("{}", 0),
    ],
)
def test_share_of_right_fields(output, value):
    assert score(output).value == pytest.approx(value)


NULLS = {"name": "x", "n": 1, "items": [], "x": None}


@pytest.mark.parametrize(
    ("output", "value"),
    [("{}", 0.25), ('{"x": null}', 0.25), ('{"x": 0}', 0), ('{"name": "x"}', 0.5)],
)
def test_a_null_is_right_in_an_object_that_is_there(output, value):
    assert score(output, NULLS).value == value


@pytest.mark.parametrize("output", ["[]", "null", "5", '"text"', "[{}]"])
def test_json_that_is_no_object_scores_zero_with_a_reason(output):
    """Its nulls are no right fields."""
    marked = score(output, NULLS)
    assert (marked.value, marked.reason) == (
        0,
        "the output is JSON, but no object, as the reference is",
    )


def test_an_object_where_a_list_is_expected_scores_zero():
    marked = score("{}", [None])
    assert (marked.value, marked.reason) == (
        0,
        "the output is JSON, but no list, as the reference is",
    )
    assert score("[]", [None]).value == 0
    assert score("[null]", [None]).value == 1


@pytest.mark.parametrize(
    "around",
    [
        "Sure! {}",
        "Here it is: {} Anything else?",
        "The {fields} are {}",
        "<b>{}</b>",
    ],
)
def test_the_only_object_among_words_is_read(around):
    text = around.replace("{}", json.dumps(INVOICE))
    assert score(text).value == 1
    assert score(text, embedded=False).value == 0


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ('{"x": 1} or {"x": 2}', "it holds 2 objects"),
        ('So {"x": 1, "seller": {"city": null}', "an object is not closed"),
        ('So {"seller": {"city": null}, total: 2}', "Expecting value"),
        ("So [1]", "Expecting value"),
        ("{" * 100_000, "Expecting property name"),
        ('{"a":' * 50_000, "an object is not closed"),
        ("{x} " * 50_000, "Expecting property name"),
    ],
)
def test_what_is_not_one_whole_object_among_words_scores_zero(output, reason):
    """The inside of an object that is cut off or broken is not taken for the answer."""
    marked = score(output)
    assert marked.value == 0
    assert marked.reason.startswith("the output is not JSON: ")
    assert reason in marked.reason or "closed" in marked.reason


def test_the_reason_names_wrong_fields():
    reason = score(changed(total=1, items=[{"name": "pen", "count": 3}])).reason
    assert reason == "wrong: total, items[0].count, items[1].name, items[1].count"


@pytest.mark.parametrize(
    "wrapped",
    [
        "```json\n{}\n```",
        "```\n{}\n```",
        "  {}\n",
        "Here it is:\n```json\n{}\n```\nDone.",
        "```JSON\r\n{}```",
    ],
)
def test_a_code_fence_is_taken_off(wrapped):
    assert score(wrapped.replace("{}", json.dumps(INVOICE))).value == 1


@pytest.mark.parametrize(
    "output",
    ["", "no", "{'a': 1}", '{"a": 1', '{"a": NaN}', "[" * 100_000, '{"a":1} {"b":2}', "9" * 9999],
)
def test_what_is_no_json_scores_zero_with_a_reason(output):
    """It is the model's failure, so it is never missing."""
    marked = score(output)
    assert marked.value == 0
    assert marked.reason.startswith("the output is not JSON")


def test_required_fields():
    assert score(changed(), required=("number", "items[1].name")).value == 1
    marked = score("{}", required=("number", "seller.name"))
    assert (marked.value, marked.reason) == (0, "required fields are missing: number, seller.name")
    assert score(changed(), required=("items[2].name",)).value == 0


def test_numbers_within_the_tolerance():
    assert score(changed(total=12.6), tolerance=0.01).value == 1
    assert score(changed(total=12.7), tolerance=0.01).value < 1
    assert score(changed(total=10**400), tolerance=0.01).value < 1


def test_texts_without_case():
    assert score(changed(number="inv-7"), ignore_case=True).value == 1


def test_extra_fields_can_count_as_wrong():
    assert score(changed(note={"a": 1, "b": [2, None]}), count_extra_fields=True).value == 9 / 11
    assert score(changed(note=None), count_extra_fields=True).value == 1


def test_empty_lists_and_objects_are_fields():
    reference = {"tags": [], "meta": {}, "x": 1}
    assert score('{"tags": [], "meta": {}, "x": 1}', reference).value == 1
    assert score('{"tags": ["a"], "meta": {"k": 1}, "x": 1}', reference).value == pytest.approx(
        2 / 3
    )
    assert score('{"x": 1}', reference).value == pytest.approx(1 / 3)


def test_a_reference_may_be_json_text():
    assert score('{"a": 1}', '{"a": 1}').value == 1
    assert score("[1, 2]", "[1, 3]").value == 0.5


@pytest.mark.parametrize("reference", ["text", 5, "3"])
def test_a_reference_that_is_no_object_is_refused(reference):
    sample = Sample(
        id="1",
        suite="s",
        task="s",
        kind="extraction",
        input="",
        reference=reference,
        content_hash="0",
    )
    assert "is no JSON object" in JsonFields().reference_problem(sample)
    assert score("{}", reference).value is None


def test_a_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match="tolerance"):
        JsonFields(tolerance=-1)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
OBJECTS = st.dictionaries(st.text(), VALUES, min_size=1, max_size=5)


@settings(deadline=None)
@given(OBJECTS)
def test_the_reference_itself_is_right(reference):
    assert score(json.dumps(reference), reference, count_extra_fields=True).value == 1


@settings(deadline=None)
@given(OBJECTS, VALUES)
def test_any_json_is_marked(reference, output):
    assert 0 <= score(json.dumps(output), reference, count_extra_fields=True).value <= 1
