"""Whose answers a cache keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

__all__ = ["Origin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The model that answered; what a cache tells of it, and looks its answers up by.

    Attributes:
        name: in the configuration.
        type: a class of kdeval's or of the user's.
        fingerprint: what its answers are stored under.
        scope: digest of what the fingerprint need not cover, such as the source of a class of the
            user's: answers of another scope are not served. "": the fingerprint covers everything.
        expires_after_s: how long an answer is good for; None: for good.
        suites: key to the suite it was asked for.
    """

    name: str
    type: str
    fingerprint: str
    scope: str = ""
    expires_after_s: float | None = None
    suites: Mapping[str, str] = field(default_factory=dict, repr=False)

    def asked_in(self, suites: Iterable[tuple[str, str]]) -> Origin:
        """The same of those answers: pairs of key and suite."""
        return replace(self, suites=dict(suites))

    def cache_key(self, key: str) -> str:
        """What the answer of that store key is called in the cache."""
        if not self.scope:
            return key
        return hashlib.sha256(f"{self.scope}\0{key}".encode()).hexdigest()
