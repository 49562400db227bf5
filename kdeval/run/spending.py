"""What models spend, noted in the run's store, so that a budget holds over several commands."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from kdeval.errors import BudgetError
from kdeval.models.ensemble import Ensemble
from kdeval.models.protocols import Model
from kdeval.store.predictions import PredictionStore

__all__ = ["Spending", "note_spending", "spends", "within_budget"]


@runtime_checkable
class Spending(Protocol):
    """The money of one model.

    Attributes:
        account: what its sum is noted under.
        earlier_usd: what earlier commands spent.
        recalled: `earlier_usd` was read.
    """

    account: str
    earlier_usd: float
    recalled: bool

    @property
    def spent_usd(self) -> float:
        """All that was spent, that of earlier commands included."""


@contextmanager
def within_budget(model: Model, store: PredictionStore, pending: Collection[str]) -> Iterator[None]:
    """Around asking the model: what earlier commands spent counts, and the end is noted.

    Args:
        model: with a budget, or with members that have one; any other spends nothing.
        store: of the run.
        pending: keys of what is about to be asked.

    Raises:
        BudgetError: the budget would be passed; with how many requests have no answer yet.
    """
    for budget in _budgets(model):
        if not budget.recalled:
            budget.earlier_usd = store.spent(budget.account)
            budget.recalled = True
    try:
        yield
    except BudgetError as error:
        left = len(pending) - len(store.answered(pending))
        missing = f"; {left:,} of {len(pending):,} requests have no answer yet" if pending else ""
        raise BudgetError(
            f"{error}{missing}. What was answered is kept: the same command goes on from there "
            "with a higher budget_usd"
        ) from None
    finally:
        note_spending(model, store)


def note_spending(model: Model, store: PredictionStore) -> None:
    """Writes down what the model, or its members, have spent until now."""
    for budget in _budgets(model):
        if budget.spent_usd:
            store.note_spent(budget.account, budget.spent_usd)


def spends(model: Model) -> bool:
    """Whether asking the model, or a member of it, may cost money."""
    return any(True for _ in _budgets(model))


def _budgets(model: Model) -> Iterator[Spending]:
    """That of the model, or those of its members."""
    members = model.members.values() if isinstance(model, Ensemble) else (model,)
    for member in members:
        budget = getattr(member, "budget", None)
        if isinstance(budget, Spending):
            yield budget
