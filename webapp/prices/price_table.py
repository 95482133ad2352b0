"""The prices of models, as the operator sets them, and the cost of a usage by these prices."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from signalbox.store.model_calls import TokenCounts, Usage

T = TypeVar("T")

PER = 1_000_000
"""Prices are in US dollars per this many tokens."""

MAX_PRICE = 1e9


class InvalidPrices(ValueError):
    """The prices or budgets have an invalid value. The message names it."""


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The prices of a model in US dollars per million tokens. A price of the cache that is not set is that of input."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None

    def cost(self, tokens: TokenCounts) -> float:
        """Return the cost of some tokens."""
        plain = max(0, tokens.input - tokens.cache_read - tokens.cache_write)
        return (
            plain * self.input
            + tokens.cache_read * (self.input if self.cache_read is None else self.cache_read)
            + tokens.cache_write * (self.input if self.cache_write is None else self.cache_write)
            + tokens.output * self.output
        ) / PER


class Cost(NamedTuple):
    """A cost in US dollars. Without `complete`, there are calls with neither a reported cost nor a price."""

    dollars: float
    complete: bool


class Prices:
    """Prices by pattern of a model's name, in which `*` stands for any characters. The first pattern that fits counts.

    `text` is a JSON object, or the path of a file with one: `{"small-*": {"input": 0.25, "output": 1.25}}`. Raises
    InvalidPrices.
    """

    def __init__(self, text: str = "") -> None:
        self._by_pattern = read_json(text, dict[str, Price], "prices")
        for pattern, price in self._by_pattern.items():
            given = (price.input, price.output, price.cache_read or 0.0, price.cache_write or 0.0)
            if not all(0 <= one <= MAX_PRICE for one in given):
                raise InvalidPrices(f"prices of {pattern!r} must be between 0 and {MAX_PRICE:g}")

    def of(self, model: str) -> Price | None:
        """Return the price of a model, or None."""
        return next((price for pattern, price in self._by_pattern.items() if fnmatchcase(model, pattern)), None)

    def cost(self, usage: Usage | None) -> Cost | None:
        """Return the cost of a usage: as reported, and computed for the rest. None if nothing of it is known."""
        if usage is None:
            return None
        priced = [(self.of(model), tokens) for model, tokens in usage.unpriced.items()]
        computed = [price.cost(tokens) for price, tokens in priced if price is not None]
        if usage.cost is None and not computed:
            return None
        return Cost((usage.cost or 0.0) + sum(computed), all(price is not None for price, _ in priced))


@lru_cache(64)
def _file(path: str, changed: float) -> bytes:
    return Path(path).read_bytes()


def read_json(text: str, kind: type[T], what: str) -> T:
    """Return the value of JSON, or of a file with JSON whose path is given. An empty text is an empty object.

    Raises InvalidPrices.
    """
    text = text.strip()
    try:
        if text and not text.startswith("{"):
            content = _file(text, Path(text).stat().st_mtime)
        else:
            content = (text or "{}").encode()
        value: T = msgspec.json.decode(content, type=kind)
    except OSError as error:
        complaint = f"{what} must be a JSON object or the path of a file, and {text!r} cannot be read: {error}"
        raise InvalidPrices(complaint) from None
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidPrices(f"{what} are not valid: {error}") from None
    return value
