"""The ready-made suites: their data keeps what their data cards promise."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date, timedelta
from itertools import combinations, permutations, product
from pathlib import Path

import pytest

from kdeval.models.echo import EchoModel
from kdeval.models.protocols import Request
from kdeval.records import Response
from kdeval.store.tool_calls import as_tool_calls, tool_call
from kdeval.store.tool_definitions import tool_name
from kdeval.suites import load_suite

FOLDER = Path(__file__).parents[3] / "suites"
NAMES = (
    "support_intents",
    "extraction",
    "thread_summaries",
    "reasoning_choice",
    "tool_choice",
)
CARD_PARTS = (
    "What it is",
    "What it is not",
    "Where it comes from",
    "Fields",
    "Counts",
    "Known faults",
)
# What a person wrote in a row, without the instruction that all rows share.
WRITTEN = {
    "support_intents": lambda row: row["text"],
    "extraction": lambda row: row["text"],
    "thread_summaries": lambda row: " ".join(turn["text"] for turn in row["turns"]),
    "reasoning_choice": lambda row: " ".join([row["question"], *row["options"]]),
    "tool_choice": lambda row: row["request"],
}


def suite_of(name):
    return load_suite(FOLDER / name / f"{name}.yaml")


def rows_of(name):
    data = FOLDER / name / suite_of(name).config.data
    return [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]


def card_of(name):
    return (FOLDER / name / "DATA_CARD.md").read_text(encoding="utf-8")


def words_of(text):
    return frozenset(re.findall(r"\w+", text.casefold()))


def right_option(row):
    return row["options"][row["answer"]]


@pytest.mark.parametrize("name", NAMES)
class TestEverySuite:
    def test_it_loads_with_150_to_300_samples(self, name):
        suite = suite_of(name)
        assert 150 <= len(suite.samples) <= 300
        assert all(sample.reference is not None for sample in suite.samples)

    def test_every_sample_is_in_every_slice_dimension(self, name):
        suite = suite_of(name)
        tags = set(suite.config.slice_sources)
        assert tags
        assert all(set(sample.slices) == tags for sample in suite.samples)

    def test_ids_are_unique(self, name):
        ids = [row["id"] for row in rows_of(name)]
        assert len(set(ids)) == len(ids)

    def test_no_two_inputs_are_near_duplicates(self, name):
        """No pair shares more than half of its words."""
        bags = {row["id"]: words_of(WRITTEN[name](row)) for row in rows_of(name)}
        close = [
            (one, other)
            for one, other in combinations(bags, 2)
            if 2 * len(bags[one] & bags[other]) > len(bags[one] | bags[other])
        ]
        assert not close

    def test_its_own_references_are_right_answers(self, name):
        suite = suite_of(name)
        for sample in suite.samples:
            reference = sample.reference
            output = reference if isinstance(reference, str) else json.dumps(reference)
            for scorer in suite.scorers:
                assert scorer.score(sample, Response(output=output)).value == 1, sample.id

    def test_the_fake_model_can_be_marked_on_it(self, name):
        suite = suite_of(name)
        model = EchoModel()
        ask = {"classification": model.classify, "multiple_choice": model.score_choices}
        requests = [
            Request(
                sample_id=sample.id,
                suite=sample.suite,
                kind=sample.kind,
                input=sample.input,
                labels=sample.labels or (),
                choices=sample.choices or (),
            )
            for sample in suite.samples
        ]
        responses = ask.get(suite.kind, model.generate)(requests)
        for sample, response in zip(suite.samples, responses, strict=True):
            assert all(scorer.score(sample, response).value is not None for scorer in suite.scorers)

    def test_mail_addresses_lie_in_example_domains(self, name):
        """Also those that a soft line break cuts in two."""
        for row in rows_of(name):
            text = json.dumps(row, ensure_ascii=False).replace("=\\n", "")
            for domain in re.findall(r"@\s?([\w-]+(?:\.[A-Za-z]+)+)", text):
                assert re.fullmatch(r"example\.(com|org|net)", domain), row["id"]

    def test_the_data_card_has_all_its_parts(self, name):
        text = card_of(name)
        assert all(f"\n## {part}\n" in text for part in CARD_PARTS)
        assert "Apache-2.0" in text

    def test_the_data_card_names_every_column(self, name):
        fields = card_of(name).split("## Fields")[1].split("## Counts")[0]
        columns = set(re.findall(r"^\| `(\w+)` \|", fields, re.MULTILINE))
        assert all(set(row) == columns for row in rows_of(name))

    def test_the_counts_of_the_data_card_are_those_of_the_data(self, name):
        counts = card_of(name).split("## Counts")[1].split("## Known faults")[0]
        rows = rows_of(name)
        assert f"\n{len(rows)} samples.\n" in counts
        told = Counter()
        for column, value, n in re.findall(r"^\| (\w+) \| ([^|]+) \| (\d+) \|$", counts, re.M):
            told[column, value.strip()] = int(n)
        columns = {column for column, _ in told}
        assert told == Counter((column, counted(row, column)) for row in rows for column in columns)


def counted(row, column):
    """The value that the data card counts: a column's, or one worked out from several."""
    if column == "tools":
        return str(len(row["tools"]))
    if column == "position":
        return "none" if right_option(row) == "none" else str(row["answer"])
    return str(row[column])


