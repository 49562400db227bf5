"""A suite's YAML and data become samples."""

import dataclasses
import gzip
import json
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdeval.errors import DataError
from kdeval.records import Message
from kdeval.scorers.label import LabelScorer
from kdeval.scorers.recorded_score import RecordedScore
from kdeval.suites import load_suite


def test_a_sample_has_everything_the_suite_says(files):
    suite = files.load(
        slices={"domain": "domain", "long": "{{ text|length > 3 }}"},
        cluster="doc",
        task="{{ domain or 'other' }}",
    )
    first, second, third = suite.samples
    assert (first.id, first.suite, first.task, first.kind) == (
        "a",
        "sentiment",
        "movies",
        "classification",
    )
    assert (first.input, first.reference) == ("good", "positive")
    assert first.labels == suite.labels == ("negative", "positive")
    assert first.slices == {"domain": "movies", "long": "true"}
    assert first.cluster == second.cluster == "1"
    assert first.source == "eval.jsonl:1"
    assert third.task == "other"
    assert (suite.name, suite.kind, suite.path) == ("sentiment", "classification", files.path)
    assert suite.scorers == (LabelScorer(),)


def test_missing_values(files):
    """No slice tag, a cluster of its own, the suite as task: absent is unknown."""
    third = files.load(slices=["domain"], cluster="doc", task="domain").samples[2]
    assert third.slices == {}
    assert third.cluster == "sample c"
    assert third.task == "sentiment"
    assert files.load().samples[0].cluster is None


def test_rows_are_numbered_from_one_without_an_id(files):
    assert [sample.id for sample in files.load(id=None).samples] == ["1", "2", "3"]
    assert files.load(id="{{ row }}-{{ label }}").samples[1].id == "2-negative"


def test_chat_messages(files):
    suite = files.load(
        input=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Is {{ text }} good?"},
        ]
    )
    assert suite.samples[0].input == (
        Message(role="system", content="Be brief."),
        Message(role="user", content="Is good good?"),
    )
    assert suite.samples[0].text == "system: Be brief.\nuser: Is good good?"


def test_a_reference_may_be_missing_in_some_rows(files):
    rows = [files.rows[0], {"id": "x", "text": "?"}, {"id": "y", "text": "?", "label": None}]
    assert [sample.reference for sample in files.load(rows).samples] == ["positive", None, None]


def test_a_reference_is_spelled_as_the_labels_are(files):
    suite = files.load([{**files.rows[0], "label": " Positive"}])
    assert suite.samples[0].reference == "positive"
    assert suite.fingerprint == files.load([files.rows[0]]).fingerprint


def test_labels_may_be_numbers(files):
    suite = files.load(
        [{**files.rows[0], "label": 1}], labels=[0, 1], reference={"column": "label"}
    )
    assert (suite.labels, suite.samples[0].reference) == (("0", "1"), "1")


def test_a_reference_column_keeps_its_json_value(files):
    suite = files.load(
        [{"id": "a", "text": "t", "label": {"total": 3, "items": [1]}}],
        kind="extraction",
        labels=None,
        reference={"column": "label"},
    )
    assert suite.samples[0].reference == {"total": 3, "items": [1]}


@pytest.mark.parametrize("options", [["x", "y"], '["x", "y"]'])
def test_choices_from_a_column(files, options):
    suite = files.load(
        [{"id": "a", "text": "t", "label": "B", "options": options}],
        kind="multiple_choice",
        labels=None,
        choices="options",
    )
    assert suite.samples[0].choices == ("x", "y")


def test_choices_from_templates(files):
    suite = files.load(
        files.rows,
        kind="multiple_choice",
        labels=None,
        choices=["{{ text }}", "neither"],
        reference="A{% if false %}{% endif %}",
    )
    assert suite.samples[0].choices == ("good", "neither")


def test_neither_reference_nor_scorers_means_recorded_scores(files):
    suite = files.load(kind="generation", labels=None, reference=None)
    assert suite.scorers == (RecordedScore(),)


@pytest.mark.parametrize("name", ["eval.csv", "eval.csv.gz", "eval.tsv", "eval.parquet"])
def test_every_format_gives_the_same_samples(files, name):
    rows = [{key: None if v is None else str(v) for key, v in row.items()} for row in files.rows]
    path = files.data.with_name(name)
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        mark = "\t" if "tsv" in name else ","
        lines = [mark.join(rows[0]), *(mark.join(v or "" for v in row.values()) for row in rows)]
        text = "\n".join(lines).encode()
        path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    config = {"slices": ["domain"], "cluster": "doc"}
    found = files.load(rows, data=name, **config)
    expected = files.load(rows, **config)
    assert found.fingerprint == expected.fingerprint
    assert [dataclasses.replace(s, source=None) for s in found.samples] == [
        dataclasses.replace(s, source=None) for s in expected.samples
    ]


def test_csv_values_stay_text(files):
    files.data.with_name("eval.csv").write_text("id,text,label\n007,1.50,positive\n")
    suite = files.load(data="eval.csv")
    assert (suite.samples[0].id, suite.samples[0].input) == ("007", "1.50")


