"""From a suite's words to scorers."""

import sys

import pytest

from kdeval.errors import ConfigError
from kdeval.scorers.numeric import Numeric
from kdeval.scorers.recorded_score import RecordedScore
from kdeval.scorers.registry import BUILT_IN, default_scorers, resolve_scorer, resolve_scorers

OWN = """
from kdeval.records import Metric, Score

class Length:
    needs_reference = False
    def __init__(self, limit=10):
        self.limit = limit
    @property
    def metric(self):
        return Metric(name="length")
    def score(self, sample, response):
        return Score(scorer="length", value=float(len(response.output) <= self.limit))

class NoScorer:
    pass

def broken():
    raise RuntimeError("boom")
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own_scorers_for_test.py").write_text(OWN)
    yield tmp_path
    sys.modules.pop("own_scorers_for_test", None)


def test_a_name_and_options():
    assert resolve_scorer("numeric") == Numeric()
    spec = {"type": "numeric", "relative_tolerance": 0.01}
    assert resolve_scorer(spec) == Numeric(relative_tolerance=0.01)
    assert spec["type"] == "numeric"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("numerc", "unknown scorer 'numerc'; did you mean 'numeric'"),
        ({"relative_tolerance": 1}, "has no type; valid: label"),
        ({"type": 3}, "has no type"),
        ({"type": "numeric", "tol": 1}, "no option 'tol'; valid: name, absolute_tolerance"),
        ({"type": "numeric", "relative_tolerance": "x"}, "relative_tolerance: .*valid number"),
        ({"type": "numeric", "relative_tolerance": -1}, "tolerance must be 0 or more"),
        ({"type": "multiple_choice", "output": "word"}, "output: .*'letter'"),
        ("no_such_module_here:X", "module 'no_such_module_here' cannot be imported"),
        ("own_scorers_for_test:Nope", "has no 'Nope'"),
        ("own_scorers_for_test:NoScorer", "needs a property `metric`"),
        ("own_scorers_for_test:broken", "failed: RuntimeError: boom"),
        ({"type": "own_scorers_for_test:Length", "max": 3}, "no option 'max'; valid: limit"),
    ],
)
def test_what_cannot_be_resolved_is_told(own, spec, message):
    with pytest.raises(ConfigError, match=message) as caught:
        resolve_scorer(spec, search=(own,))
    assert "\n" not in str(caught.value)


def test_the_log_s_own_score_goes_by_the_name_of_its_column():
    assert resolve_scorer("score") == resolve_scorer("recorded_score") == RecordedScore()
    assert resolve_scorer({"type": "score", "low": 1.0}) == RecordedScore(low=1.0)


def test_every_valid_name_is_told():
    """The list is never cut, or what is looked for may be what was cut."""
    with pytest.raises(ConfigError) as caught:
        resolve_scorer("qqq")
    told = str(caught.value)
    assert all(name in told for name in (*BUILT_IN, "pass_at_k", "score"))
    assert "..." not in told


def test_a_scorer_of_one_s_own(own):
    scorer = resolve_scorer({"type": "own_scorers_for_test:Length", "limit": 3}, search=(own,))
    assert scorer.limit == 3
    assert str(own) not in sys.path


def test_all_problems_come_at_once():
    with pytest.raises(ConfigError) as caught:
        resolve_scorers(["lable", "label", {"type": "numeric", "tol": 1}])
    assert len(caught.value.problems) == 2


def test_two_scorers_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="two scorers have the metric name 'numeric'"):
        resolve_scorers(["numeric", {"type": "numeric", "relative_tolerance": 0.1}])
    names = ["numeric", {"type": "numeric", "relative_tolerance": 0.1, "name": "close"}]
    assert [scorer.metric.name for scorer in resolve_scorers(names)] == ["numeric", "close"]


def test_the_default_is_by_kind():
    assert default_scorers("classification") == ("label",)
    assert default_scorers("multiple_choice") == ("multiple_choice",)
    assert default_scorers("extraction") == ("json_fields",)
    with pytest.raises(ConfigError, match="must name its scorers; valid: exact, numeric"):
        default_scorers("generation")


def test_the_names_offered_are_those_of_the_documentation():
    """`score`, not what it is called inside, and what stands around another scorer too."""
    with pytest.raises(ConfigError) as caught:
        default_scorers("generation")
    offered = str(caught.value).split("valid: ")[1].split(", ")
    assert {"score", "pass_at_k", "exact"} <= set(offered)
    assert "recorded_score" not in offered
    assert not {"label", "ndcg", "perplexity", "mcc"} & set(offered)
    for name in offered:
        assert resolve_scorer(name)


def test_every_default_is_built_in():
    for kind in ("classification", "multiple_choice", "extraction"):
        assert set(default_scorers(kind)) <= set(BUILT_IN)


def test_the_list_of_scorers_ends_with_a_full_stop():
    with pytest.raises(ConfigError, match=r"valid: .*\. A scorer of your own is"):
        resolve_scorer("zzz")