class TestSupportIntents:
    def test_labels_are_all_used_and_balanced(self):
        counts = Counter(row["intent"] for row in rows_of("support_intents"))
        assert set(counts) == set(suite_of("support_intents").labels)
        assert counts.pop("out_of_scope") >= 40
        assert len(set(counts.values())) == 1

    def test_every_channel_has_out_of_scope_messages_and_near_misses(self):
        found = {(row["channel"], row["scope"]) for row in rows_of("support_intents")}
        assert found == set(
            product(("chat", "email", "voice"), ("in_scope", "near_miss", "unrelated"))
        )

    def test_only_out_of_scope_messages_are_near_misses_or_unrelated(self):
        for row in rows_of("support_intents"):
            assert (row["scope"] == "in_scope") == (row["intent"] != "out_of_scope"), row["id"]

    def test_a_conversation_has_several_messages_and_is_a_cluster(self):
        counts = Counter(row["conversation"] for row in rows_of("support_intents"))
        del counts[None]
        assert counts
        assert min(counts.values()) > 1
        clusters = Counter(sample.cluster for sample in suite_of("support_intents").samples)
        assert all(clusters[key] == n for key, n in counts.items())


INVOICE = {
    "vendor",
    "invoice_number",
    "invoice_date",
    "due_date",
    "currency",
    "subtotal",
    "tax",
    "total",
    "line_items",
}
ITEM = {"description", "quantity", "unit_price", "amount"}
CONTACT = {"name", "job_title", "company", "email", "phone", "city"}


def objects_of(task):
    return [(row["id"], row["fields"]) for row in rows_of("extraction") if row["task"] == task]


class TestExtraction:
    def test_every_object_has_exactly_the_declared_fields(self):
        for row_id, fields in objects_of("invoice"):
            assert set(fields) == INVOICE, row_id
            assert all(set(item) == ITEM for item in fields["line_items"]), row_id
        for row_id, fields in objects_of("contact"):
            assert set(fields) == CONTACT, row_id

    def test_dates_and_currencies_are_in_their_declared_form(self):
        for row_id, fields in objects_of("invoice"):
            for key in ("invoice_date", "due_date"):
                assert fields[key] is None or str(date.fromisoformat(fields[key])) == fields[key]
            assert re.fullmatch(r"[A-Z]{3}", fields["currency"] or "EUR"), row_id

    def test_quantity_times_price_is_the_amount(self):
        for row_id, fields in objects_of("invoice"):
            for item in fields["line_items"]:
                quantity, price = item["quantity"], item["unit_price"]
                if quantity is not None and price is not None:
                    assert item["amount"] == pytest.approx(quantity * price, abs=0.005), row_id

    def test_line_items_and_tax_add_up(self):
        """To the subtotal where there is one; else to the total, with the tax in it or on top."""
        for row_id, fields in objects_of("invoice"):
            items = sum(item["amount"] or 0 for item in fields["line_items"])
            subtotal, tax, total = fields["subtotal"], fields["tax"] or 0, fields["total"]
            if subtotal is None:
                assert min(abs(items - total), abs(items + tax - total)) < 0.005, row_id
            else:
                assert items == pytest.approx(subtotal, abs=0.005), row_id
                assert total == pytest.approx(subtotal + tax, abs=0.005), row_id

    def test_telephone_numbers_are_of_the_range_kept_for_fiction(self):
        for row_id, fields in objects_of("contact"):
            assert re.fullmatch(r"\+?\d*55501\d\d", fields["phone"] or "5550100"), row_id

    def test_every_field_is_missing_somewhere_and_told_somewhere(self):
        for task, names in (("invoice", INVOICE - {"total", "line_items"}), ("contact", CONTACT)):
            for name in names:
                told = {fields[name] is not None for _, fields in objects_of(task)}
                assert told == {True, False}, name


class TestThreadSummaries:
    def test_threads_have_four_to_ten_turns_of_several_speakers(self):
        for row in rows_of("thread_summaries"):
            assert 4 <= len(row["turns"]) <= 10, row["id"]
            assert len({turn["speaker"] for turn in row["turns"]}) > 1, row["id"]

    def test_summaries_are_one_or_two_sentences_and_shorter_than_the_thread(self):
        for row in rows_of("thread_summaries"):
            text = re.sub(r"\b(Mr|Mrs|Ms|R)\.", r"\1", row["summary"])
            assert len(re.findall(r"[.!?](?= [A-Z]|$)", text)) in (1, 2), row["id"]
            thread = " ".join(turn["text"] for turn in row["turns"])
            assert len(row["summary"]) < len(thread) + 40, row["id"]


