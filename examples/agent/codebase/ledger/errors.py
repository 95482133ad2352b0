"""The errors of a ledger."""

from typing import Optional


class LedgerError(Exception):
    """Base of all errors."""


class UnknownAccount(LedgerError):
    def __init__(self, name: str, near: Optional[str] = None) -> None:
        message = "there is no account %r" % name
        if near is not None:
            message = "%s; did you mean %r?" % (message, near)
        super().__init__(message)


class Unbalanced(LedgerError):
    def __init__(self, number: int, difference: object) -> None:
        super().__init__("transaction %d is off by %s" % (number, difference))


class BadLine(LedgerError):
    def __init__(self, number: int, text: str, reason: str) -> None:
        super().__init__("line %d: %s: %r" % (number, reason, text))
