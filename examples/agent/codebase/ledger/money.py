"""Amounts of one currency, exact to the cent."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Union

CENT = Decimal("0.01")


class Money(object):
    """An amount and its currency. Only equal currencies can be added."""

    def __init__(self, amount: Union[int, str, Decimal], currency: str = "EUR") -> None:
        self.amount = Decimal(amount).quantize(CENT, rounding=ROUND_HALF_EVEN)
        self.currency = currency

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError("cannot add %s to %s" % (other.currency, self.currency))
        return Money(self.amount + other.amount, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __bool__(self) -> bool:
        return bool(self.amount)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and (self.amount, self.currency) == (other.amount, other.currency)

    def __hash__(self) -> int:
        return hash((self.amount, self.currency))

    def __str__(self) -> str:
        return "%.2f %s" % (self.amount, self.currency)

    def __repr__(self) -> str:
        return "Money(%r, %r)" % (str(self.amount), self.currency)
