from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from kdeval.report.junit import junit_xml, write_junit


def test_every_rule_is_a_test_case(make_decision: Callable[..., Any]) -> None:
    """Fail is a failure; inconclusive is an error, since skipped would look harmless in CI."""
    root = ET.fromstring(junit_xml([make_decision("pass", "fail", "inconclusive")]))
    assert (root.tag, root.get("tests")) == ("testsuites", "3")
    (suite,) = root.findall("testsuite")
    counts = [suite.get(key) for key in ("tests", "failures", "errors", "skipped")]
    assert counts == ["3", "1", "1", "0"]
    assert suite.get("name") == "kdeval gate: demo: small"
    assert suite.get("timestamp") == "2026-01-02T03:04:05"
    outcomes = [[child.tag for child in case] for case in suite.findall("testcase")]
    assert outcomes == [["system-out"], ["failure"], ["error"]]
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == (
        "retention 97.0 %, at least 95.8 % with 95 % confidence; limit 95.0 %"
    )


def test_several_decisions_are_several_suites(make_decision: Callable[..., Any]) -> None:
    """The totals add up over the students."""
    root = ET.fromstring(junit_xml([make_decision("pass"), make_decision("fail", "fail")]))
    assert [suite.get("failures") for suite in root] == ["0", "2"]
    assert (root.get("tests"), root.get("failures")) == ("3", "2")


def test_hostile_text_leaves_the_file_readable(
    make_decision: Callable[..., Any],
    make_rule: Callable[..., Any],
    hostile: str,
    tmp_path: Path,
) -> None:
    """Characters that XML forbids are shown by their code point."""
    bad = f"{hostile} \x00\x0b\ud800\ufffe ]]> <a>&b;"
    decision = make_decision(student=bad, rules=(make_rule("fail", rule=bad, evidence=bad),))
    write_junit([decision], tmp_path / "out" / "gate.xml")
    root = ET.parse(tmp_path / "out" / "gate.xml").getroot()
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    message = failure.get("message") or ""
    assert "<U+0000>" in message
    assert "<U+D800>" in message
    assert "]]> <a>&b;" in message
