"""The small index of events that are no longer in the database: a filter of bits for each part of the log.

A part is `PART_BLOCKS` blocks. Its filter has a bit for each piece of three characters and each term of its documents.
A part whose filter lacks a bit of the query has no match. The others are read from cold storage.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

from signalbox.store.search.documents import TERM_CHARS, Document

PART_BLOCKS = 64
"""Blocks of a part: 1,024 event ids."""

FILTER_BYTES = 4096
"""The size of a filter. A thousand lines of a log have a few thousand different pieces, so about a fifth is set."""


def blocks_of(part: int) -> range:
    """Return the blocks of a part."""
    return range(part * PART_BLOCKS, (part + 1) * PART_BLOCKS)


def filter_of(documents: Iterable[Document]) -> bytes:
    """Return the filter of the documents of one part."""
    found: set[str] = set()
    for document in documents:
        found.update(document.text[at : at + 3] for at in range(len(document.text) - 2))
        for terms in document.terms:
            found.update(terms[at : at + TERM_CHARS] for at in range(0, len(terms), TERM_CHARS))
    bits = bytearray(FILTER_BYTES)
    for piece in found:
        place, mask = _bit(piece)
        bits[place] |= mask
    return bytes(bits)


class FilterQuestion:
    """Tells whether a part may have a match of a query: it has all `grams`, and one of each tuple of `terms`."""

    def __init__(self, grams: Sequence[str], terms: Sequence[Sequence[str]]) -> None:
        self._all = [_bit(gram) for gram in grams]
        self._some = [[_bit(term) for term in terms] for terms in terms]

    def __call__(self, bits: bytes) -> bool:
        """Return whether the part with this filter may have a match."""
        return all(bits[place] & mask for place, mask in self._all) and all(
            any(bits[place] & mask for place, mask in some) for some in self._some
        )


@lru_cache(65_536)
def _bit(piece: str) -> tuple[int, int]:
    number = zlib.crc32(piece.encode(errors="replace")) % (FILTER_BYTES * 8)
    return number >> 3, 1 << (number & 7)
