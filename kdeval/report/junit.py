"""The gate's decision as JUnit XML, which every CI system shows beside the other tests.

A rule that fails is a <failure>. An inconclusive one is an <error>: the question could not be
answered. <skipped> would show it as harmless, and the student would look as if it may ship.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from kdeval.gate.decision import GateDecision, RuleResult
from kdeval.report.output_file import write_whole
from kdeval.report.plain_text import visible

__all__ = ["junit_xml", "write_junit"]


def junit_xml(decisions: Sequence[GateDecision]) -> str:
    """One test suite a decision, one test case a rule."""
    root = ET.Element("testsuites", name="kdeval gate")
    for decision in decisions:
        _suite(root, decision)
    _totals(root, [rule for decision in decisions for rule in decision.rules])
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ("<?xml version='1.0' encoding='utf-8'?>\n", "\n")
    )


def write_junit(decisions: Sequence[GateDecision], path: Path) -> None:
    """The decisions written to `path`, whole or not at all."""
    write_whole(path, junit_xml(decisions))


def _suite(root: ET.Element, decision: GateDecision) -> None:
    name = visible(f"kdeval gate: {decision.run}: {decision.student}")
    created = decision.header.created.removesuffix("Z").split("+")[0]
    suite = ET.SubElement(root, "testsuite", name=name, timestamp=visible(created))
    _totals(suite, decision.rules)
    properties = ET.SubElement(suite, "properties")
    for key, value in (
        ("verdict", decision.verdict),
        ("teacher", decision.teacher),
        ("baseline", decision.baseline),
        ("looks", None if decision.looks is None else decision.looks.text),
        ("notes", "; ".join(decision.notes) or None),
        ("kdeval", decision.header.kdeval),
    ):
        if value is not None:
            ET.SubElement(properties, "property", name=key, value=visible(value))
    for rule in decision.rules:
        _case(suite, rule, name)


def _totals(element: ET.Element, rules: Sequence[RuleResult]) -> None:
    verdicts = [rule.verdict for rule in rules]
    element.set("tests", str(len(rules)))
    element.set("failures", str(verdicts.count("fail")))
    element.set("errors", str(verdicts.count("inconclusive")))
    if element.tag == "testsuite":
        element.set("skipped", "0")
    element.set("time", "0")


def _case(suite: ET.Element, rule: RuleResult, classname: str) -> None:
    case = ET.SubElement(suite, "testcase", name=visible(rule.rule), classname=classname, time="0")
    evidence = visible(rule.evidence)
    if rule.verdict == "pass":
        ET.SubElement(case, "system-out").text = evidence
        return
    tag = "failure" if rule.verdict == "fail" else "error"
    outcome = ET.SubElement(case, tag, message=evidence, type=rule.verdict)
    outcome.text = f"{visible(rule.rule)}\n{evidence}\nmethod: {visible(rule.method)}, n {rule.n:,}"
