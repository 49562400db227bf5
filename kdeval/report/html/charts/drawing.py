"""From a Vega-Lite specification to SVG that follows the page's theme and carries no script."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import vl_convert
from markupsafe import Markup

__all__ = ["ACCENT", "ALARM", "FAINT", "INK", "MUTED", "RULE", "Chart", "domain_around", "draw"]

INK, MUTED, FAINT, RULE = "var(--ink)", "var(--muted)", "var(--faint)", "var(--rule)"
ACCENT, ALARM = "var(--accent)", "var(--alarm)"

_CONFIG: dict[str, Any] = {
    "aria": False,
    "background": None,
    "font": "sans-serif",
    "padding": 2,
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "gridColor": RULE,
        "gridWidth": 1,
        "labelColor": MUTED,
        "labelFontSize": 11,
        "labelLimit": 260,
        "labelPadding": 6,
        "ticks": False,
        "titleColor": MUTED,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "titlePadding": 8,
    },
    "text": {"color": INK, "fontSize": 11},
    "point": {"filled": True, "opacity": 1, "size": 42},
}
_DROPPED = re.compile(r"aria-.*|role|class|pointer-events|font-family|.*\}(space|href)|version")
_LONG = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")
_REFERENCE = re.compile(r"url\(#(\w+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawn chart.

    Attributes:
        svg: trusted markup: its texts were escaped when it was drawn.
        title: what it shows, also for those who cannot see it.
    """

    svg: Markup
    title: str


def draw(spec: Mapping[str, Any], *, title: str, name: str) -> Chart:
    """The chart of `spec`; its size is the specification's.

    Args:
        spec: Vega-Lite, without configuration; colours are CSS variables of the page. Texts in
            it must hold no control characters (`kdeval.report.plain_text.one_line`).
        title: what it shows, in words.
        name: unique on the page, a prefix of the ids in it.
    """
    drawn = vl_convert.vegalite_to_svg({"config": _CONFIG, **spec})
    root = ElementTree.fromstring(drawn)
    _tidy(root, name)
    root.set("role", "img")
    root.set("focusable", "false")
    label = ElementTree.Element("title")
    label.text = title
    root.insert(0, label)
    return Chart(svg=Markup(ElementTree.tostring(root, encoding="unicode")), title=title)


def _tidy(root: ElementTree.Element, name: str) -> None:
    """Removes what a page does not need; makes ids unique on it and figures short."""
    ids: dict[str, str] = {}
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for key in [key for key in element.attrib if _DROPPED.fullmatch(key)]:
            del element.attrib[key]
        if "id" in element.attrib:
            ids[element.attrib["id"]] = f"{name}-{len(ids)}"
            element.set("id", ids[element.attrib["id"]])
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == "clip-path":
                value = _REFERENCE.sub(lambda match: f"url(#{ids[match.group(1)]})", value)
            element.set(key, _LONG.sub(lambda match: f"{float(match.group()):.2f}", value))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.get("display") == "none" or _is_empty(child):
                parent.remove(child)


def _is_empty(element: ElementTree.Element) -> bool:
    outline = element.tag == "path" and not {"fill", "stroke"} & set(element.attrib)
    return outline and element.get("transform") is None and element.get("clip-path") is None


def domain_around(
    values: list[float], *, include: tuple[float, ...] = (), within: tuple[float, float]
) -> list[float]:
    """An axis domain with a little room around the values, cut to `within`."""
    known = [*values, *include]
    low, high = min(known), max(known)
    room = (high - low) * 0.04 or 0.05
    return [max(within[0], low - room), min(within[1], high + room)]
