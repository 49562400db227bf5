"""What asking models came to: keys of the answers, and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from kdeval.run.elsewhere import Elsewhere
from kdeval.run.keys import Keys, KeySet

__all__ = ["Answered", "Asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What asking one model came to.

    Attributes:
        cached: keys of answers that were in the store before.
        asked: how many requests were asked now.
        errors: key to the reason, of those that failed.
        elsewhere: what is known of the model where other processes asked it.
    """

    cached: AbstractSet[str]
    asked: int
    errors: Mapping[str, str]
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What asking came to: per model name, the keys in sample order and the counts.

    Attributes:
        keys: model and suite (or what else the requests are part of) to a key a request.
        elsewhere: what is known of models that other processes asked.
    """

    keys: dict[tuple[str, str], Keys]
    cached: dict[str, AbstractSet[str]]
    asked: dict[str, int]
    errors: dict[str, dict[str, str]]
    elsewhere: Mapping[str, Elsewhere] = field(default_factory=dict)

    @classmethod
    def of_model(cls, name: str, parts: Mapping[str, Keys], answered: Answered) -> Asked:
        """Of one model alone, asked those parts at once."""
        there = answered.elsewhere
        return cls(
            keys={(name, part): keys for part, keys in parts.items()},
            cached={name: answered.cached},
            asked={name: answered.asked},
            errors={name: dict(answered.errors)},
            elsewhere={} if there is None else {name: there},
        )

    @classmethod
    def together(cls, several: Iterable[Asked]) -> Asked:
        """Several askings as one; a model may be in more than one of them."""
        whole = cls(keys={}, cached={}, asked={}, errors={}, elsewhere={})
        elsewhere: dict[str, list[Elsewhere]] = {}
        for part in several:
            for place, keys in part.keys.items():
                before = whole.keys.get(place)
                whole.keys[place] = keys if before is None else Keys.joined([before, keys])
            for name, count in part.asked.items():
                whole.asked[name] = whole.asked.get(name, 0) + count
                whole.cached[name] = whole.cached.get(name, KeySet()) | part.cached[name]
                whole.errors[name] = whole.errors.get(name, {}) | part.errors[name]
            for name, there in part.elsewhere.items():
                elsewhere.setdefault(name, []).append(there)
        merged = {name: Elsewhere.merged(found) for name, found in elsewhere.items()}
        return cls(
            keys=whole.keys, cached=whole.cached, asked=whole.asked, errors=whole.errors,
            elsewhere=merged,
        )  # fmt: skip

    def of(self, name: str) -> list[Keys]:
        """The keys of that model's requests, part by part."""
        return [keys for (model, _), keys in self.keys.items() if model == name]

    def failures(self, name: str) -> Counter[str]:
        """Reasons of the failed requests of that model, with how many samples each struck."""
        failed = self.errors[name]
        if not failed:
            return Counter()
        return Counter(failed[key] for keys in self.of(name) for key in keys if key in failed)
