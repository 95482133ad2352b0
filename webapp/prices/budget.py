"""Budgets: how much a run may use, in US dollars or in tokens, and whether it is cancelled when it uses more."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from signalbox.store.model_calls import Usage
from signalbox.store.state import Task
from signalbox.webapp.prices.price_table import InvalidPrices, Prices, read_json

MAX_BUDGET = 1e12

_WRITTEN = re.compile(
    r"(?:\$|USD ?)?(?P<number>[0-9]{1,20}(?:[,_][0-9]{1,20}){0,6}(?:\.[0-9]{1,20})?)(?P<factor>[kKmM]?)"
    r" ?(?P<unit>tokens?|USD|\$)?"
)


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A limit of the cost in US dollars, of the tokens, or of both. With `cancel` a run beyond it is cancelled."""

    cost_usd: Annotated[float, Meta(ge=0, le=MAX_BUDGET)] | None = None
    tokens: Annotated[int, Meta(ge=0, le=int(MAX_BUDGET))] | None = None
    cancel: bool = False

    def exceeded(self, usage: Usage | None, prices: Prices) -> str | None:
        """Return the limit that a usage exceeds, in words, or None."""
        cost = prices.cost(usage)
        if self.cost_usd is not None and cost is not None and cost.dollars > self.cost_usd:
            return dollars(self.cost_usd)
        if self.tokens is not None and usage is not None and usage.tokens.total > self.tokens:
            return f"{self.tokens:,} tokens"
        return None

    @property
    def words(self) -> str:
        """The limits in words: "$5.00 or 200,000 tokens"."""
        cost = [] if self.cost_usd is None else [dollars(self.cost_usd)]
        return " or ".join([*cost, *([] if self.tokens is None else [f"{self.tokens:,} tokens"])])


class Budgets:
    """The budgets of kinds of tasks. `text` is a JSON object, or the path of a file with one: `{"agent": …}`.

    Raises InvalidPrices.
    """

    def __init__(self, text: str = "") -> None:
        given = read_json(text, dict[str, Any], "budgets")
        self._by_kind = {kind: budget_of(value, f"budget of {kind!r}") for kind, value in given.items()}

    def of(self, task: Task) -> Budget | None:
        """Return the budget of a task: its own in `metadata.budget`, else that of its kind. An invalid one is none."""
        own = task.metadata.get("budget")
        if own is not None:
            try:
                return budget_of(own, "metadata.budget")
            except InvalidPrices:
                return None
        return self._by_kind.get(task.kind or "")

    def exceeded(self, task: Task, prices: Prices) -> str | None:
        """Return the limit that a task exceeds, in words, or None."""
        budget = self.of(task)
        return budget.exceeded(task.usage, prices) if budget else None

    def cancelling(self, task: Task, prices: Prices) -> str | None:
        """Return the limit whose excess cancels the task, in words, or None."""
        budget = self.of(task) if task.usage else None
        return budget.exceeded(task.usage, prices) if budget and budget.cancel else None


def budget_of(value: object, name: str = "budget") -> Budget:
    """Return a budget from an object, a number of US dollars, or a text: `5`, `$2.50`, `200000 tokens`, `200k tokens`.

    Raises InvalidPrices, which names `name`.
    """
    if isinstance(value, str):
        found = _WRITTEN.fullmatch(value.strip())
        if found is None:
            raise InvalidPrices(f"{name} must be such as $2.50 or 200000 tokens, not {value[:100]!r}")
        number = float(found["number"].replace(",", "").replace("_", ""))
        number *= {"k": 1e3, "m": 1e6}.get(found["factor"].lower(), 1)
        in_tokens = (found["unit"] or "").startswith("token")
        value = {"tokens": int(number)} if in_tokens else {"cost_usd": number}
    elif isinstance(value, int | float) and not isinstance(value, bool):
        value = {"cost_usd": value}
    try:
        budget = msgspec.convert(value, Budget)
    except msgspec.ValidationError as error:
        raise InvalidPrices(f"{name} must have cost_usd, tokens, or both, and may have cancel: {error}") from None
    limits = [limit for limit in (budget.cost_usd, budget.tokens) if limit is not None]
    if not limits or not all(0 <= limit <= MAX_BUDGET for limit in limits):
        raise InvalidPrices(f"{name} must have cost_usd or tokens, between 0 and {MAX_BUDGET:g}")
    return budget


def dollars(cost: float) -> str:
    """Format a cost: $12.30, $0.033, $0.0004."""
    if cost >= 0.995 or cost == 0:
        return f"${cost:,.2f}"
    if cost < 0.0001:
        return "<$0.0001"
    return f"${cost:.3f}" if cost >= 0.00995 else f"${cost:.2g}"
