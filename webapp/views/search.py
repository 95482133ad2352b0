"""A page of the search over all runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from signalbox.store import Event, Reading, SavedView
from signalbox.store.search import SearchHit, SearchPage, SearchQuery, Snippet, snippet_of
from signalbox.store.search.texts import fields_of
from signalbox.store.terminal_escapes import plain_json
from signalbox.webapp.views.search_query import SAVED_PREFIX
from signalbox.webapp.views.text import count

COUNT_LIMIT = 1000
"""Numbers of hits are shown exactly below this."""


@dataclass(frozen=True, kw_only=True)
class FoundEvent:
    """A hit with the piece of its text that is shown."""

    hit: SearchHit
    snippet: Snippet


@dataclass(frozen=True, kw_only=True)
class SearchView:
    """A page of hits. `page` is None if nothing was searched for, or if the text is too short.

    `projects` has the names of the projects that the reader sees, by id, and `saved` the saved searches. `wants_index`
    says whether the setting `search_index` is on.
    """

    query: SearchQuery
    page: SearchPage | None
    found: list[FoundEvent]
    projects: dict[str, str]
    saved: list[SavedView]
    manages: bool
    wants_index: bool

    def number(self, hits: int) -> str:
        """Return a number of hits as text: `12`, `1,000+`, or `12+` if not all hits were counted."""
        return number_of_hits(hits, more=self.page is not None and self.page.counts.more)


def number_of_hits(hits: int, *, more: bool) -> str:
    """Return a number of hits as text. Numbers from `COUNT_LIMIT` on, and those that are not final, end with `+`."""
    if hits >= COUNT_LIMIT:
        return f"{count(COUNT_LIMIT)}+" if more or hits > COUNT_LIMIT else count(COUNT_LIMIT)
    return f"{count(hits)}+" if more else count(hits)


def snippet_of_event(event: Event, text: str) -> Snippet:
    """Return the piece of an event's text around its first match, without terminal escapes."""
    payload = bytes(event.payload_json).decode(errors="replace")
    return snippet_of(fields_of(plain_json(payload) or payload).texts, text)


def _with_snippets(hits: Sequence[SearchHit], text: str) -> list[FoundEvent]:
    return [FoundEvent(hit=hit, snippet=snippet_of_event(hit.event, text)) for hit in hits]


async def search_view(view: Reading, query: SearchQuery, *, manages: bool, wants_index: bool) -> SearchView:
    """Read a page of `query`. Raises InvalidEvent for a bad time."""
    page = None if query.is_empty or query.is_too_short else await view.search_all(query)
    # In a thread, because the texts of a page may have millions of characters.
    found = await asyncio.to_thread(_with_snippets, page.hits, query.text) if page and page.hits else []
    return SearchView(
        query=query,
        page=page,
        found=found,
        projects=await view.project_names(query.projects),
        saved=[one for one in await view.saved_views(query.projects) if one.filters.startswith(SAVED_PREFIX)],
        manages=manages,
        wants_index=wants_index,
    )
