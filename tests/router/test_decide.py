"""What goes to the student, and all that must not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kdeval_router import Router

FAMILIAR = "sun rain wind"


@pytest.fixture
def router(router_dir: Path) -> Router:
    return Router.load(router_dir)


def test_a_familiar_request_within_the_threshold_goes_to_the_student(router: Router) -> None:
    decision = router.decide(FAMILIAR)
    assert (decision.target, decision.role, decision.reason) == ("small", "student", "certified")
    assert decision.task == "weather"
    assert decision.p_in_distribution is not None
    assert decision.p_in_distribution > 0.05
    assert decision.expected_drop is not None
    assert decision.flip_risk is not None
    assert decision.flip_risk <= 0.1
    assert decision.config_hash == router.config.config_hash


@pytest.mark.parametrize(
    "request_",
    [
        [{"role": "user", "content": FAMILIAR}],
        ({"role": "user", "content": FAMILIAR},),
        [{"role": "user", "content": [{"type": "text", "text": FAMILIAR}]}],
        [{"role": "user", "content": ["sun rain", "wind"]}],
        {"messages": [{"role": "user", "content": FAMILIAR}], "model": "x", "temperature": 0.2},
        {"messages": [{"role": "user", "content": FAMILIAR}], "tools": []},
        {"messages": [{"role": "user", "content": FAMILIAR}], "response_format": {"type": "text"}},
        {"prompt": FAMILIAR},
    ],
)
def test_every_shape_of_the_same_request_gets_the_same_decision(
    router: Router, request_: object
) -> None:
    assert router.decide(request_) == router.decide(FAMILIAR)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ("storm storm storm", "above_threshold"),
        ("sun qqq qqq qqq qqq qqq qqq qqq qqq qqq", "unfamiliar"),
        ("xyzzy plugh", "no_known_words"),
        ("court judge appeal", "task_not_viable"),
        ("", "empty_request"),
        (" \n\t", "empty_request"),
        ([], "empty_request"),
        ([{"role": "user", "content": None}], "no_known_words"),
        ("sun " * 10_000, "too_long"),
        ("sun " * 60, "too_long"),
        (None, "unreadable_request"),
        (7, "unreadable_request"),
        (b"sun rain", "unreadable_request"),
        ({}, "unreadable_request"),
        ({"messages": "sun"}, "unreadable_request"),
        ({"messages": None}, "unreadable_request"),
        (["sun rain"], "unreadable_request"),
        ([{"role": "wizard", "content": "sun"}], "unreadable_request"),
        ([{"role": ["user"], "content": "sun"}], "unreadable_request"),
        ([{"role": "user", "content": 5}], "unreadable_request"),
        ([{"role": "user", "content": {"text": "sun"}}], "unreadable_request"),
        ("sun \ud800 rain", "internal_error"),
        (
            {"messages": [{"role": "user", "content": FAMILIAR}], "tools": [{}]},
            "unsupported_feature",
        ),
        (
            {
                "messages": [{"role": "user", "content": FAMILIAR}],
                "response_format": {"type": "json_object"},
            },
            "unsupported_feature",
        ),
        (
            {"messages": [{"role": "user", "content": FAMILIAR}], "modalities": ["text", "audio"]},
            "unsupported_feature",
        ),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": FAMILIAR}, {"type": "image_url"}],
                }
            ],
            "unsupported_feature",
        ),
        (
            [{"role": "user", "content": [{"type": "text", "text": FAMILIAR}, {"type": "smell"}]}],
            "unsupported_feature",
        ),
        (
            [
                {"role": "user", "content": FAMILIAR},
                {"role": "assistant", "content": None, "tool_calls": [{}]},
            ],
            "unsupported_feature",
        ),
    ],
)
def test_all_that_is_unknown_broken_or_doubtful_goes_to_the_teacher(
    router: Router, request_: object, reason: str
) -> None:
    decision = router.decide(request_)
    assert (decision.target, decision.role, decision.reason) == ("big", "teacher", reason)


def test_the_whole_conversation_counts_not_its_last_message(router: Router) -> None:
    conversation = [
        {"role": "user", "content": "court judge appeal verdict court judge"},
        {"role": "assistant", "content": "verdict appeal judge court"},
        {"role": "user", "content": "sun"},
    ]
    assert router.decide(conversation).task == "law"


def test_a_supported_feature_passes(make_router: Callable[..., Path]) -> None:
    students = {"small": {"fingerprint": "small-1", "supports": ["tools"]}}
    router = Router.load(make_router(students=students))
    request = {"messages": [{"role": "user", "content": FAMILIAR}], "tools": [{"type": "function"}]}
    assert router.decide(request).role == "student"


@pytest.mark.parametrize("value", ["1", "true", "yes", "TEACHER", "on"])
def test_the_kill_switch_of_the_environment(
    router: Router, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("KDEVAL_ROUTER_TEACHER_ONLY", value)
    assert router.decide(FAMILIAR).reason == "kill_switch"
    monkeypatch.setenv("KDEVAL_ROUTER_TEACHER_ONLY", "0")
    assert router.decide(FAMILIAR).role == "student"


def test_the_kill_switch_file_works_without_a_reload(router: Router, router_dir: Path) -> None:
    switch = router_dir / "KDEVAL_ROUTER_TEACHER_ONLY"
    switch.touch()
    assert router.decide(FAMILIAR).reason == "kill_switch"
    switch.unlink()
    assert router.decide(FAMILIAR).role == "student"


def test_nothing_certified_sends_everything_to_the_teacher(
    make_router: Callable[..., Path],
) -> None:
    thresholds = {"alpha_in_distribution": 0.05, "ranked_by": "flip_risk", "maximum": None}
    decision = Router.load(make_router(thresholds=thresholds)).decide(FAMILIAR)
    assert (decision.role, decision.reason) == ("teacher", "nothing_certified")


@pytest.mark.parametrize("changed", [{"small": "small-2"}, {"big": "big-2"}])
def test_a_model_that_is_not_the_measured_one_gets_no_requests(
    router_dir: Path, changed: dict[str, str]
) -> None:
    router = Router.load(router_dir, fingerprints=changed)
    assert router.decide(FAMILIAR).reason == "student_changed"
    same = Router.load(router_dir, fingerprints={"small": "small-1", "big": "big-1"})
    assert same.decide(FAMILIAR).role == "student"


def test_an_error_inside_the_router_is_the_teachers(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(type(router.rule), "judge", fail)
    assert router.decide(FAMILIAR).reason == "internal_error"
    assert "failed" in str(router.explain(FAMILIAR))


def test_explain_gives_words_and_the_numbers_of_the_decision(router: Router) -> None:
    explanation = router.explain("storm storm storm")
    text = str(explanation)
    assert explanation.decision == router.decide("storm storm storm")
    assert "big (teacher)" in text
    assert "above the certified threshold" in text
    assert "weather" in text
    assert "at most 0.100 is certified" in text
    assert f"{explanation.decision.flip_risk:.3f}" in text
    assert "must be above 0.05" in text


@pytest.mark.parametrize("request_", [None, "", "xyzzy", FAMILIAR, {"tools": [1], "prompt": "sun"}])
def test_explain_explains_every_request(router: Router, request_: object) -> None:
    assert str(router.explain(request_))
