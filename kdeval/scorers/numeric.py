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
    {"−": "-", "﹣": "-", "－": "-", "＋": "+", "．": ".", "，": ",", "％": "%", "٫": ".", "٬": "'"}
)
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_POWER = re.compile(
    r"(?<=\d)\s*(?:[x×*·⋅]|\\times|\\cdot)\s*10\s*"
    r"(?:\^\s*\{?\s*([-+]?\d{1,3})\s*\}?|\*\*\s*([-+]?\d{1,3})|([⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}))"
)
_CURRENCY = r"(?:[$€£¥₹₩₽¢]|(?:US|EUR|USD|GBP)\b)"
_GROUP = "'’_\u00a0\u202f\u2009"
_PRECISE = decimal.Context(prec=80, traps=[])
_EXPONENT_LIMIT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    r"""1 when the output's number is within the tolerances of the reference's, else 0.

    The number is the last one of the text; of what follows the last "####" or opens in the last
    "\boxed{", where there is one, the first. Numbers may have a sign (also the true minus), a
    currency sign, thousands separators, decimals, an exponent (1.5e3, 1.5 x 10^3) and a percent
    sign. Digits within a word (GPT-4), versions (1.2.3) and fractions (3/4) are not understood.
    Numbers are compared in exact decimals. An output without a number is wrong.

    Attributes:
        absolute_tolerance: largest difference that is right.
        relative_tolerance: the same, as a share of the reference; either suffices.
        take: "only" refuses an output with several different numbers: wrong, with that reason.
        decimal_mark: "," reads 1.234,5 as European texts mean it.
        percent: "number" reads 12 % as 12, "fraction" reads it as 0.12.
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
        """Why the reference holds no number; None when it does."""
        if self._reference(sample.reference) is not None:
            return None
        return f"reference {str(sample.reference)[:60]!r} holds no number"

    def score(self, sample: Sample, response: Response) -> Score:
        """1 or 0."""
        missing = unmarked(self.metric, sample, response)
        if missing is not None:
            return missing
        reference = self._reference(sample.reference)
        if reference is None:
            return Score(scorer=self.name, value=None, reason=self.reference_problem(sample))
        found = self._numbers(str(response.output))
        if not found:
            return Score(scorer=self.name, value=0.0, reason="the output holds no number")
        if self.take == "only" and len(set(found)) > 1:
            return Score(scorer=self.name, value=0.0, reason="the output holds several numbers")
        return Score(scorer=self.name, value=float(self._close(found[-1], reference)))

    def _reference(self, reference: Any) -> Decimal | None:
        if isinstance(reference, bool):
            return None
        if isinstance(reference, (int, float)):
            return Decimal(str(reference)) if math.isfinite(reference) else None
        found = self._numbers(str(reference))
        return found[-1] if found else None

    def _numbers(self, text: str) -> list[Decimal]:
        after = [match.end() for match in _MARKER.finditer(text)]
        if after:
            marked = self._read(text[after[-1] :])
            if marked:
                return marked[:1]
        return self._read(text)

    def _read(self, text: str) -> list[Decimal]:
        return numbers(text, decimal_mark=self.decimal_mark, percent=self.percent)

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
    text = text.translate(_PLAIN).replace("{,}", ",").replace("\\$", "$").replace("\\%", "%")
    text = _POWER.sub(_exponent, text)
    found = []
    for match in _PATTERNS[decimal_mark].finditer(text):
        value = _decimal(match, decimal_mark)
        if value is not None:
            divided = percent == "fraction" and match["percent"]
            found.append(_PRECISE.divide(value, Decimal(100)) if divided else value)
    return found


def _exponent(match: re.Match[str]) -> str:
    power = match[1] or match[2] or match[3].translate(_SUPERSCRIPT)
    return f"e{power}"


def _decimal(match: re.Match[str], decimal_mark: str) -> Decimal | None:
    digits = re.sub(rf"[{_GROUP}{'.' if decimal_mark == ',' else ','}]", "", match["digits"])
    digits = digits.replace(decimal_mark, ".")
    power = match["exponent"] or "0"
    exponent = int(power) if len(power) < 6 else _EXPONENT_LIMIT + 1
    if abs(exponent) > _EXPONENT_LIMIT:
        return None
    value = _PRECISE.create_decimal(f"{digits}e{exponent}")
    return -value if match["before"] or match["after"] else value


def _pattern(mark: str) -> re.Pattern[str]:
    point = re.escape(mark)
    group = f"[{_GROUP}{'.' if mark == ',' else ','}]"
    grouped = rf"\d{{1,3}}(?:{group}\d{{3}})+(?!\d)"
    return re.compile(
        rf"(?<![A-Za-z\d])(?<![A-Za-z]-)(?<!\d{point})"
        rf"(?P<before>(?<![\w)\]])[-–](?={_CURRENCY}|[\d{mark}]))?(?:{_CURRENCY}\s?)?"
        rf"(?P<after>(?<![\w)\]])[-–])?\+?"
        rf"(?P<digits>(?:{grouped}|\d+)(?:{point}\d+)?|{point}\d+)"
        rf"(?!{point}\d)(?!\d)"
        rf"(?:[eE](?P<exponent>[-+]?\d+)(?!\w))?"
        rf"\s?(?P<percent>%|percent\b|per cent\b)?"
    )


_PATTERNS = {mark: _pattern(mark) for mark in (".", ",")}
