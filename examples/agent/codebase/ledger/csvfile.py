"""A journal as CSV, and back."""

import csv
import io
from typing import Iterable, Optional, TextIO

from ledger.dates import parse_day
from ledger.journal import Journal
from ledger.money import Money

HEADER = ("number", "day", "text", "account", "amount", "currency")


def dump(journal: Journal, file: Optional[TextIO] = None) -> str:
    """Return a text with one row for each posting."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER)
    for transaction in journal.transactions:
        for posting in transaction.postings:
            number = "%04d" % transaction.number
            amount = "%.2f" % posting.amount.amount
            writer.writerow(
                (number, transaction.day, transaction.text, posting.account.path, amount, posting.amount.currency)
            )
    if file is not None:
        file.write(buffer.getvalue())
    return buffer.getvalue()


def load(rows: Iterable[str]) -> Journal:
    """Return the journal of a CSV file's lines."""
    journal = Journal()
    number: Optional[str] = None
    entries = []
    day = text = ""
    for row in csv.DictReader(rows):
        if row["number"] != number and number is not None:
            journal.post(parse_day(day), text, entries)
            entries = []
        number, day, text = row["number"], row["day"], row["text"]
        journal.open(row["account"])
        entries.append((row["account"], Money(row["amount"], row["currency"])))
    if number is not None:
        journal.post(parse_day(day), text, entries)
    return journal
