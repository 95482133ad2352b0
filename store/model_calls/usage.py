"""The tokens and the cost of model calls, and how they are added up."""

from __future__ import annotations

import msgspec

COST_DIGITS = 9
"""Decimal places of a cost in US dollars. Rounding makes a sum independent of earlier additions and subtractions."""

MAX_MODELS = 20
"""Models that a usage distinguishes. The tokens of further models are counted under `OTHER_MODELS`."""

OTHER_MODELS = "other models"


class TokenCounts(msgspec.Struct, frozen=True, omit_defaults=True):
    """Numbers of tokens. `input` includes `cache_read` and `cache_write`, and `output` includes `reasoning`."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """The number of all tokens."""
        return self.input + self.output

    def plus(self, other: TokenCounts, sign: int = 1) -> TokenCounts:
        """Return the sum, or with `sign` -1 the difference."""
        return TokenCounts(
            self.input + sign * other.input,
            self.output + sign * other.output,
            self.cache_read + sign * other.cache_read,
            self.cache_write + sign * other.cache_write,
            self.reasoning + sign * other.reasoning,
        )


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """The tokens of some model calls, and their cost.

    `cost` is the cost in US dollars that the calls reported, None if none did. `unpriced` has the tokens of the calls
    without a reported cost, by model; their cost is computed from the operator's prices when it is shown.
    """

    tokens: TokenCounts = TokenCounts()
    cost: float | None = None
    unpriced: dict[str, TokenCounts] = {}

    def __bool__(self) -> bool:
        return self != NOTHING

    def plus(self, other: Usage, sign: int = 1) -> Usage:
        """Return the sum, or with `sign` -1 the difference."""
        cost = self.cost
        if other.cost is not None:
            cost = round((cost or 0.0) + sign * other.cost, COST_DIGITS)
        unpriced = dict(self.unpriced)
        for model, tokens in other.unpriced.items():
            name = model if model in unpriced or len(unpriced) < MAX_MODELS else OTHER_MODELS
            unpriced[name] = unpriced.get(name, TokenCounts()).plus(tokens, sign)
            if unpriced[name] == TokenCounts():
                del unpriced[name]
        return Usage(self.tokens.plus(other.tokens, sign), cost, unpriced)

    def minus(self, other: Usage) -> Usage:
        """Return the difference."""
        return self.plus(other, -1)

    def completed_by(self, other: Usage) -> Usage:
        """Return the usage of one call that was reported twice: the larger of each number.

        A provider may report the input at the beginning of a stream and the output at its end.
        """
        tokens = TokenCounts(*map(max, msgspec.structs.astuple(self.tokens), msgspec.structs.astuple(other.tokens)))
        costs = [usage.cost for usage in (self, other) if usage.cost is not None]
        if costs:
            return Usage(tokens, max(costs))
        model = next((name for usage in (self, other) for name in usage.unpriced if name), "")
        return Usage(tokens, None, {model: tokens})

    def or_larger(self, other: Usage) -> Usage:
        """Return whichever has more tokens, with the larger of the reported costs.

        `other` wins a tie of tokens. A cost that one of them reported for all of its calls replaces the unpriced tokens
        of the other.
        """
        chosen = self if self.tokens.total > other.tokens.total else other
        priced = [usage.cost for usage in (self, other) if usage.cost is not None and not usage.unpriced]
        known = [usage.cost for usage in (self, other) if usage.cost is not None]
        if priced and max(priced) >= max(known):
            return Usage(chosen.tokens, max(priced))
        return chosen


NOTHING = Usage()