class TestReasoningChoice:
    def test_right_options_are_spread_evenly_in_every_skill(self):
        counts = Counter((row["skill"], row["answer"]) for row in rows_of("reasoning_choice"))
        assert len(counts) == 6 * 4
        assert len(set(counts.values())) == 1

    def test_there_are_four_different_options(self):
        for row in rows_of("reasoning_choice"):
            assert len({option.casefold() for option in row["options"]}) == 4, row["id"]

    def test_the_length_of_an_option_does_not_give_it_away(self):
        """The right option alone is the longest, or the shortest, no more often than by chance."""
        rows = rows_of("reasoning_choice")
        for pick in (max, min):
            assert sum(picked_alone(pick, row) for row in rows) <= 0.25 * len(rows)

    def test_the_checks_work_out_the_right_option(self):
        """The right option is the shortest of those that contain the check's value as a word."""
        checked = 0
        for row in rows_of("reasoning_choice"):
            if row["check"] is not None:
                value = worked_out(row["check"])
                word = re.compile(rf"(?<![\w.:]){re.escape(value)}(?!\w|[.:,]\d)")
                found = [option for option in row["options"] if value and word.search(option)]
                assert found, row["id"]
                assert min(found, key=len) == right_option(row), row["id"]
                checked += 1
        assert checked > 100


def picked_alone(pick, row):
    """True when `pick` over the lengths of the options finds the right one and no other."""
    lengths = [len(option) for option in row["options"]]
    return lengths.count(pick(lengths)) == 1 and len(right_option(row)) == pick(lengths)


def worked_out(expression):
    """The one value of a check; a set has to have a single member."""
    names = {"date": date, "timedelta": timedelta}
    value = eval(expression, {**names, "permutations": permutations, "product": product})
    if isinstance(value, set):
        (value,) = value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


class TestToolChoice:
    def test_options_are_the_listed_tools_and_none(self):
        for row in rows_of("tool_choice"):
            names = [tool["name"] for tool in row["tools"]]
            assert row["options"] == [*names, "none"], row["id"]
            assert 4 <= len(set(names)) == len(names) <= 6, row["id"]

    def test_none_is_right_exactly_for_the_traps_that_say_so(self):
        for row in rows_of("tool_choice"):
            no_tool = row["trap"] in ("limit", "missing", "talk")
            assert (right_option(row) == "none") == no_tool, row["id"]

    def test_places_of_the_right_tool_are_balanced(self):
        rows = [row for row in rows_of("tool_choice") if right_option(row) != "none"]
        counts = Counter(row["answer"] for row in rows)
        assert set(counts) == set(range(6))
        assert max(counts.values()) - min(counts.values()) <= 3

    def test_every_tool_is_right_somewhere(self):
        """So that no tool can be ruled out by its name."""
        rows = rows_of("tool_choice")
        listed = {(row["domain"], tool["name"]) for row in rows for tool in row["tools"]}
        right = {(row["domain"], right_option(row)) for row in rows}
        assert listed <= right


class TestToolChoiceAsCalls:
    def test_the_same_requests_offer_their_tools_as_functions(self):
        """The option that is right becomes the call that is right, and "none" no call."""
        suite = load_suite(FOLDER / "tool_choice" / "tool_calls.yaml")
        rows = rows_of("tool_choice")
        assert [sample.input for sample in suite.samples] == [row["request"] for row in rows]
        for row, sample in zip(rows, suite.samples, strict=True):
            names = [tool_name(tool) for tool in sample.tools]
            assert [*names, "none"] == row["options"]
            called = [call.name for call in as_tool_calls(sample.reference)]
            assert called == [name for name in [right_option(row)] if name != "none"]

    def test_the_right_call_is_marked_right_and_its_neighbours_wrong(self):
        suite = load_suite(FOLDER / "tool_choice" / "tool_calls.yaml")
        (scorer,) = suite.scorers
        for sample in suite.samples:
            right = as_tool_calls(sample.reference)
            for calls in ((), *((tool_call(tool_name(tool), {}),) for tool in sample.tools)):
                score = scorer.score(sample, Response(output="", tool_calls=calls))
                assert score.value == (calls == right), sample.id


def test_the_readme_lists_every_suite_with_its_size():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        row = re.search(rf"^\| \[{name}\]\({name}/DATA_CARD\.md\) \|.*\| (\d+) \|$", text, re.M)
        assert row, name
        assert int(row[1]) == len(rows_of(name))
