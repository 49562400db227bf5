"""The number in the output is the reference number."""

from __future__ import annotations

import decimal
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from kdeval.records import Metric, Response, Sample, Score
from kdeval.scorers.protocol import unmarked

__all__ = ["Numeric", "numbers"]

_MARKER = re.compile(r"####|\\boxed\s*\{")
_PLAIN = str.maketrans(
    {
        "⁄": "/",
        "−": "-",
        "﹣": "-",
        "－": "-",
        "＋": "+",
        "．": ".",
        "，": ",",
        "％": "%",
        "٫": ".",
        "٬": "'",
    }
)
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_POWER = re.compile(
    r"(?<=\d)\s*(?:[x×*·⋅]|\\times|\\cdot)\s*10\s*"
    r"(?:\^\s*\{?\s*([-+]?\d{1,3})\s*\}?|\*\*\s*([-+]?\d{1,3})|([⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}))"
)
_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}")
_TEXT = re.compile(r"\\(?:text|mathrm)\s*\{([^{}]*)\}")
_CHAIN = re.compile(r"(?<!\d)\d+(?:/\d+){2,}")
_CURRENCY = r"(?:[$€£¥₹₩₽¢]|(?:US|EUR|USD|GBP)\b)"
_GROUP = "'’_\u00a0\u202f\u2009"
_BEFORE = re.compile(r"(?:[A-Z]{1,3}\$|[A-Z]{3})?")
_WORD = r"°?[^\W\d_]+[²³]?(?:[/·][^\W\d_]+[²³]?)*\.?"
_UNIT = re.compile(rf"\s*(?:{_CURRENCY}|°|{_WORD}(?:\s{_WORD}){{0,3}})?\s*\.?\s*")
_SCALE = re.compile(
    r"\b(?:hundred|thousand|million|billion|trillion|dozen|lakh|crore|mio|mrd|bn|mn)s?\b", re.I
)
_PRECISE = decimal.Context(prec=80, traps=[])
_EXPONENT_LIMIT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    r"""1 when the output's number is within the tolerances of the reference's, else 0.

    The number is the last one of the text; of what follows the last "####" or opens in the last
    "\boxed{", where there is one, the first. Numbers may have a sign (also the true minus), a
    currency sign, thousands separators, decimals, an exponent (1.5e3, 1.5 x 10^3) and a percent
    sign. Thousands may be set apart by a plain space (1 000), so numbers that only a space keeps
    apart are one where they look like it. A simple fraction (3/4, \frac{3}{4}) is one number; a
    mixed one (1 1/2) is two. Digits within a word (GPT-4) and versions (1.2.3) are not
    understood. Numbers are compared in decimals of 80 digits. An output without a number is wrong.

    A reference is one number with nothing else but a currency (a sign, or a code such as CHF) or
    percent sign, and up to four words for its unit after it ("5 km/h", "18 apples"); words that
    multiply ("million") are refused. A longer text is a reference only where a marker stands
    before that number alone.

    A percent sign means the same in references and outputs: 50% is 50, and is 0.5 only with
    `percent: fraction`, where it is 50 no longer.

    Attributes:
        absolute_tolerance: largest difference that is right.
        relative_tolerance: the same, as a share of the reference; either suffices.
        take: "only" refuses an output with several different numbers: wrong, with that reason.
        decimal_mark: "," reads 1.234,5 as European texts mean it.
        percent: "number" reads 12 % as 12, "fraction" reads it as 0.12; on both sides.
    """

    name: str = "numeric"
    absolute_tolerance: float = 0.0
    relative_tolerance: float = 0.0
    take: Literal["last", "only"] = "last"
    decimal_mark: Literal[".", ","] = "."
    percent: Literal["number", "fraction"] = "number"

    def __post_init__(self) -> None:
        for value in (self.absolute_tolerance, self.relative_tolerance):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"a tolerance must be 0 or more, got {value!r}")

    @property
    def metric(self) -> Metric:
        """Share of right numbers."""
        return Metric(name=self.name)

    def reference_problem(self, sample: Sample) -> str | None:
        """Why the reference is not one number; None when it is."""
        try:
            self._reference(sample.reference)
        except ValueError as error:
            return f"reference {str(sample.reference)[:60]!r} {error}"
        return None

    def score(self, sample: Sample, response: Response) -> Score:
        """1 or 0."""
        missing = unmarked(self.metric, sample, response)
        if missing is not None:
            return missing
        problem = self.reference_problem(sample)
        if problem is not None:
            return Score(scorer=self.name, value=None, reason=problem)
        reference = self._reference(sample.reference)
        found = self._numbers(str(response.output))
        if not found:
            return Score(scorer=self.name, value=0.0, reason="the output holds no number")
        if self.take == "only" and len(set(found)) > 1:
            return Score(scorer=self.name, value=0.0, reason="the output holds several numbers")
        return Score(scorer=self.name, value=float(self._close(found[-1], reference)))

    def _reference(self, reference: Any) -> Decimal:
        """The number; ValueError says what is wrong with a reference that is not exactly one."""
        if isinstance(reference, (int, float)) and not isinstance(reference, bool):
            if not math.isfinite(reference):
                raise ValueError("holds no number")
            return Decimal(str(reference))
        if not isinstance(reference, str):
            raise ValueError("is no number")
        markers = list(_MARKER.finditer(reference))
        if not markers:
            return self._single(_plain(reference))
        text = _plain(reference[markers[-1].end() :])
        return self._single(text.partition("}")[0] if "boxed" in markers[-1][0] else text)

    def _single(self, text: str) -> Decimal:
        """The number of a text that holds little else."""
        found = self._matches(text)
        if not found:
            raise ValueError("holds no number")
        if len(found) > 1:
            comma = self.decimal_mark == "." and "," in text
            hint = "; a decimal comma needs the option decimal_mark: ','" if comma else ""
            shown = " and ".join(match[0].strip() for match, _ in found[:3])
            raise ValueError(f"holds {len(found)} numbers ({shown}): give one{hint}")
        match, value = found[0]
        before, unit = text[: match.start()].strip(), text[match.end() :]
        if not _BEFORE.fullmatch(before) or not _UNIT.fullmatch(unit):
            rest = (unit.strip() if _BEFORE.fullmatch(before) else before)[:40]
            raise ValueError(f"holds {rest!r} beside a number and its unit: give the number alone")
        scale = _SCALE.search(unit)
        if scale:
            raise ValueError(f"holds {scale[0]!r}, which is not understood: write the number out")
        return value

    def _numbers(self, text: str) -> list[Decimal]:
        after = [match.end() for match in _MARKER.finditer(text)]
        if after:
            marked = self._read(text[after[-1] :])
            if marked:
                return marked[:1]
        return self._read(text)

    def _read(self, text: str) -> list[Decimal]:
        return [value for _, value in self._matches(_plain(text))]

    def _matches(self, plain: str) -> list[tuple[re.Match[str], Decimal]]:
        return _matches(plain, self.decimal_mark, self.percent)

    def _close(self, output: Decimal, reference: Decimal) -> bool:
        difference = _PRECISE.abs(_PRECISE.subtract(output, reference))
        relative = _PRECISE.multiply(Decimal(str(self.relative_tolerance)), _PRECISE.abs(reference))
        return difference <= max(Decimal(str(self.absolute_tolerance)), relative)


