"""A suite that cannot be run is refused when it is loaded, with where, what and how to mend it."""

import pytest

from kdeval.errors import ConfigError, DataError, KdevalError
from kdeval.store.problems import RowProblems
from kdeval.suites import load_suite

ROW = {"id": "a", "text": "good", "label": "positive"}
GENERATION = {"kind": "generation", "labels": None}
CHOICE = {"kind": "multiple_choice", "labels": None, "choices": "options"}


def rows(*changes):
    return [{**ROW, "id": str(index), **change} for index, change in enumerate(changes)]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"lables": ["a"]},
            r"suite.yaml:\d+: unknown key 'lables' in the file; did you mean 'labels'",
        ),
        ({"name": "two words"}, r"suite.yaml:1: name: "),
        ({"kind": "sorting"}, r"suite.yaml:2: kind: "),
        ({"kind": "loglikelihood"}, r"suite.yaml:2: kind: "),
        ({"labels": None}, "kind: classification needs labels"),
        (
            {"kind": "multiple_choice"},
            "labels belongs to kind: classification, not multiple_choice",
        ),
        ({"choices": "x"}, "choices belongs to kind: multiple_choice, not classification"),
        ({"labels": [True, False]}, "a label is the YAML value True: quote yes, no"),
        ({"labels": ["US", "us ", "uk"]}, "labels 'US', 'us ' are the same but for case"),
        ({"labels": ["", "x"]}, "a label is empty"),
        ({"labels": ["x"]}, "labels"),
        ({**CHOICE, "choices": ["x"]}, "at least two choices"),
        ({"input": []}, "input: give at least one message"),
        ({"input": "{{ text "}, "suite.yaml: input: template .* is not valid"),
        ({"schema_version": 2}, "schema_version"),
        (
            {"scorers": ["lable"]},
            "suite.yaml: scorers: unknown scorer 'lable'; did you mean 'label'",
        ),
        ({"scorers": ["label", "label"]}, "suite.yaml: scorers: two scorers have the metric name"),
        ({"scorers": []}, "scorers"),
        (GENERATION, "a generation suite with a reference must name its scorers"),
    ],
)
def test_a_wrong_configuration(files, config, message):
    with pytest.raises(ConfigError, match=message):
        files.load(**config)


