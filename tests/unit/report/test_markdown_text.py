from __future__ import annotations

import re

import pytest

from kdeval.report.markdown_text import Block, code, compose, table, text
from kdeval.report.plain_text import one_line, visible

HOSTILE = [
    "<script>alert(1)</script>",
    "a | b || c",
    "`code` ``more``",
    "</code></details><h1>out</h1>",
    "line one\nline two\r\n\r\n# heading",
    "[link](javascript:alert(1)) ![image](x)",
    "\x1b[31mred\x1b[0m\x07",
    "\u202eright to left\u202c \u2066isolate\u2069",
    "@someone #12 GH-3 owner/repo#4",
    "https://evil.example www.evil.example",
    "&lt;already&gt; &#60;",
    "\ud800 lone surrogate",
    "<!-- comment --> ***bold*** __under__ ~~strike~~ $math$",
    "tag\U000e0041\U000e0042",
]


def entities_only(rendered: str) -> str:
    """What is left when our own code tags and comments are taken away."""
    return rendered.removeprefix("<code>").removesuffix("</code>").replace("<!-- -->", "")


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("render", [text, code])
def test_no_markup_survives(hostile: str, render: object) -> None:
    """Nothing that Markdown or HTML reads as markup is left as it stood."""
    rendered = entities_only(render(hostile))  # type: ignore[operator]
    bare = re.sub(r"&#\d+;", "", rendered)
    assert not set(bare) & set("<>|`*_[]!#@&~$\\{}\n\r")
    rendered.encode("utf-8")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_the_text_itself_is_kept(hostile: str) -> None:
    """Escaping loses nothing: decoded, it is the visible text in one line."""
    decoded = re.sub(r"&#(\d+);", lambda m: chr(int(m.group(1))), text(hostile))
    assert decoded.replace("<!-- -->", "") == one_line(hostile).replace("<!-- -->", "")


@pytest.mark.parametrize(
    "plain",
    [
        "own_mc by acc_norm, mmlu_high_school_biology, é_1",
        "57.5 % [48.6, 66.0]; -0.145 [-0.271, -0.018], 1.86 [unknown], 12 % [3, over 1,000]",
        "p < 0.001",
    ],
)
def test_what_is_no_markup_where_it_stands_reads_as_it_is(plain: str) -> None:
    """Names with underscores, intervals, p-values: CommonMark makes nothing of them."""
    assert text(plain) == plain
    assert code(plain) == f"<code>{plain}</code>"


@pytest.mark.parametrize(
    ("markup", "inert"),
    [
        ("_a_ b_ _c a__b", "&#95;a&#95; b&#95; &#95;c a&#95;&#95;b"),
        ("a_*b*_c", "a&#95;&#42;b&#42;&#95;c"),
        ("[1](x) [1][2] [1]: x [x] ![1]", "&#91;1&#93;(x) &#91;1&#93;[2] &#91;1&#93;: x "
         "&#91;x&#93; &#33;[1]"),
        ("[ ] [] [-]", "&#91; &#93; &#91;&#93; &#91;-&#93;"),
        ("<b <", "&#60;b &#60;"),
        ("a_www.x.example b_GH-3", "a_www<!-- -->.x.example b_GH-<!-- -->3"),
        (":a_b: c_@d", ":<!-- -->a_b: c&#95;&#64;<!-- -->d"),
    ],
)  # fmt: skip
def test_what_could_be_markup_is_not(markup: str, inert: str) -> None:
    assert text(markup) == inert


@pytest.mark.parametrize(
    ("linked", "split"),
    [
        ("@someone", "&#64;<!-- -->someone"),
        ("#12", "&#35;<!-- -->12"),
        ("GH-3", "GH-<!-- -->3"),
        ("https://x.example", "https:<!-- -->//x.example"),
        (":smile: 3:30", ":<!-- -->smile: 3:30"),
        ("www.x.example", "www<!-- -->.x.example"),
    ],
)
def test_nothing_is_linked(linked: str, split: str) -> None:
    """What GitHub links after rendering (mentions, issues, addresses) is split."""
    assert text(linked) == split


def test_invisible_characters_are_shown() -> None:
    """A bidirectional mark or an escape code is named, not obeyed; emoji and accents stay."""
    assert visible("a\u202eb\x1b[0m\u200b") == "a<U+202E>b<U+001B>[0m<U+200B>"
    assert visible("é 👩\u200d🔬 日本\ttab\nline") == "é 👩\u200d🔬 日本\ttab\nline"


def test_long_text_is_cut_with_a_count() -> None:
    """The reader learns how much is missing."""
    assert one_line("x" * 1_500, 300) == "x" * 300 + "… [1,200 more characters]"


def test_an_empty_text_is_a_blank() -> None:
    """An empty output is shown as an empty code, and keeps the table's cell."""
    assert code("") == "<code> </code>"


def test_a_full_page_counts_what_it_leaves_out() -> None:
    """Rows that do not fit are counted, whole blocks too, and the limit holds."""
    rows = [["row", "x" * 100] for _ in range(200)]
    blocks = [
        Block(head="## title"),
        table(["a", "b"], rows, title="first", what="slices"),
        Block(head="y" * 5_000),
        Block(head="short"),
    ]
    page = compose(blocks, limit=5_000)
    assert len(page) <= 5_000
    kept = page.count("| row |")
    assert f"*{200 - kept:,} more slices left out: no room*" in page
    assert "*1 more parts of this report left out: no room*" in page


def test_a_block_that_is_cut_is_still_closed() -> None:
    """A folded part is closed although its rows had no room."""
    block = Block(
        head="<details>", rows=tuple("x" * 100 for _ in range(100)), tail="</details>", what="rows"
    )
    page = compose([block], limit=2_000)
    assert page.count("<details>") == page.count("</details>") == 1
    assert len(page) <= 2_000


def test_a_page_with_room_leaves_nothing_out() -> None:
    """No line about missing rows where none is missing."""
    page = compose([table(["a", "b"], [["1", "2"]])])
    assert page == "| a | b |\n| --- | ---: |\n| 1 | 2 |\n"
