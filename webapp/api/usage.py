"""Tokens and cost in the API's form."""

from __future__ import annotations

import msgspec

from signalbox.store.model_calls import Usage
from signalbox.webapp.current import prices


class UsageResponse(msgspec.Struct):
    """The tokens and the cost of model calls. `input_tokens` includes those of the cache, `output_tokens` reasoning.

    `cost_usd` is the cost as reported, and by the operator's prices for calls that reported none; null if nothing is
    known. `cost_complete` is false if the cost of some calls is not known.
    """

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: float | None
    cost_complete: bool


def usage_response(usage: Usage | None) -> UsageResponse | None:
    """Return a usage in the API's form."""
    if usage is None:
        return None
    tokens, cost = usage.tokens, prices().cost(usage)
    return UsageResponse(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write,
        reasoning_tokens=tokens.reasoning,
        cost_usd=round(cost.dollars, 9) if cost else None,
        cost_complete=bool(cost and cost.complete),
    )