@pytest.mark.parametrize(
    ("found", "config", "message"),
    [
        ([], {}, "eval.jsonl: the suite is empty: not one row"),
        ("\n\n", {}, "the suite is empty"),
        ('{"id": "a"}\n{"id":\n', {}, r"eval.jsonl:2: not valid JSON"),
        (
            rows({}, {}),
            {"input": "{{ txt }}"},
            r"eval.jsonl:1: .*suite.yaml: input: there is no column 'txt'; did you mean 'text'\? "
            r"\(columns: id, text, label\) \(and 1 more row: line 2\)",
        ),
        (rows({}), {"id": "idd"}, "suite.yaml: id: there is no column 'idd'; did you mean 'id'"),
        (
            rows({}),
            {"reference": "gold"},
            "suite.yaml: reference: there is no column 'gold'; valid",
        ),
        (rows({}), {"reference": {"column": "gold"}}, "reference: there is no column 'gold'"),
        (rows({}), {"slices": ["lang"]}, "suite.yaml: slices.lang: there is no column 'lang'"),
        (rows({}), {"cluster": "doc"}, "suite.yaml: cluster: there is no column 'doc'"),
        (rows({}), {"task": "{{ t }}"}, "suite.yaml: task: there is no column 't'"),
        (rows({}, {"text": None}), {}, r"eval.jsonl:2: .*input: the value is missing; write"),
        (
            rows({"text": None}),
            {"input": [{"role": "user", "content": "{{ text }}"}]},
            r"eval.jsonl:1: .*input.0: the value is missing",
        ),
        (rows({}, {"id": None}), {}, r"eval.jsonl:2: .*id: the value is missing"),
        (
            rows({}, {}, {"id": "0"}, {"id": "0"}),
            {},
            r"eval.jsonl:3: id '0' was given before, in line 1 \(and 1 more row: line 4\)",
        ),
        (
            rows({"label": "good"}, {"label": "good"}, {"label": "baad"}),
            {},
            "suite.yaml: labels: none of them is a reference: references are 'good', 'baad'; "
            "labels are 'negative', 'positive'",
        ),
        (
            rows({}, {"label": "positiv"}, {"label": "positiv"}),
            {},
            r"eval.jsonl:2: reference 'positiv' is no label; did you mean 'positive'\? "
            r"\(and 1 more row: line 3\)",
        ),
        (
            rows({"label": None}, {"label": None}),
            {},
            "suite.yaml: reference is missing in all 2 rows of .*eval.jsonl, but scorer 'label'",
        ),
        (
            rows({"label": "few"}),
            {**GENERATION, "scorers": ["numeric"]},
            r"eval.jsonl:1: reference 'few' holds no number \(scorer 'numeric'\)",
        ),
        (rows({}), {"kind": "extraction", "labels": None}, r"eval.jsonl:1: .* is no JSON object"),
        (
            rows({"label": "2", "options": ["1", "2", "3"]}),
            CHOICE,
            r"eval.jsonl:1: reference '2' is choice 2 by its index or choice 1 by its text; say",
        ),
        (rows({"label": "Z", "options": ["x", "y"]}), CHOICE, "reference 'Z' is none of the 2"),
        (rows({"options": "x"}), CHOICE, "column 'options' must hold a list"),
        (rows({"options": ["x"]}), CHOICE, "expected at least two choices and none missing"),
        (rows({"options": ["x", None]}), CHOICE, "expected at least two choices and none missing"),
        (rows({"options": None}), CHOICE, "column 'options' must hold a list"),
        (rows({}), CHOICE, "choices: there is no column 'options'"),
    ],
)
def test_unusable_data(files, found, config, message):
    with pytest.raises(DataError, match=message) as caught:
        files.load(found, **config)
    assert str(caught.value).count("\n") < 3


def test_a_missing_file_is_told(files):
    files.write(data="evil.jsonl")
    with pytest.raises(DataError, match=r"suite.yaml: data: no such file 'evil.jsonl'"):
        load_suite(files.path)
    with pytest.raises(ConfigError, match="no such file"):
        load_suite(files.path.with_name("none.yaml"))


def test_different_problems_come_together(files):
    with pytest.raises(DataError) as caught:
        files.load(rows({"text": None}, {"id": None}, {"text": None}))
    first, second = str(caught.value).splitlines()
    assert ":1: " in first
    assert "(and 1 more row: line 3)" in first
    assert ":2: " in second


def test_many_different_problems_are_counted(tmp_path):
    problems = RowProblems(tmp_path / "d.csv")
    problems.raise_if_any()
    for line in range(20):
        problems.add(line, f"problem {line}")
    with pytest.raises(DataError, match="and 12 more problems of this kind") as caught:
        problems.raise_if_any()
    assert len(str(caught.value).splitlines()) == 9


def test_a_problem_in_many_rows_names_a_few(tmp_path):
    problems = RowProblems(tmp_path / "d.csv")
    for line in range(2, 12):
        problems.add(line, "bad")
    with pytest.raises(DataError, match=r"d.csv:2: bad \(and 9 more rows: line 3, 4, 5, ...\)$"):
        problems.raise_if_any()


def test_a_suite_of_recorded_scores_needs_no_reference(files):
    """The bound of the rule that some scorer must need it."""
    config = {**GENERATION, "reference": None, "scorers": ["recorded_score"]}
    assert files.load(rows({}), **config).samples[0].reference is None
    with pytest.raises(KdevalError, match="scorer 'exact' needs it"):
        files.load(rows({}), **{**config, "scorers": ["recorded_score", "exact"]})
