"""A small double-entry ledger, written as Python was ten years ago."""

from ledger.account import Account
from ledger.journal import Journal
from ledger.money import Money
from ledger.transaction import Posting, Transaction

__all__ = ["Account", "Journal", "Money", "Posting", "Transaction"]
