"""Rows of data files, with positions; damage is told with file and line."""

import csv
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdeval.errors import DataError
from kdeval.store.tables import position, read_rows


def rows(path, content=None):
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_rows(path))


def test_csv_values_stay_text_and_empty_cells_are_missing(tmp_path):
    (row,) = rows(tmp_path / "d.csv", "id,n,empty\n007,1.50,\n")
    assert row.values == {"id": "007", "n": "1.50", "empty": None}


def test_jsonl_values_keep_their_types(tmp_path):
    values = {"id": 7, "ok": True, "x": None, "l": [1, "a"], "o": {"k": 1.5}, "s": ""}
    (row,) = rows(tmp_path / "d.jsonl", json.dumps(values) + "\n")
    assert row.values == values


def test_a_row_knows_its_number_and_the_line_it_starts_in(tmp_path):
    found = rows(tmp_path / "d.csv", 'a,b\n1,"two\nlines"\n\n2,x\n')
    assert [(row.number, row.line) for row in found] == [(1, 2), (2, 5)]
    found = rows(tmp_path / "d.jsonl", '{"a":1}\n\n{"a":2}')
    assert [(row.number, row.line) for row in found] == [(1, 1), (2, 3)]


def test_positions_read_as_editors_understand_them(tmp_path):
    assert position(tmp_path / "d.jsonl", 12) == f"{tmp_path / 'd.jsonl'}:12"
    assert position(tmp_path / "d.parquet", 12) == f"{tmp_path / 'd.parquet'}: row 12"


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_data(tmp_path, name):
    text = "a,b\n1,2\n" if name == "d.csv" else '{"a":"1","b":"2"}\n'
    (row,) = rows(tmp_path / name, b"\xef\xbb\xbf" + text.encode())
    assert row.values == {"a": "1", "b": "2"}


def test_windows_line_ends(tmp_path):
    assert rows(tmp_path / "d.csv", "a\r\n1\r\n")[0].values == {"a": "1"}
    assert rows(tmp_path / "d.jsonl", '{"a":1}\r\n')[0].values == {"a": 1}


def test_cells_may_be_huge(tmp_path):
    text = "x" * 3_000_000
    assert rows(tmp_path / "d.csv", f"a\n{text}\n")[0].values["a"] == text


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_gzip(tmp_path, suffix):
    text = b"a\n1\n" if suffix == "csv" else b'{"a":"1"}\n'
    (row,) = rows(tmp_path / f"d.{suffix}.gz", gzip.compress(text))
    assert row.values == {"a": "1"}


def test_parquet_keeps_types_and_nan_is_missing(tmp_path):
    path = tmp_path / "d.parquet"
    table = {"a": [1, 2], "x": [float("nan"), 0.5], "l": [["p"], None]}
    pq.write_table(pa.table(table), path)
    assert [row.values for row in rows(path)] == [
        {"a": 1, "x": None, "l": ["p"]},
        {"a": 2, "x": 0.5, "l": None},
    ]


def test_nan_in_json_is_missing(tmp_path):
    assert rows(tmp_path / "d.jsonl", '{"a": NaN}\n')[0].values == {"a": None}


def test_half_a_character_is_replaced(tmp_path):
    """Cut-off text in logs has lone surrogates, which no file could hold again."""
    content = '{"a": "cut \\ud83d", "b": "whole \\ud83d\\ude00"}\n'
    assert rows(tmp_path / "d.jsonl", content)[0].values == {"a": "cut �", "b": "whole 😀"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.jsonl", '{"a":1}\n{"a":\n', r"d.jsonl:2: not valid JSON: .* at column"),
        (
            "d.jsonl",
            '{"a": "cut',
            r"not valid JSON: Unterminated string starting at column 7; each",
        ),
        ("d.jsonl", '{"a":1}\n[1]\n', r"d.jsonl:2: expected a JSON object, got list"),
        ("d.jsonl", '{"a":1,"a":2}\n', r"d.jsonl:1: .*key 'a' is given twice"),
        ("d.jsonl", b'{"a":1}\n{"a":"\xff"}\n', r"d.jsonl:2: not UTF-8"),
        ("d.jsonl", '{"a":' + "[" * 100_000 + "\n", r"d.jsonl:1: not"),
        ("d.csv", "a,b,a\n1,2,3\n", r"d.csv:1: column name given twice: 'a'"),
        ("d.csv", "a,b\n1,2\n1,2,3\n", r"d.csv:3: 3 cells, but the header has 2"),
        ("d.csv", 'a\n1\n"open\n', r"d.csv:3: not valid CSV"),
        ("d.csv", b"a\n1\n\xff\n", r"d.csv: not UTF-8"),
        ("d.csv.gz", b"a\n1\n", r"d.csv.gz: not a whole gzip file"),
        (
            "d.csv.gz",
            gzip.compress(b"a\n" + b"1\n" * 9999, mtime=0)[:-20],
            r"not a whole gzip file",
        ),
        ("d.parquet", b"nothing of the kind", r"d.parquet: cannot be read as Parquet"),
        ("d.xlsx", b"", r"unknown format '.xlsx'"),
    ],
)
def test_damage_is_told(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message) as caught:
        rows(tmp_path / name, content)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        rows(tmp_path / "d.csv")


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5))
def test_any_text_survives_csv_and_jsonl(tmp_path, cells):
    """What csv.writer and json.dumps write is read back as it was."""
    with (tmp_path / "d.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("a", "b"), *cells])
    (tmp_path / "d.jsonl").write_text(
        "".join(json.dumps({"a": a, "b": b}) + "\n" for a, b in cells), encoding="utf-8"
    )
    expected = [{"a": a, "b": b} for a, b in cells]
    assert [row.values for row in read_rows(tmp_path / "d.csv")] == expected
    assert [row.values for row in read_rows(tmp_path / "d.jsonl")] == expected
