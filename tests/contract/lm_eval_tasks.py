"""lm-eval tasks over local files: every kind of output, filters, a passage, and a group."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

COUNTRIES = {
    "France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Peru": "Lima", "Cuba": "Havana",
    "Egypt": "Cairo", "Japan": "Tokyo", "Kenya": "Nairobi",
}  # fmt: skip

_CHOICES = """
output_type: multiple_choice
doc_to_text: "{{passage}}\\nQuestion: {{question}}\\nAnswer:"
doc_to_choice: choices
doc_to_target: answer
"""

_CAPITALS = """
task: capitals
dataset_path: json
dataset_kwargs: {data_files: {train: train.jsonl, test: capitals.jsonl}}
training_split: train
test_split: test
fewshot_split: train
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
  - {metric: brier_score, aggregation: brier_score, higher_is_better: false}
  - {metric: mcc, aggregation: matthews_corrcoef, higher_is_better: true}
metadata: {version: 1.5}
"""

_YES_NO = """
task: yes_no
dataset_path: json
dataset_kwargs: {data_files: {test: yes_no.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}} Answer:"
doc_to_choice: ["no", "yes"]
doc_to_target: answer
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: f1, aggregation: f1, higher_is_better: true}
"""

_WRITING = """
task: writing
dataset_path: json
dataset_kwargs: {data_files: {test: capitals.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}} Answer:"
doc_to_target: "{{choices[answer]}}"
generation_kwargs: {until: ["."], max_gen_toks: 6}
filter_list:
  - name: first-letter
    filter: [{function: regex, regex_pattern: "([A-Za-z])"}, {function: take_first}]
  - name: whole
    filter: [{function: take_first}]
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
"""

_TEXTS = """
task: texts
dataset_path: json
dataset_kwargs: {data_files: {test: capitals.jsonl}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{passage}}"
metric_list:
  - {metric: word_perplexity, aggregation: weighted_perplexity, higher_is_better: false}
  - {metric: byte_perplexity, aggregation: weighted_perplexity, higher_is_better: false}
  - {metric: bits_per_byte, aggregation: bits_per_byte, higher_is_better: false}
"""

_LAST_WORDS = """
task: last_words
dataset_path: json
dataset_kwargs: {data_files: {test: capitals.jsonl}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{question}}"
doc_to_target: " {{choices[answer]}}"
metric_list:
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: median_acc, aggregation: median, higher_is_better: true}
process_results: !function scoring.both
"""

_SCORING = """
def both(doc, results):
    log_likelihood, greedy = results[0]
    return {"perplexity": log_likelihood, "acc": int(greedy), "median_acc": int(greedy)}
"""

_GROUP = """
group: sums
task:
  - group: small
    task: [sums_1, sums_2]
  - sums_3
aggregate_metric_list:
  - {metric: acc, weight_by_size: true}
"""

_SUM = """
task: sums_{n}
dataset_path: json
dataset_kwargs: {{data_files: {{test: sums_{n}.jsonl}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: choices
doc_to_target: answer
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
"""


def write_tasks(folder: Path) -> Path:
    """Tasks capitals, yes_no, writing, texts, last_words, and the group sums, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "capitals": _CAPITALS + _CHOICES, "yes_no": _YES_NO, "writing": _WRITING, "texts": _TEXTS,
        "last_words": _LAST_WORDS, "sums": _GROUP,
        **{f"sums_{n}": _SUM.format(n=n) for n in (1, 2, 3)},
    }  # fmt: skip
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text.lstrip(), encoding="utf-8")
    (folder / "scoring.py").write_text(_SCORING, encoding="utf-8")
    write_rows(folder / "capitals.jsonl", list(_capitals()))
    write_rows(folder / "train.jsonl", list(_capitals())[::3])
    write_rows(folder / "yes_no.jsonl", [_yes_no(n) for n in range(12)])
    for n in (1, 2, 3):
        write_rows(folder / f"sums_{n}.jsonl", [_sum(n, k) for k in range(3 + n)])
    return folder


def write_rows(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _capitals() -> Iterable[dict[str, Any]]:
    names = list(COUNTRIES)
    for place, (country, city) in enumerate(COUNTRIES.items()):
        others = [COUNTRIES[names[(place + k) % len(names)]] for k in (1, 3)]
        passage = f"{country} is a country. The capital of {country} is {city}."
        for turn, question in enumerate(("What is the capital", "Where does it govern")):
            choices = [*others[: place % 3], city, *others[place % 3 :]]
            yield {
                "passage": passage, "question": f"{question} of {country}?", "choices": choices,
                "answer": choices.index(city), "turn": turn,
            }  # fmt: skip


def _yes_no(n: int) -> dict[str, Any]:
    return {"question": f"Is {n} more than {11 - n}?", "answer": int(n > 11 - n)}


def _sum(n: int, k: int) -> dict[str, Any]:
    return {"question": f"{n} plus {k} is", "choices": [str(n + k), str(n + k + 1)], "answer": 0}