def numbers(
    text: str,
    *,
    decimal_mark: Literal[".", ","] = ".",
    percent: Literal["number", "fraction"] = "number",
) -> list[Decimal]:
    """Every number of the text, in order."""
    return [value for _, value in _matches(_plain(text), decimal_mark, percent)]


def _plain(text: str) -> str:
    """The text with one way of writing marks, powers and fractions."""
    text = text.translate(_PLAIN).replace("{,}", ",").replace("\\$", "$").replace("\\%", "%")
    text = _CHAIN.sub(lambda match: match[0].replace("/", " / "), _POWER.sub(_exponent, text))
    return _TEXT.sub(r" \1 ", _FRACTION.sub(r"\1/\2", text))


def _matches(
    plain: str, decimal_mark: Literal[".", ","], percent: Literal["number", "fraction"]
) -> list[tuple[re.Match[str], Decimal]]:
    """Every number of a plain text, with where it stands."""
    found = []
    for match in _PATTERNS[decimal_mark].finditer(plain):
        value = _decimal(match, decimal_mark)
        if value is not None:
            divided = percent == "fraction" and match["percent"]
            found.append((match, _PRECISE.divide(value, Decimal(100)) if divided else value))
    return found


def _exponent(match: re.Match[str]) -> str:
    power = match[1] or match[2] or match[3].translate(_SUPERSCRIPT)
    return f"e{power}"


def _decimal(match: re.Match[str], decimal_mark: str) -> Decimal | None:
    digits = re.sub(rf"[ {_GROUP}{'.' if decimal_mark == ',' else ','}]", "", match["digits"])
    digits = digits.replace(decimal_mark, ".")
    power = match["exponent"] or "0"
    exponent = int(power) if len(power) < 6 else _EXPONENT_LIMIT + 1
    if abs(exponent) > _EXPONENT_LIMIT:
        return None
    value = _PRECISE.create_decimal(f"{digits}e{exponent}")
    if match["below"]:
        below = Decimal(match["below"])
        if not below:
            return None
        value = _PRECISE.divide(value, below)
    return -value if match["before"] or match["after"] else value


def _pattern(mark: str) -> re.Pattern[str]:
    point = re.escape(mark)
    group = f"[{_GROUP}{'.' if mark == ',' else ','}]"
    grouped = rf"\d{{1,3}}(?:{group}\d{{3}})+(?!\d)"
    spaced = rf"(?<!\d )\d{{1,3}}(?: \d{{3}})+(?!(?:{group}| )?\d)"
    return re.compile(
        rf"(?<![A-Za-z\d])(?<![A-Za-z]-)(?<!\d{point})"
        rf"(?P<before>(?<![\w)\]])[-–](?={_CURRENCY}|[\d{mark}]))?(?:{_CURRENCY}\s?)?"
        rf"(?P<after>(?<![\w)\]])[-–])?\+?"
        rf"(?P<digits>(?:{grouped}|{spaced}|\d+)(?:{point}\d+)?|{point}\d+)"
        rf"(?!{point}\d)(?!\d)"
        rf"(?:[eE](?P<exponent>[-+]?\d+)(?!\w))?"
        rf"(?:/(?P<below>\d+)(?![\d/]|{point}\d))?"
        rf"\s?(?P<percent>%|percent\b|per cent\b)?"
    )


_PATTERNS = {mark: _pattern(mark) for mark in (".", ",")}
