"""The index of the search over all runs, filled at once in the way of the indexer."""

from __future__ import annotations

from signalbox.store import Store
from signalbox.store.contract import Fence
from signalbox.store.search.documents import documents_of

FENCE = Fence("signalbox:search", "test")


async def fill(store: Store, blocks: int = 8) -> None:
    """Index all complete blocks, `blocks` in each transaction."""
    assert (await store.aclaim(FENCE.name, FENCE.holder, 60)).held
    assert await store.aopen_index(FENCE) == ""
    while True:
        async with store.read() as view:
            work = await view.index_work(blocks)
            stop = min(work.end_block, work.next_block + blocks)
            wanted = range(work.next_block, stop) or work.changed
            events = await view.events_to_index(wanted)
        if not wanted:
            break
        next_block = stop if work.next_block < stop else None
        await store.aindex(FENCE, documents_of(events), wanted, next_block=next_block)
    while await store.atidy_index(FENCE):
        pass
