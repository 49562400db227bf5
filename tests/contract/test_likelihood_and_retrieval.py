"""Suites of likelihood and retrieval with tiny models: answers as torch itself would give them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

from kdeval.compare.compute import compare_run
from kdeval.config.schema import load_config
from kdeval.config.transformers_models import EmbedderConfig
from kdeval.errors import ConfigError, DataError, ModelError
from kdeval.models.embedder import TransformersEmbedder
from kdeval.models.protocols import Embedder, Ranker, Request
from kdeval.records import Corpus
from kdeval.workflows.evaluate import evaluate
from tests.contract.causal_models import save_llama, save_tokenizer
from tests.contract.conftest import WORDS

TEXTS = [" ".join(WORDS[index % 5 : index % 5 + 2 + index % 4]) for index in range(30)]
DOCUMENTS = {f"d{index}": " ".join(WORDS[index : index + 3]) for index in range(len(WORDS) - 2)}


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _config(folder: Path, suites: list[str], teacher: Any, student: Any) -> Path:
    config = {"suites": suites, "teacher": teacher, "students": [student], "latency_probe": False}
    (folder / "kdeval.yaml").write_text(yaml.safe_dump(config))
    return folder / "kdeval.yaml"


def test_a_perplexity_is_that_of_torch(tmp_path: Path) -> None:
    """Texts after a context and alone; both models read the same tokens."""
    for seed, name in enumerate(("teacher", "student")):
        (tmp_path / name).mkdir()
        save_llama(tmp_path / name, seed=seed)
        save_tokenizer(tmp_path / name, bos=True)
    _write(tmp_path / "texts.jsonl", [{"t": text, "c": "one two"} for text in TEXTS])
    for name, extra in (("alone", {}), ("after", {"input": "c"})):
        suite = {"name": name, "kind": "likelihood", "data": "texts.jsonl", "reference": "t",
                 "scorers": ["perplexity", "bits_per_byte"], **extra}  # fmt: skip
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(suite))
    models = [{"name": name, "type": "causal_lm", "path": name, "device": "cpu"}
              for name in ("teacher", "student")]  # fmt: skip
    run = evaluate(
        load_config(_config(tmp_path, ["alone.yaml", "after.yaml"], *models)), tmp_path / "run"
    ).run
    student = compare_run(run).students[0]
    for suite, context in (("alone", ""), ("after", "one two")):
        nats, tokens = _nats(tmp_path / "student", context)
        perplexity = student.cell(suite=suite, metric="perplexity")
        bits = student.cell(suite=suite, metric="bits_per_byte")
        assert perplexity is not None
        assert bits is not None
        assert perplexity.student_score.estimate == pytest.approx(math.exp(nats / tokens), rel=1e-4)
        size = sum(len(text.encode()) for text in TEXTS)
        assert bits.student_score.estimate == pytest.approx(nats / math.log(2) / size, rel=1e-4)
        assert perplexity.difference.estimate is not None
        assert perplexity.agreement is None


def _nats(folder: Path, context: str) -> tuple[float, int]:
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    nats, tokens = 0.0, 0
    for text in TEXTS:
        before = tokenizer(context)["input_ids"]
        ids = tokenizer(f"{context} {text}" if context else text)["input_ids"]
        with torch.inference_mode():
            logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        for place in range(len(before), len(ids)):
            nats -= float(logs[place - 1, ids[place]])
            tokens += 1
    return nats, tokens


def test_other_tokens_do_not_compare_but_bytes_do(tmp_path: Path) -> None:
    rows = [{"id": f"s{i}", "t": text, "l": -7.0 - i % 5, "n": 3 + i % 2, "m": 4 + i % 3}
            for i, text in enumerate(TEXTS)]  # fmt: skip
    _write(tmp_path / "texts.jsonl", rows)
    suite = {"name": "x", "kind": "likelihood", "data": "texts.jsonl", "id": "id", "reference": "t",
             "scorers": ["perplexity", "bits_per_byte"]}  # fmt: skip
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(suite))
    models = [
        {"name": name, "type": "recorded", "path": "texts.jsonl",
         "columns": {"id": "id", "log_prob": "l", "output_tokens": name}}
        for name in ("n", "m")
    ]  # fmt: skip
    run = evaluate(load_config(_config(tmp_path, ["x.yaml"], *models)), tmp_path / "run").run
    student = compare_run(run).students[0]
    perplexity = student.cell(suite="x", metric="perplexity")
    bits = student.cell(suite="x", metric="bits_per_byte")
    assert perplexity is not None
    assert bits is not None
    assert perplexity.student_score.estimate is not None
    assert perplexity.difference.estimate is None
    assert "use bits_per_byte" in str(perplexity.retention.reason)
    assert bits.difference.estimate == 0


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_an_embedder_pools_and_ranks_by_cosine(tiny_bert: Path, pooling: Any) -> None:
    """Vectors do not depend on what else is in a batch; prefixes count."""
    config = EmbedderConfig(
        name="m", type="embedder", path=str(tiny_bert), device="cpu", pooling=pooling,
        query_prefix="good ", batch_size=4,
    )  # fmt: skip
    model = TransformersEmbedder(config)
    assert isinstance(model, Ranker)
    assert isinstance(model, Embedder)
    vectors = model.embed(list(DOCUMENTS.values()), role="document")
    expected = np.stack([_embedded(tiny_bert, text, pooling) for text in DOCUMENTS.values()])
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    corpus = Corpus(sha256="x", ids=tuple(DOCUMENTS), texts=tuple(DOCUMENTS.values()), depth=3)
    request = Request(sample_id="q", suite="x", kind="retrieval", input="bad", corpus=corpus)
    query = _embedded(tiny_bert, "good bad", pooling)
    cosines = expected @ query / np.linalg.norm(expected, axis=1)
    best = [list(DOCUMENTS)[place] for place in np.argsort(-cosines, kind="stable")[:3]]
    assert json.loads(str(model.rank([request])[0].output)) == best
    other = TransformersEmbedder(config.model_copy(update={"query_prefix": ""}))
    assert other.fingerprint != model.fingerprint


def _embedded(folder: Path, text: str, pooling: str) -> np.ndarray:
    encoder, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        tokens = encoder.eval()(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    return (tokens[0] if pooling == "cls" else tokens.mean(dim=0)).numpy()


OWN = """
import numpy as np

