"""Reports as text."""

from datetime import date
from typing import List, Optional

from ledger.dates import month_name
from ledger.journal import Journal


def balances(journal: Journal, depth: Optional[int] = None) -> str:
    """Return each account with its balance, down to a depth."""
    lines: List[str] = []
    for path in sorted(journal.accounts):
        level = path.count(":")
        if depth is None or level < depth:
            account = journal.accounts[path]
            indent = "  " * level
            name = "%s%s" % (indent, account.name)
            lines.append("%-28s %14s" % (name, account.balance))
    return "\n".join(lines)


def register(journal: Journal, first: Optional[date] = None, last: Optional[date] = None) -> str:
    """Return the transactions between two days, with a heading for each month."""
    lines: List[str] = []
    month: Optional[str] = None
    for transaction in journal.between(first, last):
        name = month_name(transaction.day)
        if name != month:
            month = name
            lines.append("== %s ==" % name)
        lines.append(str(transaction))
    return "\n".join(lines)
