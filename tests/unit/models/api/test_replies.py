"""From replies to responses: labels and letters read strictly, probabilities, odd endings."""

from __future__ import annotations

import math

import pytest

from kdeval.config.api_models import ApiModelConfig
from kdeval.models.api.chat import chat_parameters, stop_texts
from kdeval.models.api.deciding import decided_output, decision_prompt, option_log_probs
from kdeval.models.api.reply import ChatReply, TokenLogProb, Usage, as_response
from kdeval.models.protocols import Request

LABELS = ("positive", "negative", "neutral")


def classify(*labels: str) -> Request:
    return Request(
        sample_id="a", suite="s", kind="classification", input="good?", labels=labels or LABELS
    )


def choose(*choices: str) -> Request:
    return Request(
        sample_id="a", suite="s", kind="multiple_choice", input="which?", choices=choices
    )


GENERATE = Request(sample_id="a", suite="s", kind="generation", input="write")


@pytest.mark.parametrize(
    "text", ["positive", "Positive", " positive\n", '"positive"', "**positive**", "positive."]
)
def test_a_label_alone_is_that_label(text: str) -> None:
    """Case, white space, quotes, stress and a full stop around it are forgiven."""
    assert decided_output(classify(), text) == "positive"


@pytest.mark.parametrize(
    "text", ["positive, I think", "not positive", "pos", "", "The label: none"]
)
def test_anything_else_is_no_label(text: str) -> None:
    """It stays as it was written, and so counts as wrong."""
    assert decided_output(classify(), text) == text


def test_labels_that_differ_by_case_alone_are_told_apart() -> None:
    """The one that was written; neither, where a third way of writing it was."""
    request = classify("US", "us")
    assert decided_output(request, "us") == "us"
    assert decided_output(request, "US") == "US"
    assert decided_output(request, "Us") == "Us"


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("B", "1"),
        ("b.", "1"),
        ("(B)", "1"),
        ("**B**", "1"),
        ("The answer is B.", "1"),
        ("B. Rome", "1"),
        ("Rome", "1"),
        ("D", "D"),
        ("A or B", "A or B"),
        ("B because Rome is old", "B because Rome is old"),
        ("1", "no choice: 1"),
    ],
)
def test_letters_and_choices_are_read_as_a_whole(text: str, output: str) -> None:
    """A letter was asked for: a digit means no choice, and no scorer may take it for an index."""
    assert decided_output(choose("Paris", "Rome", "Oslo"), text) == output


def test_a_letter_wins_over_a_choice_that_is_called_like_it() -> None:
    """Asked for a letter, "A" is the first choice, though the second one reads "A"."""
    assert decided_output(choose("B", "A"), "A") == "0"


def test_what_is_asked_shows_all_options() -> None:
    """Labels as a list, choices with letters; text that is to be written with nothing."""
    assert all(f"- {label}" in (decision_prompt(classify()) or "") for label in LABELS)
    assert "B. Rome" in (decision_prompt(choose("Paris", "Rome")) or "")
    assert decision_prompt(GENERATE) is None


def test_more_choices_than_letters_are_refused() -> None:
    """27 choices cannot be told apart by a letter."""
    with pytest.raises(ValueError, match="27 choices"):
        decision_prompt(choose(*map(str, range(27))))


def test_probabilities_of_options_add_up_what_means_the_same() -> None:
    """With a space or in lower case it is the same letter; what is left of it all sums to 1."""
    top = {"A": math.log(0.5), " A": math.log(0.1), "b": math.log(0.2), "The": math.log(0.2)}
    found = option_log_probs(choose("Paris", "Rome"), top)
    assert found is not None
    assert math.exp(found["0"]) == pytest.approx(0.75)
    assert math.exp(found["1"]) == pytest.approx(0.25)


