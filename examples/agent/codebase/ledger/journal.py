"""The journal: all accounts and their transactions."""

import difflib
from datetime import date
from typing import Dict, Iterator, List, Optional, Tuple

from ledger.account import Account
from ledger.errors import UnknownAccount
from ledger.money import Money
from ledger.transaction import Posting, Transaction


class Journal(object):
    def __init__(self, currency: str = "EUR") -> None:
        self.currency = currency
        self.accounts: Dict[str, Account] = {}
        self.transactions: List[Transaction] = []

    def open(self, path: str) -> Account:
        """Return the account at a path. It and its parents are created if they do not exist."""
        parent: Optional[Account] = None
        account: Optional[Account] = None
        parts: List[str] = []
        for part in path.split(":"):
            parts.append(part)
            name = ":".join(parts)
            account = self.accounts.setdefault(name, Account(part, self.currency, parent))
            parent = account
        assert account is not None, "%r is no path" % path
        return account

    def account(self, path: str) -> Account:
        if path not in self.accounts:
            near = difflib.get_close_matches(path, self.accounts, 1)
            raise UnknownAccount(path, near[0] if near else None)
        return self.accounts[path]

    def post(
        self, day: date, text: str, entries: List[Tuple[str, Money]], tag: Optional[str] = None
    ) -> Transaction:
        postings = [Posting(self.account(path), amount) for path, amount in entries]
        transaction = Transaction(len(self.transactions) + 1, day, text, postings, tag)
        transaction.check()
        for posting in postings:
            for account in [posting.account] + posting.account.ancestors():
                account.balance = account.balance + posting.amount
        self.transactions.append(transaction)
        return transaction

    def between(self, first: Optional[date], last: Optional[date]) -> Iterator[Transaction]:
        for transaction in self.transactions:
            if (first is None or transaction.day >= first) and (last is None or transaction.day <= last):
                yield transaction
