"""Who sees which text: splits by document, so that nothing measured was trained on."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from kdeval.errors import DataError
from kdeval.workflows.demo.ratings import DOMAINS, Domain, RatedText

__all__ = ["DemoSplits", "SplitSizes", "split_texts"]

_FAMILIAR: tuple[Domain, ...] = ("movie", "amazon")


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSizes:
    """How many texts each split takes.

    Attributes:
        heldout: per domain, clearly rated, for trying the router.
        evaluation: per domain, clearly rated, for run, gate and fitting the router.
        labelled: per domain, clearly rated, for training the teacher.
        fresh: further movie texts that only the distillation sees.
        tweets: unlabelled tweets for the mended student.
    """

    heldout: int = 500
    evaluation: int = 1000
    labelled: int = 1300
    fresh: int = 1500
    tweets: int = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSplits:
    """Splits of which no two share a document, but for `labelled` and `distillation`.

    Attributes:
        distillation: movie and Amazon texts whose labels are not used: those that the teacher
            was trained on, their unclear neighbours, and fresh ones.
        tweets: tweets that nobody labelled, the unclear ones among them.
    """

    heldout: tuple[RatedText, ...]
    evaluation: tuple[RatedText, ...]
    labelled: tuple[RatedText, ...]
    distillation: tuple[RatedText, ...]
    tweets: tuple[RatedText, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _DomainSplits:
    heldout: list[RatedText]
    evaluation: list[RatedText]
    labelled: list[RatedText]
    beside: list[RatedText]
    rest: list[RatedText]


def split_texts(
    texts: Sequence[RatedText], *, seed: int, sizes: SplitSizes | None = None
) -> DemoSplits:
    """The splits, the same for the same texts and seed.

    Whole documents are dealt out in a random order until a split is full; what a split's last
    document has too many is left out.

    Raises:
        DataError: a domain has too few clearly rated texts.
    """
    sizes = sizes or SplitSizes()
    parts = {
        domain: _deal([text for text in texts if text.domain == domain], domain, seed, sizes)
        for domain in DOMAINS
    }
    familiar = [
        text
        for domain in _FAMILIAR
        for text in _distilled(parts[domain], sizes.fresh, random.Random(f"{seed}:{domain}:fresh"))
    ]
    return DemoSplits(
        heldout=tuple(chain.from_iterable(part.heldout for part in parts.values())),
        evaluation=tuple(chain.from_iterable(part.evaluation for part in parts.values())),
        labelled=tuple(chain.from_iterable(part.labelled for part in parts.values())),
        distillation=tuple(familiar),
        tweets=tuple(_unlabelled(parts["tweets"], sizes.tweets, seed)),
    )


def _deal(
    texts: Sequence[RatedText], domain: Domain, seed: int, sizes: SplitSizes
) -> _DomainSplits:
    documents: dict[str, list[RatedText]] = {}
    for text in texts:
        documents.setdefault(text.document, []).append(text)
    order = sorted(documents)
    random.Random(f"{seed}:{domain}").shuffle(order)
    deck = iter([documents[name] for name in order])
    heldout, _ = _take(deck, sizes.heldout, domain)
    evaluation, _ = _take(deck, sizes.evaluation, domain)
    labelled, beside = _take(deck, sizes.labelled, domain)
    return _DomainSplits(
        heldout=heldout,
        evaluation=evaluation,
        labelled=labelled,
        beside=beside,
        rest=list(chain.from_iterable(deck)),
    )


def _take(
    deck: Iterator[list[RatedText]], n: int, domain: Domain
) -> tuple[list[RatedText], list[RatedText]]:
    """`n` clearly rated texts, and the other texts of the documents they come from."""
    clear: list[RatedText] = []
    others: list[RatedText] = []
    while len(clear) < n:
        document = next(deck, None)
        if document is None:
            raise DataError(
                f"the {domain} texts run out: a split needs {n} clearly rated ones and finds "
                f"{len(clear)}; give VADER's whole files"
            )
        clear += [text for text in document if text.label is not None]
        others += [text for text in document if text.label is None]
    return clear[:n], [*clear[n:], *others]


def _distilled(part: _DomainSplits, fresh: int, rng: random.Random) -> list[RatedText]:
    chosen = rng.sample(part.rest, min(fresh, len(part.rest)))
    return [*part.labelled, *part.beside, *chosen]


def _unlabelled(part: _DomainSplits, n: int, seed: int) -> list[RatedText]:
    pool = [*part.beside, *part.rest]
    if len(pool) < n:
        raise DataError(
            f"the tweets run out: {n} unlabelled ones are needed and {len(pool)} are left; give "
            "VADER's whole files"
        )
    return random.Random(f"{seed}:unlabelled").sample(pool, n)
