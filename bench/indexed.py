"""Fill the index of the search over all runs before something is measured, so that no server fills it meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from bench.supported import has
from signalbox.store import open_store

if TYPE_CHECKING:
    from signalbox.store.search import IndexState

BEHIND = 16
"""A server leaves this many of the newest events out of the index until more arrive."""


def index(url: str) -> IndexState | None:
    """Fill the index of a store, and return its state. Return None in an older version that has no index."""
    return asyncio.run(_fill(url)) if has("signalbox.store.indexing") else None


async def _fill(url: str) -> IndexState:
    from signalbox.store.indexing import SearchIndexer
    from signalbox.store.loops import Loops

    store = open_store(url)
    indexer = SearchIndexer(store, Loops())
    try:
        while True:
            async with store.read() as view:
                state = await view.index_state()
            if state.on and state.behind <= BEHIND:
                return state
            await asyncio.sleep(0.2)
    finally:
        await indexer.stop()
        with contextlib.suppress(Exception):
            await store.aclose()
