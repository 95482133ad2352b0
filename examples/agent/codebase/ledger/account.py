"""Accounts: a name with parts, and a balance."""

from typing import List, Optional

from ledger.money import Money


class Account(object):
    def __init__(self, name: str, currency: str = "EUR", parent: Optional["Account"] = None) -> None:
        self.name = name
        self.currency = currency
        self.parent = parent
        self.balance = Money(0, currency)

    @property
    def path(self) -> str:
        if self.parent is None:
            return self.name
        return "%s:%s" % (self.parent.path, self.name)

    def ancestors(self) -> List["Account"]:
        found: List[Account] = []
        account: Optional[Account] = self.parent
        while account is not None:
            found.append(account)
            account = account.parent
        return found

    def __repr__(self) -> str:
        return "<Account %s: %s>" % (self.path, self.balance)
