"""Tokens and cost as text."""

from __future__ import annotations

from signalbox.store.model_calls import TokenCounts, Usage
from signalbox.webapp.prices.budget import dollars
from signalbox.webapp.prices.price_table import Cost
from signalbox.webapp.views.text import count


def tokens_text(number: int) -> str:
    """Format a number of tokens: 451, 7.1k, 1.2M."""
    if number < 1000:
        return str(number)
    for limit, unit, name in ((999_950, 1e3, "k"), (999_950_000, 1e6, "M")):
        if number < limit:
            digits = f"{number / unit:.1f}" if number < 100 * unit else f"{number / unit:.0f}"
            return f"{digits.removesuffix('.0')}{name}"
    return f"{number / 1e9:,.1f}G"


def cost_text(cost: Cost) -> str:
    """Format a cost: $0.033, or "at least $0.033" if the cost of some calls is not known."""
    return dollars(cost.dollars) if cost.complete else f"at least {dollars(cost.dollars)}"


def usage_text(usage: Usage, cost: Cost | None) -> str:
    """Format a usage in short: 7.1k tokens · $0.033."""
    parts = [f"{tokens_text(usage.tokens.total)} tokens"] if usage.tokens.total or cost is None else []
    return " · ".join([*parts, *([cost_text(cost)] if cost else [])])


def tokens_words(tokens: TokenCounts) -> str:
    """Describe tokens in full: 6,600 input (1,200 read from cache), 451 output (20 reasoning)."""
    cached = [f"{count(tokens.cache_read)} read from cache"] if tokens.cache_read else []
    cached += [f"{count(tokens.cache_write)} written to cache"] if tokens.cache_write else []
    thought = [f"{count(tokens.reasoning)} reasoning"] if tokens.reasoning else []
    return f"{count(tokens.input)} input{_in_brackets(cached)}, {count(tokens.output)} output{_in_brackets(thought)}"


def _in_brackets(parts: list[str]) -> str:
    return f" ({', '.join(parts)})" if parts else ""
