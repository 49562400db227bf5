"""The runtime: load a router, decide per request, and never fail towards the student."""

from __future__ import annotations

import os
from collections.abc import Mapping

from kdeval_router.artefact import RouterArtefact, build_rule
from kdeval_router.decision import Decision, Evidence, RoutingRule
from kdeval_router.errors import RouterArtefactError
from kdeval_router.explain import Explanation, explain
from kdeval_router.request import ReadRequest, read_request
from kdeval_router.schema import RouterConfig

__all__ = ["KILL_SWITCH", "Router"]

KILL_SWITCH = "KDEVAL_ROUTER_TEACHER_ONLY"
"""Environment variable, and name of a file beside router.yaml, that sends all to the teacher."""

_OFF = frozenset({"", "0", "false", "no", "off"})


class Router:
    """A loaded router; safe to share between threads, it holds no state of requests."""

    def __init__(self, config: RouterConfig, rule: RoutingRule, switch_file: str) -> None:
        self._config = config
        self._rule = rule
        self._switch_file = switch_file

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        fingerprints: Mapping[str, str] | None = None,
    ) -> Router:
        """The router in the directory `path`.

        Args:
            path: what `kdeval route fit` wrote.
            fingerprints: name of a model to the fingerprint of what is deployed now. A student
                that is no longer the one that was measured gets no requests; when the teacher
                is another one, no student does.

        Raises:
            RouterArtefactError: a file is missing, tampered with or mismatched, or a name in
                `fingerprints` is not a model of this router.
        """
        artefact = RouterArtefact.load(path)
        changed = _changed(artefact.config, fingerprints or {})
        switch_file = os.path.join(os.fspath(path), KILL_SWITCH)
        return cls(artefact.config, build_rule(artefact, changed), switch_file)

    @property
    def config(self) -> RouterConfig:
        """What `router.yaml` says."""
        return self._config

    @property
    def rule(self) -> RoutingRule:
        """The deciding rule, for evaluation."""
        return self._rule

    def decide(self, request: object) -> Decision:
        """Who answers `request`; whatever is wrong with it, the answer is the teacher.

        Args:
            request: a text; a list of chat messages ({"role": ..., "content": text or parts});
                or a mapping with `messages` or `prompt`, and `tools`, `response_format`, ...
                The whole conversation is looked at.
        """
        return self._judge(request)[1]

    def explain(self, request: object) -> Explanation:
        """The decision on `request` with its reasons in words and numbers."""
        read, decision, evidence = self._judge(request)
        return explain(self._rule, read, decision, evidence)

    def _judge(self, request: object) -> tuple[ReadRequest, Decision, Evidence]:
        read = ReadRequest()
        try:
            if self._switched_off():
                return read, self._rule.to_teacher("kill_switch"), Evidence()
            read = read_request(request)
            decision, evidence = self._rule.judge(read)
        except Exception:  # a router that raises would take the application down with it
            return read, self._rule.to_teacher("internal_error"), Evidence()
        return read, decision, evidence

    def _switched_off(self) -> bool:
        value = os.environ.get(KILL_SWITCH, "")
        return value.strip().lower() not in _OFF or os.path.exists(self._switch_file)


def _changed(config: RouterConfig, fingerprints: Mapping[str, str]) -> frozenset[str]:
    measured = {config.teacher: config.lineage.teacher, **config.lineage.students}
    unknown = sorted(set(fingerprints) - set(measured))
    if unknown:
        raise RouterArtefactError(
            f"fingerprints name {unknown[0]!r}, but this router's models are "
            f"{', '.join(measured)}: give their names as router.yaml has them"
        )
    changed = {name for name, value in fingerprints.items() if value != measured[name]}
    return frozenset(config.students) if config.teacher in changed else frozenset(changed)
