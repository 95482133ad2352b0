"""Search over the logs of all tasks: the query, the texts that are searched, and the documents of the index.

The index has one document for each block of `BLOCK_EVENTS` consecutive event ids. It tells which blocks may have a hit;
the events of these blocks are then read and compared. So an index that is behind, or that still knows deleted events,
never causes a wrong hit. Everything here is pure; `store/indexing.py` fills the index.
"""

from __future__ import annotations

from signalbox.store.search.query import MIN_TEXT_CHARS, PERIODS, SEARCH_SECONDS, SearchQuery
from signalbox.store.search.results import IndexProgress, IndexState, SearchCounts, SearchHit, SearchPage
from signalbox.store.search.snippets import Snippet, snippet_of
from signalbox.store.search.texts import MAX_TEXT_CHARS, TEXT_KEYS, folded

__all__ = [
    "MAX_TEXT_CHARS",
    "MIN_TEXT_CHARS",
    "PERIODS",
    "SEARCH_SECONDS",
    "TEXT_KEYS",
    "IndexProgress",
    "IndexState",
    "SearchCounts",
    "SearchHit",
    "SearchPage",
    "SearchQuery",
    "Snippet",
    "folded",
    "snippet_of",
]
