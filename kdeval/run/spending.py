"""What models spend, noted in the run's store, so that a budget holds over several commands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from kdeval.errors import BudgetError
from kdeval.models.ensemble import asked_models
from kdeval.models.protocols import Model
from kdeval.store.predictions import PredictionStore
from kdeval.store.spending import SpendingBook

__all__ = ["Spending", "note_spending", "spends", "spent_lines", "within_budget"]


@runtime_checkable
class Spending(Protocol):
    """The money of one model.

    Every budget of a model is one.
    """

    def keep_in(self, book: SpendingBook) -> None:
        """Counts what earlier commands spent, and notes what is spent from now on."""

    def note(self) -> None:
        """Writes down what was spent until now, and what may have been."""


@contextmanager
def within_budget(
    models: Iterable[Model], store: PredictionStore, asked: Collection[str]
) -> Iterator[None]:
    """Around asking the models: what earlier commands spent counts, and the end is noted.

    Args:
        models: with a budget, or with members that have one; any other spends nothing.
        store: of the run.
        asked: keys of all that they are asked, what is known from before included.

    Raises:
        BudgetError: a budget would be passed; with how many requests have no answer yet.
    """
    models = tuple(models)
    for model in models:
        for budget in _budgets(model):
            budget.keep_in(store.spending)
    try:
        yield
    except BudgetError as error:
        left = len(asked) - len(store.answered(asked))
        missing = f"; {left:,} of {len(asked):,} requests have no answer yet" if asked else ""
        raise BudgetError(
            f"{error}{missing}. What was answered is kept: the same command goes on from there "
            "with a higher budget_usd"
        ) from None
    finally:
        for model in models:
            note_spending(model)


def note_spending(model: Model) -> None:
    """Writes down what the model, or its members, have spent until now."""
    for budget in _budgets(model):
        budget.note()


def spent_lines(models: Mapping[str, Model]) -> tuple[str, ...]:
    """What each of the models, by name, and each member of an ensemble has spent, a line each."""
    every = asked_models(models)
    said = ((name, getattr(model, "spent_note", "")) for name, model in every.items())
    return tuple(f"{name}: {note}" for name, note in said if isinstance(note, str) and note)


def spends(model: Model) -> bool:
    """Whether asking the model, or a member of it, may cost money."""
    return any(True for _ in _budgets(model))


def _budgets(model: Model) -> Iterator[Spending]:
    """That of the model, or those of its members."""
    for asked in asked_models({"": model}).values():
        budget = getattr(asked, "budget", None)
        if isinstance(budget, Spending):
            yield budget
