"""The documents of a retrieval suite, read and checked."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from kdeval.errors import DataError
from kdeval.records import Corpus
from kdeval.store.problems import RowProblems
from kdeval.store.tables import read_rows
from kdeval.store.templates import compile_field
from kdeval.suites.schema import CorpusConfig

__all__ = ["read_corpus"]


def read_corpus(config: CorpusConfig, path: Path) -> Corpus:
    """The documents that the suite at `path` names.

    Raises:
        ConfigError: a template that is no valid jinja2.
        DataError: no such file, no documents, one without an id or text, or an id given twice.
    """
    data = path.parent / config.data
    if not data.exists():
        raise DataError(f"{path}: corpus.data: no such file {config.data!r} (looked for {data})")
    name, said = (
        compile_field(source, what=f"{path}: corpus.{field}")
        for field, source in (("id", config.id), ("text", config.text))
    )
    problems = RowProblems(data)
    documents: dict[str, str] = {}
    for row in read_rows(data):
        try:
            key, text = name.text(row.values, row.number), said.text(row.values, row.number)
        except DataError as error:
            problems.add(row.line, str(error))
            continue
        if not key or text is None:
            problems.add(row.line, "a document needs an id and a text")
        elif documents.setdefault(key, text) is not text:
            problems.add(row.line, f"document {key!r} was given before")
    problems.raise_if_any()
    if not documents:
        raise DataError(f"{data}: the corpus is empty: not one document")
    digest = sha256()
    for item in documents.items():
        digest.update("\0".join((*item, "")).encode("utf-8", "surrogatepass"))
    return Corpus(
        sha256=digest.hexdigest(),
        ids=tuple(documents),
        texts=tuple(documents.values()),
        depth=min(config.depth, len(documents)),
        known=frozenset(documents),
    )