def test_an_option_that_is_not_among_the_likeliest_tokens_has_no_probability() -> None:
    """Then there are none at all: unknown is not 0."""
    assert option_log_probs(choose("x", "y", "z"), {"A": -0.1, "B": -3.0}) is None


def test_a_token_that_begins_two_labels_tells_them_not_apart() -> None:
    """Negative or neutral may begin with "ne"; with a trace of probability it does no harm."""
    clear = {"pos": math.log(0.6), "neg": math.log(0.3), "neut": math.log(0.09)}
    assert option_log_probs(classify(), {**clear, "ne": math.log(0.005)}) is not None
    assert option_log_probs(classify(), {**clear, "ne": math.log(0.3)}) is None


def test_log_probs_become_a_confidence() -> None:
    """That of the label that was written, and the likeliest tokens stay beside it."""
    token = TokenLogProb(
        token="yes", log_prob=-0.1, top={"yes": math.log(0.9), "no": math.log(0.1)}
    )
    reply = ChatReply(
        text="yes", finish_reason="stop", tokens=(token,), usage=Usage(read=9, written=1)
    )
    found = as_response(classify("yes", "no"), reply)
    assert found.output == "yes"
    assert found.confidence == pytest.approx(0.9)
    assert found.top_log_probs == token.top
    assert found.mean_log_prob == -0.1
    assert (found.input_tokens, found.output_tokens, found.truncated) == (9, 1, False)


def test_tokens_that_are_not_the_answer_tell_nothing() -> None:
    """Where reasoning stands before the answer, the first token decides nothing."""
    tokens = (TokenLogProb(token="<think>", log_prob=-0.1, top={"yes": -0.1, "no": -3.0}),)
    found = as_response(classify("yes", "no"), ChatReply(text="yes", tokens=tokens))
    assert found.top_log_probs is None
    assert found.log_probs is None


def test_an_answer_cut_off_by_the_limit_says_so() -> None:
    """Also where reasoning took all tokens and no text is left: an answer, and a wrong one."""
    assert as_response(GENERATE, ChatReply(text="and", finish_reason="length")).truncated
    empty = as_response(GENERATE, ChatReply(text=None, finish_reason="length"))
    assert (empty.output, empty.truncated, empty.error) == ("", True, None)


def test_a_refusal_is_an_answer() -> None:
    """The model's own words; it is marked like any other answer."""
    found = as_response(classify(), ChatReply(text=None, refusal="I cannot help with that."))
    assert found.output == "I cannot help with that."
    assert found.error is None


def test_what_the_filter_withheld_is_no_answer() -> None:
    """It is an error; what was let through before it is an answer that was cut off."""
    found = as_response(GENERATE, ChatReply(text="", finish_reason="content_filter"))
    assert "content filter" in str(found.error)
    part = as_response(GENERATE, ChatReply(text="It is", finish_reason="content_filter"))
    assert (part.output, part.truncated) == ("It is", True)


def test_tokens_that_the_api_does_not_count_are_unknown() -> None:
    """None, and not 0."""
    found = as_response(GENERATE, ChatReply(text="x", finish_reason="stop"))
    assert (found.input_tokens, found.output_tokens, found.reasoning_tokens) == (None, None, None)


def test_more_stops_than_an_api_takes_end_an_answer_all_the_same() -> None:
    """Four are sent, as many as OpenAI takes; the text is cut before whichever comes first."""
    config = ApiModelConfig(name="m", type="api", model="openai/some-model")
    request = Request(
        sample_id="s", suite="x", kind="generation", input="?", stop=("1", "2", "3", "4", "5")
    )
    assert chat_parameters(request, config)["stop"] == ["1", "2", "3", "4"]
    stops = stop_texts(request, config)
    cut = ChatReply(text="one 5 two 4", finish_reason="length").until(stops)
    assert as_response(request, cut).output == "one "
    assert as_response(request, cut).truncated is False
    whole = ChatReply(text="one", finish_reason="length")
    assert whole.until(stops) is whole
