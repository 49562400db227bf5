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

_LOWER_IS_BETTER = ("brier_score", "perplexity", "weighted_perplexity", "bits_per_byte")


def _task(
    name: str,
    output_type: str,
    settings: str,
    metrics: Mapping[str, str],
    *,
    data: str,
    train: str = "",
) -> str:
    """A task file: the lines that all have, its own settings, and its metrics.

    Args:
        name: of the task.
        output_type: lm-eval's.
        settings: its own lines.
        metrics: name to lm-eval's aggregation.
        data: the JSONL file of its documents, without the suffix.
        train: the file of its examples, without the suffix; "": it has none.
    """
    files = f"{{test: {data}.jsonl{f', train: {train}.jsonl' if train else ''}}}"
    return "\n".join(
        [
            f"task: {name}",
            "dataset_path: json",
            f"dataset_kwargs: {{data_files: {files}}}",
            "test_split: test",
            *(["training_split: train", "fewshot_split: train"] if train else []),
            f"output_type: {output_type}",
            settings.strip(),
            "metric_list:",
            *(
                f"  - {{metric: {metric}, aggregation: {aggregation}, "
                f"higher_is_better: {str(aggregation not in _LOWER_IS_BETTER).lower()}}}"
                for metric, aggregation in metrics.items()
            ),
            "",
        ]
    )


def _sums(n: int) -> str:
    settings = """
doc_to_text: "{{question}}"
doc_to_choice: choices
doc_to_target: answer
"""
    return _task(f"sums_{n}", "multiple_choice", settings, {"acc": "mean"}, data=f"sums_{n}")


_CAPITALS = """
doc_to_text: "{{passage}}\\nQuestion: {{question}}\\nAnswer:"
doc_to_choice: choices
doc_to_target: answer
metadata: {version: 1.5}
"""
_YES_NO = """
doc_to_text: "{{question}} Answer:"
doc_to_choice: ["no", "yes"]
doc_to_target: answer
"""
_WRITING = """
doc_to_text: "{{question}} Answer:"
doc_to_target: "{{choices[answer]}}"
generation_kwargs: {until: ["."], max_gen_toks: 6}
filter_list:
  - name: first-letter
    filter: [{function: regex, regex_pattern: "([A-Za-z])"}, {function: take_first}]
  - name: whole
    filter: [{function: take_first}]
"""
_TEXTS = """
doc_to_text: ""
doc_to_target: "{{passage}}"
"""
_LAST_WORDS = """
doc_to_text: "{{question}}"
doc_to_target: " {{choices[answer]}}"
process_results: !function scoring.both
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
_FILES = {
    "capitals": _task(
        "capitals", "multiple_choice", _CAPITALS,
        {"acc": "mean", "acc_norm": "mean", "brier_score": "brier_score",
         "mcc": "matthews_corrcoef"},
        data="capitals", train="train",
    ),
    "yes_no": _task(
        "yes_no", "multiple_choice", _YES_NO, {"acc": "mean", "f1": "f1"}, data="yes_no"
    ),
    "writing": _task(
        "writing", "generate_until", _WRITING, {"exact_match": "mean"}, data="capitals"
    ),
    "texts": _task(
        "texts", "loglikelihood_rolling", _TEXTS,
        {"word_perplexity": "weighted_perplexity", "byte_perplexity": "weighted_perplexity",
         "bits_per_byte": "bits_per_byte"},
        data="capitals",
    ),
    "last_words": _task(
        "last_words", "loglikelihood", _LAST_WORDS,
        {"perplexity": "perplexity", "acc": "mean", "median_acc": "median"},
        data="capitals",
    ),
    "sums": _GROUP.lstrip(),
    **{f"sums_{n}": _sums(n) for n in (1, 2, 3)},
}  # fmt: skip
_SCORING = """
def both(doc, results):
    log_likelihood, greedy = results[0]
    return {"perplexity": log_likelihood, "acc": int(greedy), "median_acc": int(greedy)}
"""


def write_tasks(folder: Path) -> Path:
    """Tasks capitals, yes_no, writing, texts, last_words, and the group sums, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _FILES.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
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