class Letters:
    fingerprint = "letters"

    def embed(self, texts, *, role):
        return np.array([[text.count(c) for c in "aeiou"] for text in texts], dtype=float)
"""


def _retrieval(folder: Path, **settings: Any) -> None:
    _write(folder / "docs.jsonl", [{"id": k, "text": v} for k, v in DOCUMENTS.items()])
    names = list(DOCUMENTS)
    rows = [{"id": f"q{i}", "q": DOCUMENTS[names[i % len(names)]], "r": [names[i % len(names)]]}
            for i in range(40)]  # fmt: skip
    _write(folder / "queries.jsonl", rows)
    suite: dict[str, Any] = {
        "name": "search", "kind": "retrieval", "data": "queries.jsonl", "id": "id", "input": "q",
        "reference": {"column": "r"}, "corpus": {"data": "docs.jsonl", "depth": 5},
        "scorers": [{"type": "ndcg", "k": 3}, {"type": "recall", "k": 1}],
    }  # fmt: skip
    (folder / "search.yaml").write_text(yaml.safe_dump({**suite, **settings}))


def test_a_whole_run_of_embedders(tmp_path: Path, tiny_bert: Path) -> None:
    """An encoder against a class that only embeds; a mean over queries, so its score can pass."""
    (tmp_path / "own.py").write_text(OWN)
    _retrieval(tmp_path)
    teacher = {"name": "bert", "type": "embedder", "path": str(tiny_bert), "device": "cpu"}
    student = {"name": "letters", "type": "own:Letters"}
    config = load_config(_config(tmp_path, ["search.yaml"], teacher, student))
    run = evaluate(config, tmp_path / "run", base=tmp_path).run
    found = compare_run(run).students[0]
    recall = found.cell(suite="search", metric="recall@1")
    assert recall is not None
    assert recall.n == 40
    assert recall.agreement is None
    assert recall.teacher_score.estimate == 1
    assert recall.teacher_score.method.startswith("Wilson")
    assert found.cell(suite="search", metric="ndcg@3").student_score.estimate <= 1
    again = evaluate(config, tmp_path / "run", base=tmp_path)
    assert set(again.asked.values()) == {0}


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"corpus": None}, ConfigError, "kind: retrieval needs corpus"),
        ({"corpus": {"data": "none.jsonl"}}, DataError, "no such file 'none.jsonl'"),
        ({"corpus": {"data": "docs.jsonl", "id": "text", "text": "nope"}}, DataError, "nope"),
        ({"scorers": [{"type": "ndcg", "k": 9}]}, DataError, "models return 5 documents"),
        ({"reference": "q"}, DataError, "must map document ids"),
    ],
)
def test_bad_retrieval_suites_are_refused_when_they_are_loaded(
    tmp_path: Path, settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    from kdeval.suites.read import load_suite

    _retrieval(tmp_path, **settings)
    with pytest.raises(error, match=words):
        load_suite(tmp_path / "search.yaml")


def test_a_model_that_does_not_rank_is_refused(tmp_path: Path, tiny_bert: Path) -> None:
    _retrieval(tmp_path)
    models = [{"name": name, "type": "sequence_classifier", "path": str(tiny_bert)}
              for name in ("t", "s")]  # fmt: skip
    with pytest.raises(ModelError, match=r"has no method rank\(\)"):
        evaluate(load_config(_config(tmp_path, ["search.yaml"], *models)), tmp_path / "run")
