"""Transactions: postings whose sum is zero."""

from datetime import date
from typing import List, Optional

from ledger.account import Account
from ledger.errors import Unbalanced
from ledger.money import Money


class Posting(object):
    def __init__(self, account: Account, amount: Money) -> None:
        self.account = account
        self.amount = amount

    def __str__(self) -> str:
        return "  %-24s %12s" % (self.account.path, self.amount)


class Transaction(object):
    def __init__(
        self, number: int, day: date, text: str, postings: List[Posting], tag: Optional[str] = None
    ) -> None:
        self.number = number
        self.day = day
        self.text = text
        self.postings = postings
        self.tag = tag

    def check(self) -> None:
        total: Optional[Money] = None
        for posting in self.postings:
            total = posting.amount if total is None else total + posting.amount
        if total:
            raise Unbalanced(self.number, total)

    def __str__(self) -> str:
        head = "%s #%04d %s" % (self.day, self.number, self.text)
        if self.tag:
            head = "%s [%s]" % (head, self.tag)
        return "\n".join([head] + [str(posting) for posting in self.postings])
