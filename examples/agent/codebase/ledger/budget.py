"""Budgets: how much an account may spend in a month."""

from datetime import date
from typing import Dict, Optional

from ledger.journal import Journal
from ledger.money import Money


class Budget(object):
    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.limits: Dict[str, Money] = {}

    def limit(self, path: str, amount: Money) -> None:
        self.limits[self.journal.account(path).path] = amount

    def spent(self, path: str, month: date) -> Money:
        total = Money(0, self.journal.currency)
        for transaction in self.journal.transactions:
            if (transaction.day.year, transaction.day.month) == (month.year, month.month):
                for posting in transaction.postings:
                    if posting.account.path == path or posting.account.path.startswith(path + ":"):
                        total = total + posting.amount
        return total

    def warning(self, path: str, month: date) -> Optional[str]:
        """Return a warning if more was spent than the budget allows, else None."""
        spent, limit = self.spent(path, month), self.limits.get(path)
        if limit is None or spent.amount <= limit.amount:
            return None
        over = 100 * (spent.amount - limit.amount) / limit.amount
        return "%s: %s of %s, %.1f%% over" % (path, spent, limit, over)
