"""The signed heads of a log."""

from __future__ import annotations

from signalbox.store.chain.heads import SignedHead
from signalbox.store.contract.reading.links import LinkReading

PAGE = 1000


async def all_heads(view: LinkReading, task_id: str) -> list[SignedHead]:
    """Return all signed heads of a log, by seq."""
    found: list[SignedHead] = []
    while page := await view.signed_heads(task_id, found[-1].seq if found else 0, PAGE):
        # Two heads may have the same seq, so the last ones of a full page are read again with the next one.
        last = page[-1].seq
        whole = page if len(page) < PAGE or page[0].seq == last else [head for head in page if head.seq < last]
        found += whole
        if len(page) < PAGE:
            break
    return found
