"""Reading a journal from text: a line for each transaction.

    2026-11-21 | groceries | expenses:food 12.50 | assets:cash -12.50 | #weekly
"""

from typing import List, Optional, Tuple

from ledger.dates import parse_day
from ledger.errors import BadLine
from ledger.journal import Journal
from ledger.money import Money


def parse(text: str, journal: Optional[Journal] = None) -> Journal:
    """Post each line to `journal`, or to a new one. Raises BadLine."""
    journal = journal or Journal()
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith(";"):
            continue
        parts = [part.strip() for part in line.split("|")]
        if len(parts) < 4:
            raise BadLine(number, line, "%d parts are too few" % len(parts))
        tag: Optional[str] = None
        if parts[-1].startswith("#"):
            tag = parts.pop()[1:]
        try:
            day = parse_day(parts[0])
            entries = [parse_entry(part, journal) for part in parts[2:]]
        except (ValueError, ArithmeticError) as error:
            raise BadLine(number, line, "%s" % error)
        journal.post(day, parts[1], entries, tag)
    return journal


def parse_entry(text: str, journal: Journal) -> Tuple[str, Money]:
    words: List[str] = text.split()
    if len(words) != 2:
        raise ValueError("an entry is an account and an amount, not %r" % text)
    journal.open(words[0])
    return words[0], Money(words[1], journal.currency)
