"""The HTML report as a reader uses it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import STUDENTS, resize

pytestmark = pytest.mark.xdist_group("browser")


def all_of(page: Any, selector: str) -> list[Any]:
    found: list[Any] = page.find_elements("css selector", selector)
    return found


def shown(page: Any, selector: str) -> list[Any]:
    return [element for element in all_of(page, selector) if element.is_displayed()]


def choose(page: Any, field: str, value: str) -> None:
    page.execute_script(
        "const field = document.querySelector(`#browser-0 [data-field=${arguments[0]}]`);"
        "field.value = arguments[1]; field.dispatchEvent(new Event('input'));",
        field,
        value,
    )


def test_nothing_is_requested_and_nothing_complains(page: Any, report: Path) -> None:
    """One file: no other address is asked, no script or style is refused, no error is logged."""
    page.execute_script("window.scrollTo(0, document.body.scrollHeight)")
    asked = [
        message["params"]["request"]["url"]
        for entry in page.get_log("performance")
        for message in [json.loads(entry["message"])["message"]]
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert {url for url in asked if not url.startswith("data:")} == {report.as_uri()}
    assert page.get_log("browser") == []


def test_the_verdict_is_what_is_read_first(page: Any) -> None:
    """A heading says it, and the student chosen changes it."""
    (heading,) = shown(page, "h1")
    assert "small may replace big" in heading.text
    label = page.find_element("css selector", "label[for=choose-1]")
    label.click()
    (heading,) = shown(page, "h1")
    assert heading.text.startswith("tiny may not replace big")


def test_a_table_sorts_by_each_heading(page: Any) -> None:
    """Up, then down, announced by aria-sort; unknown values stay last."""
    button = next(b for b in shown(page, "#scores-0 thead button") if b.text == "retention")

    def values() -> list[float]:
        cells = all_of(page, "#scores-0 tbody tr td.of-retention")
        return [float(cell.get_attribute("data-value")) for cell in cells]

    button.click()
    assert values() == sorted(values())
    heading = page.find_element("css selector", "#scores-0 th[aria-sort]")
    assert heading.get_attribute("aria-sort") == "ascending"
    button.send_keys("\n")
    assert values() == sorted(values(), reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"


def test_samples_are_filtered_and_unfolded(page: Any) -> None:
    """By kind, suite, slice and text; an unfolded one shows all four texts."""
    choose(page, "kind", "lost")
    kinds = {item.get_attribute("data-kind") for item in shown(page, "#browser-0 .sample")}
    assert kinds == {"lost"}
    choose(page, "suite", "notes")
    choose(page, "slice", "team=north")
    choose(page, "text", "refund before")
    items = shown(page, "#browser-0 .sample")
    assert items
    assert all("team=north" in item.get_attribute("data-slices") for item in items)
    items[0].find_element("css selector", "summary").click()
    assert len(items[0].find_elements("css selector", ".quartet pre")) == 4
    assert items[0].find_element("css selector", ".quartet").is_displayed()
    choose(page, "text", "no such words")
    assert shown(page, "#browser-0 .sample") == []
    status = page.find_element("css selector", "#browser-0 [data-status]")
    assert status.text == "No sample in this file matches."


def test_a_flip_count_leads_to_its_samples(page: Any) -> None:
    """The browser is filtered to that cell."""
    page.find_element("css selector", "a[data-choose][data-kind=gained]").click()
    items = shown(page, "#browser-0 .sample")
    assert items
    assert {item.get_attribute("data-kind") for item in items} == {"gained"}
    assert {item.get_attribute("data-suite") for item in items} == {"intents"}


def test_the_theme_is_switched_and_remembered(page: Any) -> None:
    """Each theme has its own paper, and the choice outlives the page."""

    def paper() -> str:
        script = "return getComputedStyle(document.body).backgroundColor"
        return str(page.execute_script(script))

    colours = {}
    for name in ("light", "dark"):
        button = page.find_element("css selector", f"[data-set-theme={name}]")
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        colours[name] = paper()
    assert colours["light"] != colours["dark"]
    page.refresh()
    assert paper() == colours["dark"]


@pytest.mark.parametrize("width", [360, 820, 1440])
def test_nothing_overflows(page: Any, width: int) -> None:
    """The page is never wider than the window, with every sample and rule unfolded."""
    resize(page, width)
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    cut = page.execute_script(
        "return [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, svg')"
        " && e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.tagName + '.' + e.className)"
    )
    assert cut == []


def test_scores_are_read_on_a_phone_without_scrolling(page: Any) -> None:
    """Every figure of a row is in the window, with its heading, and the rows still sort."""
    resize(page, 360)
    outside = page.execute_script(
        "return [...document.querySelectorAll('#scores-0 td, #speed .speed td')].filter(e =>"
        " e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1).length"
    )
    assert outside == 0
    label = page.execute_script(
        "const cell = document.querySelector('#scores-0 tbody td.of-retention');"
        "return getComputedStyle(cell, '::before').content"
    )
    assert label == '"retention"'
    button = next(b for b in shown(page, "#scores-0 thead button") if b.text == "n")
    button.click()
    counts = [float(cell.get_attribute("data-value")) for cell in all_of(page, "#scores-0 td.of-n")]
    assert counts == sorted(counts)


def test_hostile_text_is_shown_and_not_obeyed(page: Any) -> None:
    """Markup, bidirectional marks, 100 kB strings and terminal codes are text."""
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    assert page.execute_script("return window.pwned === undefined")
    assert len(all_of(page, "script")) == 1
    assert all_of(page, "img, iframe, object, embed, [onerror], [onclick]") == []
    text = page.execute_script("return document.querySelector('#browser-0').textContent")
    for shown_as in (
        "<script>window.pwned = 1</script>",
        "<U+202E>gnp.exe<U+202C>",
        "<U+001B>[31mred",
        "</script><!-- </style> ]]> {{ 7 * 7 }}",
        "more characters]",
    ):
        assert shown_as in text
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_it_prints(page: Any) -> None:
    """To a PDF of several pages, without the controls and with every student, since nobody can
    choose one on paper; the folds are shut again afterwards.
    """
    printed = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") >= 2
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert shown(page, ".theme, .filters, .contents, .more") == []
        headings = [heading.text for heading in shown(page, "h1")]
        assert len(headings) == len(STUDENTS)
        assert all(name in text for name, text in zip(STUDENTS, headings, strict=True))
        names = [element.text for element in shown(page, "#scores .whose")]
        assert names == list(STUDENTS)
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_it_can_be_used_by_ear_and_keyboard(page: Any) -> None:
    """Every control has a name, every heading cell a scope, every picture words."""
    nameless = page.execute_script(
        "return [...document.querySelectorAll('input, select')]"
        ".filter(e => !e.labels.length).length"
    )
    assert nameless == 0
    assert all_of(page, "thead th:not([scope]), tbody th:not([scope])") == []
    for picture in all_of(page, "svg"):
        assert picture.get_attribute("role") == "img"
    titles = page.execute_script(
        "return [...document.querySelectorAll('svg')].map(e => e.firstElementChild.textContent)"
    )
    assert titles
    assert all(titles)
    ids = page.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
