"""Numbers as people and models write them."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.records import Sample
from kdeval.scorers.numeric import Numeric, numbers


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The answer is 18.", "18"),
        ("$1,234.50", "1234.50"),
        ("1,234,567", "1234567"),
        ("1\u202f234\u00a0567", "1234567"),
        ("1'000", "1000"),
        ("10_000", "10000"),
        ("−5", "-5"),
        ("–5", "-5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("(-5)", "-5"),
        ("=-5", "-5"),
        (".5", "0.5"),
        ("+7", "7"),
        ("€ 5", "5"),
        ("5 €", "5"),
        ("US$12", "12"),
        ("12 %", "12"),
        ("1.5e3", "1500"),
        ("2E-3", "0.002"),
        ("1.5 x 10^3", "1500"),
        ("1.5×10³", "1500"),
        ("1.5·10⁻³", "0.0015"),
        (r"1.5 \times 10^{-3}", "0.0015"),
        ("1{,}234", "1234"),
        ("18th", "18"),
        ("5kg", "5"),
        ("共18个", "18"),
        ("１８．５", "18.5"),
        ("٣٤", "34"),
        ("10-20", "10 20"),
        ("5 - 3", "5 3"),
        ("- 5 apples", "5"),
        ("12,5", "12 5"),
        ("1 000", "1000"),
        ("1 234 567.50", "1234567.50"),
        ("-$1 000", "-1000"),
        ("in 2020 100 people", "2020 100"),
        ("1 000 5", "1 0 5"),
        ("5,000 100", "5000 100"),
        ("1\n000", "1 0"),
        ("3/4", "0.75"),
        ("-1/2", "-0.5"),
        (r"\frac{3}{4}", "0.75"),
        ("1 000/4", "250"),
        ("1/2/2024", "1 2 2024"),
        ("1/2.5", "1 2.5"),
        ("5/0", ""),
        ("60 km/h", "60"),
        ("GPT-4 says", ""),
        ("version 1.2.3", ""),
        ("H2O", ""),
        ("1e999999999", ""),
        ("none", ""),
    ],
)
def test_numbers_of_a_text(text, found):
    assert numbers(text) == [Decimal(item) for item in found.split()]


@pytest.mark.parametrize(
    ("text", "found"), [("1.234,5", "1234.5"), ("12,5", "12.5"), ("1.234", "1234")]
)
def test_a_decimal_comma(text, found):
    assert numbers(text, decimal_mark=",") == [Decimal(found)]


@pytest.mark.parametrize(
    ("options", "output", "reference", "value"),
    [
        ({}, "She has 16 - 3 - 4 = 9 eggs, so 9 * 2 = 18 dollars.", "18", 1),
        ({}, "It costs $18,000.00 in all.", 18000, 1),
        ({}, "First 18, then 19", "18", 0),
        ({}, "10", "1", 0),
        ({}, "1", "10", 0),
        ({}, "work 5 #### 18 and that was 3 steps", "18", 1),
        ({}, r"so \boxed{42}, checked 2 times", "42", 1),
        ({}, "#### none, so 7", "7", 1),
        ({}, "3.14", 3.14159, 0),
        ({"absolute_tolerance": 0.01}, "3.14", 3.14159, 1),
        ({"relative_tolerance": 0.01}, "102", 101, 1),
        ({"relative_tolerance": 0.01}, "103", 101, 0),
        ({"relative_tolerance": 0.01}, "-101", 101, 0),
        ({"relative_tolerance": 0.1}, "0.01", 0, 0),
        ({"absolute_tolerance": 0.5, "relative_tolerance": 0.1}, "109", 100, 1),
        ({}, "9007199254740993", "9007199254740992", 0),
        ({}, "0.1", 0.1, 1),
        ({}, "12 %", "12", 1),
        ({"percent": "fraction"}, "12 %", 0.12, 1),
        ({"percent": "fraction"}, "0.12", "12%", 1),
        ({"take": "only"}, "18", "18", 1),
        ({"take": "only"}, "18 is 18.0", "18", 1),
        ({"take": "only"}, "9 * 2 = 18", "18", 0),
        ({"decimal_mark": ","}, "1.234,50 €", 1234.5, 1),
        ({}, "0.5", "1/2", 1),
        ({}, "1/2", "1/2", 1),
        ({}, "2/6", "1/3", 1),
        ({}, "0.33", "1/3", 0),
        ({"absolute_tolerance": 0.01}, "0.33", "1/3", 1),
        ({}, "2", "1/2", 0),
        ({}, r"so \boxed{\frac{1}{2}}", 0.5, 1),
        ({}, "1 000", "1000", 1),
        ({}, "1000", "1\u202f000", 1),
        ({}, "1,000", "1 000", 1),
        ({}, "0", "1 000", 0),
    ],
)
def test_scores(mark, options, output, reference, value):
    assert mark(Numeric(**options), output, reference).value == value


def test_an_output_without_a_number_is_wrong_with_a_reason(mark):
    score = mark(Numeric(), "eighteen", "18")
    assert (score.value, score.reason) == (0, "the output holds no number")


@pytest.mark.parametrize("percent", ["number", "fraction"])
@pytest.mark.parametrize("reference", ["50%", "50 %", "50 percent", "50％"])
def test_a_percent_sign_means_the_same_on_both_sides(mark, reference, percent):
    """50% is 50, and is 0.5 only, and then not 50, with `percent: fraction`."""
    scorer = Numeric(percent=percent)
    assert mark(scorer, "50 %", reference).value == 1
    assert mark(scorer, "50", reference).value == (percent == "number")
    assert mark(scorer, "0.5", reference).value == (percent == "fraction")


def problem_of(reference, **options):
    sample = Sample(
        id="1",
        suite="s",
        task="s",
        kind="generation",
        input="",
        reference=reference,
        content_hash="0",
    )
    return Numeric(**options).reference_problem(sample)


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("eighteen", "holds no number"),
        (True, "is no number"),
        (float("inf"), "holds no number"),
        ({"a": 1}, "is no number"),
        ([1, 1], "is no number"),
        ("1/0", "holds no number"),
        ("1 or 2", "holds 2 numbers (1 and 2)"),
        ("10-20", "holds 2 numbers (10 and 20)"),
        ("1 1/2", "holds 2 numbers (1 and 1/2)"),
        ("2024-01-05", "holds 3 numbers"),
        ("10:30", "holds 2 numbers"),
        ("12,5", "decimal_mark: ','"),
        ("#### 3 of 4", "holds 2 numbers"),
        ("about 5", "holds 'about' beside a number"),
        ("> 5", "holds '>' beside a number"),
        ("x = 5", "holds 'x =' beside a number"),
        ("(5)", "beside a number"),
        ("5 (five)", "beside a number"),
        ("5 as far as anybody can tell", "beside a number"),
        ("1.5 million", "'million', which is not understood"),
        ("2 Dozens of eggs", "'Dozens', which is not understood"),
    ],
)
def test_a_reference_that_is_not_one_number_is_refused(mark, reference, problem):
    """Nothing is read out of it in silence; neither is anything marked against it."""
    assert problem in problem_of(reference)
    assert problem in mark(Numeric(), "5", reference).reason


@pytest.mark.parametrize(
    "reference",
    [
        "18",
        "18.",
        "-18",
        "$18",
        "$18$",
        "US$18",
        "CHF 18",
        "18 €",
        "18 USD",
        "18%",
        "18kg",
        "18 km/h",
        "18 m/s²",
        "18 °C",
        "18 red apples",
        "18个",
        "1.8e1",
        "#### 18",
        "9 and 9 make it. #### 18",
        r"so it is \boxed{18}.",
        r"\boxed{\frac{36}{2}}$",
        r"\boxed{18\text{ cm}}",
    ],
)
def test_a_reference_may_have_a_sign_a_currency_and_a_unit(mark, reference):
    assert problem_of(reference) is None
    assert mark(Numeric(), "-18" if "-" in reference else "18", reference).value == 1


def test_a_decimal_comma_in_a_reference():
    assert problem_of("12,5", decimal_mark=",") is None


def test_a_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match="tolerance"):
        Numeric(relative_tolerance=-0.1)


@settings(deadline=None)
@given(st.integers(-(10**15), 10**15), st.text("abc ()=:;\n", max_size=10))
def test_an_integer_written_by_format_is_found_at_the_end_of_any_words(number, words):
    """With separators or without, the last number is that number."""
    assert numbers(f"{words} {number:,}")[-1] == number
    assert numbers(f"{words} {number}")[-1] == number


@settings(deadline=None)
@given(st.floats(-1e15, 1e15))
def test_a_float_written_by_repr_is_read_back(number):
    assert numbers(f"x = {number!r}") == [Decimal(repr(number))]


@pytest.mark.parametrize(
    "text",
    [
        "1,111" + ",111" * 30_000 + ".1.1",
        "1 111" + " 111" * 30_000 + " 1",
        "1 " * 50_000,
        "- " * 50_000,
        "1/" * 50_000,
        "1/" + "1" * 50_000 + ".5",
        "9" * 100_000,
    ],
)
def test_long_outputs_take_no_long_time(text):
    numbers(text)
