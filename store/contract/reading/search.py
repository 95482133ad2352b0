"""Reads of the search over all runs, and of its index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from signalbox.store.search import SEARCH_SECONDS, IndexState, SearchPage, SearchQuery
from signalbox.store.search.documents import IndexedEvent
from signalbox.store.search.results import IndexPart, IndexWork


class SearchReading(Protocol):
    """Reads of the search over all runs. The last three are for the process that fills the index."""

    async def search_all(self, query: SearchQuery, *, seconds: float = SEARCH_SECONDS) -> SearchPage:
        """Return a page of the events that `query` finds in all tasks, with counts.

        The search stops after about `seconds`: see `SearchPage.reached`. Heartbeats are never found. Raises
        InvalidEvent for a bad time.
        """

    async def index_state(self) -> IndexState:
        """Return how far the index is, and how large."""

    async def index_work(self, limit: int) -> IndexWork:
        """Return the work that is left for the index: the next blocks, and at most `limit` changed ones."""

    async def events_to_index(self, blocks: Sequence[int], *, whole: bool = False) -> list[IndexedEvent]:
        """Return the facts of all events of these blocks, by event id.

        The events of a cold file that cannot be read are left out. If the blocks must be `whole`, this raises
        ColdFileDamaged and StoreUnavailable instead.
        """

    async def index_parts(self, first: int, limit: int) -> list[IndexPart]:
        """Return the state of the index of the `limit` parts of the log from `first` on: see `search.coarse`."""
