"""The options `--budget` and `--cancel-over-budget`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from signalbox.webapp.prices.budget import budget_of
from signalbox.webapp.prices.price_table import InvalidPrices

F = TypeVar("F", bound=Callable[..., Any])


def budget_options(command: F) -> F:
    """Add `--budget` and `--cancel-over-budget`. The command gets both, for `parsed_budget`."""
    help = "What the run may use, such as $2.50 or 200000 tokens."
    cancel = click.option("--cancel-over-budget", is_flag=True, help="Cancel a run that exceeds its budget.")
    return click.option("--budget", metavar="LIMIT", help=help)(cancel(command))


def parsed_budget(limit: str | None, cancel: bool) -> dict[str, Any] | None:
    """Return the budget for the metadata of a task. Raises UsageError."""
    if limit is None:
        if cancel:
            raise click.UsageError("--cancel-over-budget needs --budget")
        return None
    try:
        budget = msgspec.structs.replace(budget_of(limit, "--budget"), cancel=cancel)
    except InvalidPrices as error:
        raise click.UsageError(str(error)) from None
    fields: dict[str, Any] = msgspec.to_builtins(budget)
    return fields
