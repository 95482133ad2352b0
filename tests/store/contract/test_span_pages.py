"""Test reading all spans page by page."""

from __future__ import annotations

import pytest

from signalbox.store import NewEvent, Store
from signalbox.store.history import History
from signalbox.store.past_reading import PastReading
from signalbox.store.span_pages import span_page


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
async def test_pages_have_each_span_once_also_of_events_that_begin_two(store: Store, limit: int) -> None:
    # A parent that has not arrived begins with its first child.
    ends = [
        NewEvent(event_type="span_end", span_id=f"s{n}", parent_span_id=f"p{n}" if n % 3 else None) for n in range(9)
    ]
    store.append("run", ends)
    async with store.read() as view:
        past = PastReading(view, await History().state_at(view, "run", len(ends)))
        for reading in (view, past):
            found, after = list[str](), 0
            while after is not None:
                page = await span_page(reading, "run", after, limit)
                found += [span.span_id for span in page.spans]
                after = page.next
            assert sorted(found) == sorted(span.span_id for span in await view.spans("run"))
            assert len(found) == 15
