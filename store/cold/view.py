"""A view of one task in its cold file, by the same queries as the views of a database."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain
from typing import Any, Self, TypeVar

from signalbox.store.cold.by_seq import Choose, changing_events_in, events_after, events_before, events_in, within
from signalbox.store.cold.cached_file import CachedFile
from signalbox.store.cold.found_damage import FoundDamage
from signalbox.store.cold.index import Count, all_events, changing, errors, failures
from signalbox.store.cold.searching import ColdSearch
from signalbox.store.contract import Head, LogHits, LogQuery
from signalbox.store.contract.reading.links import StoredLink
from signalbox.store.events import Event
from signalbox.store.search import SearchQuery
from signalbox.store.search.documents import IndexedEvent
from signalbox.store.sql.heartbeats import SeqRange
from signalbox.store.sql.rows import COLUMNS
from signalbox.store.sql.searching.cold_logs import ColdLogs
from signalbox.store.sql.searching.scan import Compared
from signalbox.store.sql.views import Views
from signalbox.store.sqlite.views import BRIEF_COLUMNS, View
from signalbox.store.state import Task, TaskState, Unfinished

CHUNK = 8
"""Blocks that one query reads at most."""

T = TypeVar("T")
Page = Callable[[int, int], Awaitable[list[Event]]]
"""Returns events after or before a seq, at most so many."""

_LAST = 2**62
_REDACTED = "SELECT seq FROM redacted_events WHERE task_id = ? AND seq > ? AND seq <= ?"
_SPAN_BLOCKS = "SELECT block FROM cold_span_blocks WHERE span_id = ? ORDER BY block DESC"


class ColdView(View):
    """Implements the reads of `Reading` about the task of one file.

    The values that are stored outside the log come from `hot`, a view of the database.
    """

    asks_for_cold = False

    def __init__(
        self, cached: CachedFile, hot: Views, executor: Executor, found_damage: FoundDamage, columns: str = COLUMNS
    ) -> None:
        self.cached, self._index = cached, cached.index
        self._hot, self._executor, self._found_damage = hot, executor, found_damage
        self._columns = columns

    def brief(self) -> Self:
        return type(self)(self.cached, self._hot, self._executor, self._found_damage, BRIEF_COLUMNS)

    # running queries

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        with self._found_damage.noting():
            return await asyncio.get_running_loop().run_in_executor(self._executor, partial(function, *arguments))

    async def _rows(self, sql: str, *values: object) -> list[Any]:
        return await self._run(self.cached.rows, sql, values)

    @asynccontextmanager
    async def _loaded(self, blocks: Sequence[int]) -> AsyncIterator[None]:
        """Load these blocks, and keep them until the end of the block."""
        pinning = asyncio.ensure_future(self._run(self.cached.pin, blocks))
        try:
            await asyncio.shield(pinning)
        except asyncio.CancelledError:
            pinning.add_done_callback(lambda pinned: self._unpin(pinned, blocks))
            raise
        try:
            yield
        finally:
            self.cached.unpin(blocks)

    def _unpin(self, pinned: asyncio.Future[None], blocks: Sequence[int]) -> None:
        """Drop blocks that were loaded for a read that was cancelled meanwhile."""
        if not pinned.cancelled() and pinned.exception() is None:
            self.cached.unpin(blocks)

    async def _first(self, after: int, limit: int, count: Count, page: Page, until: int = _LAST) -> list[Event]:
        """Return the first `limit` events after a seq that `page` finds. `count` counts such events in a block."""
        found: list[Event] = []
        blocks: Sequence[int] = self._index.between(after + 1, until)
        while len(found) < limit:
            chosen = self._index.first_blocks(blocks, limit - len(found), count, CHUNK, after + 1, until)
            if not chosen:
                break
            first, last = self._index.blocks[chosen[0]].first_seq, self._index.blocks[chosen[-1]].last_seq
            async with self._loaded(chosen):
                events = await page(max(after, first - 1), limit - len(found))
            # Blocks after these may be loaded too, but not all of them.
            found += [event for event in events if event.seq <= last]
            blocks = [number for number in blocks if number > chosen[-1]]
        return found

    async def _last(self, before: int, limit: int, blocks: Iterable[int], count: Count, page: Page) -> list[Event]:
        """Return the last `limit` events before a seq that `page` finds in these blocks, by seq."""
        found: list[Event] = []
        left = sorted(blocks, reverse=True)
        while len(found) < limit:
            chosen = self._index.first_blocks(left, limit - len(found), count, CHUNK, 0, before - 1)
            if not chosen:
                break
            first, last = self._index.blocks[chosen[-1]].first_seq, self._index.blocks[chosen[0]].last_seq
            async with self._loaded(chosen):
                events = await page(min(before, last + 1), limit - len(found))
            found = [event for event in events if event.seq >= first] + found
            left = [number for number in left if number < chosen[-1]]
        return found

    async def _in_block(self, number: int, choose: Choose) -> list[Event]:
        brief = self._columns is not COLUMNS
        return await self._run(partial(events_in, self.cached.file, number, choose, brief=brief))

    # the task itself

    async def latest_event_id(self) -> int:
        return await self._hot.latest_event_id()

    async def task(self, task_id: str) -> Task:
        return await self._hot.task(task_id)

    async def unfinished(self, task_id: str) -> list[Unfinished]:
        return []

    async def _failure_lines(self, task_id: str) -> list[int]:
        return await self._hot._failure_lines(task_id)

    async def folded_state(self, task_id: str, seq: int, after: int = 0) -> TaskState | None:
        return await self._run(self.cached.state, seq, after)

    # the log

    async def head(self, task_id: str) -> Head:
        head = await self._hot.head(task_id)
        blocks = self._index.blocks
        return Head(head.latest_seq, blocks[0].first_seq if blocks else head.latest_seq + 1, head.identity)

    async def events(self, task_id: str, since_seq: int = 0, limit: int = 100) -> list[Event]:
        found: list[Event] = []
        for number in self._index.between(since_seq + 1, _LAST):
            if len(found) >= limit:
                break
            found += await self._in_block(number, events_after(since_seq, limit - len(found)))
        return found

    async def changing_events(self, task_id: str, since_seq: int, until_seq: int, limit: int) -> list[Event]:
        if self._columns == COLUMNS:
            return await self._changing(since_seq, until_seq, limit)
        read = super().changing_events
        return await self._first(
            since_seq, limit, changing, lambda after, limit: read(task_id, after, until_seq, limit), until_seq
        )

    async def _changing(self, since_seq: int, until_seq: int, limit: int) -> list[Event]:
        """Decode the events that change more than counters, which is several times as fast as loading their blocks."""
        found: list[Event] = []
        for number in self._index.between(since_seq + 1, until_seq):
            if changing(self._index.blocks[number]):
                found += await self._run(changing_events_in, self.cached.file, number, since_seq, until_seq)
            if len(found) >= limit:
                break
        return found[:limit]

    async def latest_events(self, task_id: str, limit: int = 50, before: int | None = None) -> list[Event]:
        below, found = _LAST if before is None else before, list[Event]()
        for number in reversed(self._index.between(0, below - 1)):
            if len(found) >= limit:
                break
            found += (await self._in_block(number, events_before(below, limit - len(found))))[::-1]
        return found

    async def _ranges(self, task_id: str, ranges: Sequence[SeqRange]) -> list[Event]:
        by_block: dict[int, list[SeqRange]] = {}
        for first, last in ranges:
            for number in self._index.between(first, last):
                by_block.setdefault(number, []).append((first, last))
        found: list[Event] = []
        for number, wanted in by_block.items():
            found += await self._in_block(number, within(wanted))
        return found

    async def events_at(self, task_id: str, seqs: Sequence[int]) -> list[Event]:
        return await self._ranges(task_id, [(seq, seq) for seq in sorted(set(seqs))])

    async def events_of_phase(self, task_id: str, phase: str, limit: int = 100, since_seq: int = 0) -> list[Event]:
        read = super().events_of_phase
        return await self._first(
            since_seq, limit, self._index.of_phase(phase), lambda after, limit: read(task_id, phase, limit, after)
        )

    async def events_of_types(
        self, task_id: str, types: Sequence[str], limit: int = 1000, *, naming: str = "", after: int = 0
    ) -> list[Event]:
        read = super().events_of_types
        return await self._first(
            after,
            limit,
            self._index.of_types(types),
            lambda after, limit: read(task_id, types, limit, naming=naming, after=after),
        )

    async def events_of_span(self, task_id: str, span_id: str, first: int, last: int, limit: int = 1000) -> list[Event]:
        read = super().events_of_span
        within = set(self._index.between(first, last))
        blocks = [number for (number,) in await self._rows(_SPAN_BLOCKS, span_id) if number in within]

        def page(before: int, limit: int) -> Awaitable[list[Event]]:
            return read(task_id, span_id, first, min(last, before - 1), limit)

        return await self._last(_LAST, limit, blocks, all_events, page)

    async def failures(self, task_id: str, after: int = 0, limit: int = 100) -> list[Event]:
        return await self._first(after, limit, failures, partial(super().failures, task_id))

    async def next_failure(self, task_id: str, after: int) -> int | None:
        blocks = self._index.between(after + 1, _LAST)
        async with self._loaded(self._index.first_blocks(blocks, 1, failures, CHUNK, after + 1)):
            return await super().next_failure(task_id, after)

    async def previous_failure(self, task_id: str, before: int) -> int | None:
        blocks = self._index.between(0, before - 1)[::-1]
        async with self._loaded(self._index.first_blocks(blocks, 1, failures, CHUNK, 0, before - 1)):
            return await super().previous_failure(task_id, before)

    async def error_output(self, task_id: str, before: int, limit: int, since: int = 0) -> list[Event]:
        read = super().error_output
        blocks = self._index.between(since + 1, before - 1)
        return await self._last(
            before, limit, blocks, errors, lambda before, limit: read(task_id, before, limit, since)
        )

    async def first_seq_at(self, task_id: str, at: str) -> int | None:
        async with self._loaded(self._index.of_times(at)):
            return await super().first_seq_at(task_id, at)

    async def times(self, task_id: str, since_seq: int, until_seq: int) -> list[str]:
        # Decoding one column is several times as fast as loading the block.
        blocks = self._index.between(since_seq + 1, until_seq)
        times = await asyncio.gather(*(self._run(self._times, number, since_seq, until_seq) for number in blocks))
        return list(chain.from_iterable(times))

    def _times(self, number: int, since_seq: int, until_seq: int) -> list[str]:
        with self.cached.file.decoding(number) as block:
            times = zip(block.column("seq"), block.column("created_at"), strict=True)
            return [time for seq, time in times if since_seq < seq <= until_seq]

    async def links(self, task_id: str, since_seq: int, until_seq: int) -> dict[int, StoredLink]:
        redacted = {seq for (seq,) in await self._hot._rows(_REDACTED, task_id, since_seq, until_seq)}
        found = dict[int, StoredLink]()
        for number in self._index.between(since_seq + 1, until_seq):
            for seq, link in await self._run(self.cached.file.block_rows, number, ("seq", "link")):
                if since_seq < seq <= until_seq:
                    found[seq] = StoredLink(link, seq in redacted)
        return found

    async def search(self, task_id: str, query: LogQuery, after: int = 0, limit: int = 100) -> LogHits:
        lines = await self._failure_lines(task_id) if query.failures else []
        search = ColdSearch(self.cached, query, lines)
        found = search.known()
        if found is None:
            hits = array("q")
            for number in await self._run(search.blocks):
                hits.extend(await self._run(search.hits, number))
            search.keep(hits)
            found = hits
        later = [seq for seq in found if seq > after]
        return LogHits(await self.events_at(task_id, later[:limit]), len(found), len(later) > limit)

    async def events_after(
        self, event_id: int, limit: int = 1000, tasks: Sequence[str] = (), projects: Sequence[str] | None = None
    ) -> list[Event]:
        read, found = super().events_after, list[Event]()
        while len(found) < limit:
            blocks = self._index.of_event_ids(event_id)[:CHUNK]
            if not blocks:
                break
            async with self._loaded(blocks):
                events = await read(event_id, limit - len(found))
            event_id = self._index.blocks[blocks[-1]].last_event_id
            # Blocks after these may be loaded too, but not all of them.
            found += [event for event in events if event.event_id <= event_id]
        return found

    # the search over all runs

    _counts_here = "TRUE"

    async def _compared(self, query: SearchQuery, blocks: Sequence[int], low: int, high: int) -> Compared:
        async with self._loaded(self._index.of_log_blocks(blocks)):
            return await super()._compared(query, blocks, low, high)

    async def events_to_index(
        self, blocks: Sequence[int], *, whole: bool = False, cold: ColdLogs | None = None
    ) -> list[IndexedEvent]:
        async with self._loaded(self._index.of_log_blocks(blocks)):
            return await super().events_to_index(blocks)

    async def is_imported(self, task_id: str) -> bool:
        async with self._loaded(range(min(1, len(self._index.blocks)))):
            return await super().is_imported(task_id)

    # contents

    async def has_content(self, task_id: str, sha256: str) -> bool:
        return bool(await self._rows("SELECT 1 FROM artifact_contents WHERE sha256 = ?", sha256))

    async def content_piece(self, task_id: str, sha256: str, number: int) -> bytes | None:
        return await self._run(self.cached.file.piece, sha256, number)
