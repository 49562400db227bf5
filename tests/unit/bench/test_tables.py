"""The README's tables of measured errors name what tests/validity holds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.bench import false_passes, readme
from tests.bench.validity import CONTROL, NAME, PROMISES, Rate, full_table, line_of, short_table

VALIDITY = Path(__file__).parents[2] / "validity"
JUDGES = ("asymptotic", "exact", "judge")


def claims() -> Iterator[tuple[str, str]]:
    """First arguments of all judges that are plain text, with their file."""
    for file in sorted(VALIDITY.glob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id in JUDGES and node.args and isinstance(node.args[0], ast.Constant):
                yield file.name, node.args[0].value


def sources() -> str:
    return "\n".join(file.read_text() for file in VALIDITY.glob("test_*.py"))


def test_every_claim_of_the_simulations_has_a_line() -> None:
    """A new claim needs a line in PROMISES; those put together at run time fail in the bench."""
    found = [claim for _, claim in claims() if not claim.startswith(CONTROL)]
    assert len(found) > 20
    for claim in found:
        assert line_of(claim)


def test_every_line_of_the_readme_is_simulated() -> None:
    """Titles are known, and the worst claim of each line is one that the line has."""
    rows = readme.rows_of(readme.between(NAME, readme.README.read_text()))
    parts = dict(PROMISES)
    assert len(rows) >= 12
    for title, worlds, _, worst, *_ in rows:
        assert title in parts
        assert line_of(worst.split(": ")[0]) == title
        assert int(worlds) >= 1


def test_every_part_occurs_in_the_simulations() -> None:
    text = sources()
    for _, parts in PROMISES:
        assert any(part.strip("^, ") in text for part in parts)
    with pytest.raises(LookupError, match="no line of PROMISES"):
        line_of("something that nobody simulated")


def test_the_readme_has_the_methods_of_the_comparison() -> None:
    rows = readme.rows_of(readme.between(false_passes.NAME, readme.README.read_text()))
    assert [row[0] for row in rows] == list(false_passes.METHODS)


def test_a_table_is_put_between_its_markers_and_nowhere_else() -> None:
    start, end = readme.markers("x")
    text = f"before\n{start}\nold\n{end}\nafter\n"
    new = readme.replaced("x", readme.table(("a", "b"), [["1", "2"]]), text)
    assert readme.rows_of(readme.between("x", new)) == [["1", "2"]]
    assert new.startswith("before\n")
    assert new.endswith("\nafter\n")
    with pytest.raises(ValueError, match="once each"):
        readme.between("x", text + text)
    with pytest.raises(ValueError, match="once each"):
        readme.between("y", text)


def test_the_worst_world_is_the_one_closest_to_being_refused() -> None:
    """Not the largest rate: few trials make large rates by chance."""

    def rate(world: str, errors: int, trials: int, claim: str = "retention, false pass") -> Rate:
        return Rate(
            claim=claim, world=world, errors=errors, trials=trials, nominal=0.05, slack=1.25
        )

    rates = [rate("many", 400, 5000), rate("few", 2, 20), rate("none", 0, 5000)]
    rates.append(rate("excluded", 50, 100, claim="control: something else"))
    (row,) = readme.rows_of(short_table(rates))
    assert row[:4] == ["retention, score test", "3", "0.80 x", "retention, false pass: many"]
    assert row[4:] == ["8.0 % of 5,000", "5.0 %", "1.25 x"]
    assert "control: something else: excluded" in full_table(rates)


def test_textbook_methods_of_the_comparison_agree_with_libraries() -> None:
    """Percentile and BCa within resampling noise of scipy's, Fieller with its t test."""
    from scipy import stats

    table = np.array([170, 6, 14, 10])
    teacher, student = np.repeat([1.0, 0, 1, 0], table), np.repeat([1.0, 1, 0, 0], table)
    for method, low in (
        ("percentile", np.quantile(false_passes._resampled(table), 0.05)),
        ("bca", false_passes._bca_low(table)),
    ):
        oracle = stats.bootstrap(
            (student, teacher), lambda s, t, axis: s.mean(axis=axis) / t.mean(axis=axis),
            paired=True, vectorized=True, confidence_level=0.9, method=method, n_resamples=4000,
            rng=np.random.default_rng(1),
        )  # fmt: skip
        assert low == pytest.approx(oracle.confidence_interval.low, abs=0.004)
    for lost in range(3, 20):
        table = np.array([180 - lost, 8, lost, 12])
        teacher, student = np.repeat([1.0, 0, 1, 0], table), np.repeat([1.0, 1, 0, 0], table)
        p = stats.ttest_1samp(student - 0.95 * teacher, 0, alternative="greater").pvalue
        assert false_passes.fieller(table[None], 0.9)[0] == (p <= 0.05)


def test_what_is_compared_lies_at_the_margin() -> None:
    for world in false_passes.BORDERLINE:
        both, gained, lost, _ = world.shares
        assert sum(world.shares) == pytest.approx(1)
        assert (both + gained) / (both + lost) == pytest.approx(false_passes.LIMIT)
    for world in false_passes.EQUAL:
        assert world.shares[1] == world.shares[2]
    with np.errstate(all="raise"):
        rates = false_passes.shares_passed(false_passes.BORDERLINE[0], sizes=(20,), trials=50)
    assert set(rates) == set(false_passes.METHODS)
