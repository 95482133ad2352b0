"""The results of a search over all runs, and the state of its index."""

from __future__ import annotations

import msgspec

from signalbox.store.events import Event
from signalbox.store.search.documents import BLOCK_EVENTS


class IndexProgress(msgspec.Struct, frozen=True):
    """How far the index is.

    `next_block` is the first block that is not indexed, and `behind` the number of event ids from there on.
    `indexed_until` is the time of the newest event before, "" if there is none. Up to `MAX_TAIL` events that are not
    indexed yet are searched without the index, so they are found too: `found_all` says whether every event can be
    found. `changed` is the number of blocks whose events have changed since they were indexed. `problem` says why there
    is no index, or is empty. `rebuilding` says that it is about to be filled anew.
    """

    on: bool
    next_block: int
    behind: int
    indexed_until: str
    changed: int = 0
    problem: str = ""
    rebuilding: bool = False

    @property
    def end(self) -> int:
        """The event id after the newest one that was ever assigned."""
        return max(self.next_block * BLOCK_EVENTS, 1) + self.behind

    @property
    def found_all(self) -> bool:
        """Whether a search finds every event."""
        return not self.changed and (not self.on or self.behind <= MAX_TAIL)


class IndexState(IndexProgress, frozen=True):
    """How far the index is, the number of its `blocks`, and its `size` in bytes, which take longer to count."""

    blocks: int = 0
    size: int = 0


class IndexWork(msgspec.Struct, frozen=True):
    """What is left to do for the index.

    `next_block` is the first block that is not indexed, and `end_block` the first one that is not complete yet.
    `changed` are blocks to index again. `blocks` says whether the index has any, `on` whether searches use it, and
    `rebuild` whether it is to be filled anew. `problem` says why there is no index, or is empty. `changes` counts the
    changes of stored events.
    """

    next_block: int
    end_block: int
    changed: tuple[int, ...]
    blocks: bool
    on: bool
    rebuild: bool
    problem: str = ""
    changes: int = 0


MAX_TAIL = 4096
"""The newest events that are searched without the index while it is behind."""


class SearchHit(msgspec.Struct, frozen=True):
    """An event that a search found, with facts of its task."""

    event: Event
    identity: str
    title: str | None
    kind: str | None
    project_id: str
    status: str


class SearchCounts(msgspec.Struct, frozen=True):
    """The numbers of hits with all filters: in total, and by the task's kind, project and status, the largest first.

    `periods` has the number of hits that happened within each of `query.PERIODS`. `more` says that only the newest
    hits were counted, so that there may be more of each.
    """

    total: int
    kinds: dict[str, int]
    projects: dict[str, int]
    statuses: dict[str, int]
    periods: dict[str, int]
    more: bool = False


class IndexPart(msgspec.Struct, frozen=True):
    """The state of the index of a part of the log.

    `changed` are the blocks that have another number of events in the database than when they were indexed. `is_hot`
    says whether the part has events in the database, `is_cold` whether a task in cold storage may have some, and
    `has_filter` whether the part has a filter. `indexed` is the number of its blocks that are indexed one by one.
    """

    part: int
    changed: tuple[int, ...]
    is_hot: bool
    is_cold: bool
    has_filter: bool
    indexed: int


class SearchPage(msgspec.Struct, frozen=True):
    """A page of hits, the newest first.

    `older` and `newer` are the cursors of the neighbouring pages (`SearchQuery.before` and `after`), None if there are
    none. `reached` is not None if the search took too long and stopped: then the hits up to there are on the page, and
    `older` or `newer` continues. It is the time of an event, or "" if that is not known. `unread` is the number of
    tasks in cold storage whose files could not be read.
    """

    hits: list[SearchHit]
    older: int | None
    newer: int | None
    counts: SearchCounts
    index: IndexProgress
    reached: str | None = None
    unread: int = 0