def test_the_content_hash_covers_what_is_asked_and_the_reference(files):
    """Not the id, the slices or the cluster: two runs pair by content."""
    base = files.load([files.rows[0]]).samples[0].content_hash
    assert len(base) == 16
    assert files.load([{**files.rows[0], "id": "z", "domain": "q"}]).samples[0].content_hash == base
    others = [
        files.load([{**files.rows[0], "text": "other"}]),
        files.load([{**files.rows[0], "label": "negative"}]),
        files.load([files.rows[0]], labels=["negative", "positive", "neutral"]),
        files.load([files.rows[0]], input=[{"role": "user", "content": "{{ text }}"}]),
    ]
    assert len({base, *(suite.samples[0].content_hash for suite in others)}) == 5


def test_the_fingerprint_covers_samples_and_scorers(files):
    base = files.load()
    assert files.load().fingerprint == base.fingerprint
    changed = [
        files.load(files.rows[:2]),
        files.load([*files.rows[:2], {**files.rows[2], "id": "z"}]),
        files.load(scorers=["exact"]),
        files.load(scorers=[{"type": "exact", "ignore_case": True}]),
    ]
    assert len({base.fingerprint, *(suite.fingerprint for suite in changed)}) == 5


def test_a_limited_suite_is_a_suite_of_its_own(files):
    suite = files.load()
    limited = suite.limited(2, seed=0)
    assert len(limited.samples) == 2
    assert limited.fingerprint != suite.fingerprint
    assert suite.limited(10, seed=0).fingerprint == suite.fingerprint


def test_a_scorer_of_one_s_own_lies_beside_the_suite(files):
    files.path.with_name("scorer_beside_suite.py").write_text(
        "from kdeval.scorers.label import LabelScorer as Mine\n"
    )
    assert files.load(scorers=["scorer_beside_suite:Mine"]).scorers == (LabelScorer(),)


def test_many_rows_load_quickly(files):
    lines = (
        json.dumps({**files.rows[0], "id": str(i), "text": f"text {i} " * 10}) + "\n"
        for i in range(20_000)
    )
    files.write("".join(lines), input="Text: {{ text }}", slices=["domain"], cluster="doc")
    start = time.perf_counter()
    suite = load_suite(files.path)
    assert time.perf_counter() - start < 6
    assert len(suite.samples) == 20_000


def test_the_example_of_the_documentation_is_valid(files):
    """The keys that every suite may have, together."""
    suite = files.load(
        schema_version=1,
        tags=["demo"],
        description="x",
        task="{{ domain }}",
        scorers=["label"],
        slices=["domain"],
        cluster="doc",
    )
    assert suite.config.tags == ["demo"]
    assert set(files.config) <= set(type(suite.config).model_fields)


ONE_BASED = {
    "kind": "multiple_choice",
    "labels": None,
    "choices": "options",
    "reference": {"column": "label"},
    "first_index": 1,
}


def choice_rows(*labels, options=("x", "y", "z")):
    return [
        {"id": str(index), "text": "which?", "options": list(options), "label": label}
        for index, label in enumerate(labels)
    ]


def test_references_counted_from_1_become_indices_from_0(files):
    """So that scorers, calibration and reports need not know."""
    suite = files.load(choice_rows(1, "3", "B", "z"), **ONE_BASED)
    assert [sample.reference for sample in suite.samples] == [0, 2, "B", "z"]
    plain = files.load(choice_rows(0, "2", "B", "z"), **{**ONE_BASED, "first_index": 0})
    assert [sample.reference for sample in plain.samples] == [0, "2", "B", "z"]


@pytest.mark.parametrize(
    ("label", "options", "message"),
    [
        (0, ("x", "y"), "eval.jsonl:1: reference 0 is none of the 2 choices, counted from"),
        ("3", ("x", "y"), "reference '3' is none of the 2 choices"),
        ("2", ("2", "3"), "choice 1 by its index or choice 0 by its text; say which"),
        (True, ("x", "y"), "reference True is none"),
    ],
)
def test_a_reference_that_is_no_choice_counted_from_1_is_refused(files, label, options, message):
    with pytest.raises(DataError, match=message):
        files.load(choice_rows(label, options=options), **ONE_BASED)


def test_the_form_of_the_reference_settles_what_digits_are(files):
    scorer = {"type": "multiple_choice", "reference": "text"}
    suite = files.load(choice_rows("2", options=("2", "3")), **ONE_BASED, scorers=[scorer])
    assert suite.samples[0].reference == 0
    assert suite.scorers[0].reference_problem(suite.samples[0]) is None


def test_the_last_choice_s_number_from_1_is_refused_with_the_way_out(files):
    with pytest.raises(DataError, match=r"eval.jsonl:2: .*set `first_index: 1` in the suite"):
        files.load(choice_rows(1, 3), **{**ONE_BASED, "first_index": 0})


def test_numeric_references_that_are_not_one_number_are_refused_at_load(files):
    rows = [{"id": "a", "text": "t", "label": "5"}, {"id": "b", "text": "u", "label": "1 or 2"}]
    config = {"kind": "generation", "labels": None, "scorers": ["numeric"]}
    with pytest.raises(DataError, match=r"eval.jsonl:2: reference '1 or 2' holds 2 numbers"):
        files.load(rows, **config)
