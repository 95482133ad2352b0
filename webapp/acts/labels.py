"""Changing the tags and links of a task, as an act of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signalbox.store import Conflict
from signalbox.store.tags import MAX_LINKS, MAX_TAGS, Changes, check_links, check_tags
from signalbox.webapp.acts.user_actions import act
from signalbox.webapp.current import store


async def change_labels(task_id: str, *, tags: Mapping[str, Any] = {}, links: Mapping[str, Any] = {}) -> None:
    """Set tags and links; the value None removes one. Each kind is one event with its audit.

    Raises UnknownTask, InvalidEvent for a bad value, and Conflict if the task would have too many.
    """
    changes = check_tags(tags, removing=True), check_links(links, removing=True)
    async with store().glance() as view:
        task = await view.task(task_id)
    _check_number("tags", task.tags, changes[0], MAX_TAGS)
    _check_number("links", task.links, changes[1], MAX_LINKS)
    if changes[0]:
        await act(task_id, "tags_changed", identity=task.identity, tags=changes[0])
    if changes[1]:
        await act(task_id, "links_changed", identity=task.identity, links=changes[1])


def _check_number(name: str, present: Mapping[str, str], changes: Changes, limit: int) -> None:
    removed = {key for key, value in changes.items() if value is None}
    total = len((present.keys() | changes.keys()) - removed)
    if total > limit:
        raise Conflict(f"a task may have at most {limit} {name}; with these it would have {total}")
