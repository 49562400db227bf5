"""Texts from rows: columns, templates, and what the sandbox refuses."""

import datetime

import pytest

from kdeval.errors import ConfigError, DataError
from kdeval.store import templates
from kdeval.store.templates import compile_field, compile_template, is_template

ROW = {
    "text": "hello",
    "empty": None,
    "n": 3,
    "x": 1.0,
    "ok": True,
    "items": ["a", None, {"k": 1}],
    "meta": {"lang": "de"},
    "gpt-4 answer": "yes",
}


def render(source, values=ROW, number=7):
    return compile_field(source, what="suite.yaml: input").text(values, number)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("text", "hello"),
        ("gpt-4 answer", "yes"),
        ("{{ text }}", "hello"),
        ("{{text}}", "hello"),
        ("{{ text }}\n", "hello\n"),
        ("Say: {{ text }}!", "Say: hello!"),
        ("{{ n }}", "3"),
        ("{{ x }}", "1.0"),
        ("{{ ok }}", "true"),
        ("{{ text|length > 3 }}", "true"),
        ("{{ items }}", '["a", null, {"k": 1}]'),
        ("{{ meta }} {{ meta.lang }}", '{"lang": "de"} de'),
        ("{{ row }}", "7"),
        ("{{ columns['gpt-4 answer'] }}", "yes"),
        ("{{ empty or '-' }}", "-"),
        ("{% if empty %}{{ empty }}{% else %}none{% endif %}", "none"),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012"),
        ("{{ '<b>' }}&", "<b>&"),
        (
            "{{ '%.2f' % x }} {{ '%05d'|format(n) }} {{ 'ab' * 2 }} {{ 2 ** 5 }}",
            "1.00 00003 abab 32",
        ),
    ],
)
def test_texts(source, text):
    assert render(source) == text


@pytest.mark.parametrize("source", ["empty", "{{ empty }}", "a {{ empty }} b", "{{ items[1] }}"])
def test_a_missing_value_makes_the_text_missing(source):
    assert render(source) is None


def test_a_column_wins_over_the_names_that_are_always_there():
    values = {"row": "mine", "columns": "too", "range": "also"}
    for name, text in values.items():
        assert render(f"{{{{ {name} }}}}", values) == text
        assert render(f"= {{{{ {name} }}}}", values) == f"= {text}"


def test_dates_and_numbers_of_parquet_have_a_text():
    assert render("{{ d }}", {"d": datetime.date(2024, 5, 1)}) == "2024-05-01"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("txt", "no column 'txt'; did you mean 'text'? (columns: text, empty, n"),
        ("{{ txt }}", "no column 'txt'; did you mean 'text'?"),
        ("Say {{ txt }}", "no column 'txt'; did you mean 'text'?"),
        ("{{ dict }}", "no column 'dict'"),
        ("x {{ lipsum() }}", "no column 'lipsum'"),
        ("{{ meta.language }}", "no attribute 'language'"),
        ("{{ n + text }}", "the template fails: TypeError"),
        ("{{ n / 0 }}", "the template fails: ZeroDivisionError"),
    ],
)
def test_what_is_not_there_is_told(source, message):
    with pytest.raises(DataError) as caught:
        render(source)
    assert str(caught.value).startswith("suite.yaml: input: ")
    assert message in str(caught.value)


def test_bytes_have_no_text():
    with pytest.raises(DataError, match="column 'b': the value is bytes"):
        render("b", {"b": b"\x00"})


@pytest.mark.parametrize(
    "source",
    [
        "{{ text.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ items.append(1) or 1 }}",
        "{{ text.format }}",
        "{{ 'x' * 10 ** 9 }}",
        "{{ 10 ** 9 * 'x' }}",
        "{{ 9 ** (9 ** 9) }}",
        "{{ (10 ** 99999) ** 99999 }}",
        "{{ ('x' * 10000) * 10000 }}",
        "{{ [0] * 10 ** 9 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%*d' % (999999999, 1) }}",
        "{{ '%999999999d'|format(1) }}",
        "{{ text|center(999999999) }}",
        "{{ text|indent(999999999) }}",
        "{{ text.zfill(999999999) }}",
        "{{ text.ljust(999999999) }}",
        "{{ range(999999999)|list }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{{ text }}{% endfor %}{% endfor %}",
        "{{ range }}{{ text }}",
    ],
)
def test_the_sandbox_refuses(source, monkeypatch):
    """Neither Python's insides nor short ways of filling the memory."""
    monkeypatch.setattr(templates, "OUTPUT_LIMIT", 100_000)
    with pytest.raises(DataError, match=r"^suite.yaml: input: "):
        render(source)


def test_a_broken_template_is_told_at_once():
    with pytest.raises(ConfigError, match=r"suite.yaml: input: template .* is not valid"):
        compile_template("{{ text ", what="suite.yaml: input")


def test_what_is_a_template():
    assert is_template("{{ a }}")
    assert is_template("{% if a %}b{% endif %}")
    assert not is_template("a column")
    assert compile_template("plain", what="").text({}, 1) == "plain"
