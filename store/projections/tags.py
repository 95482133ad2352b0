"""The projection of tags and links that events add, change or remove."""

from __future__ import annotations

from signalbox.store.events import Event
from signalbox.store.state import Span, TaskState
from signalbox.store.tags import MAX_LINKS, MAX_TAGS, Changes, merged, readable_links, readable_tags


def tags_changed(state: TaskState, event: Event, span: Span | None) -> None:
    task = state.task
    given = readable_tags(event.payload.get("tags"))
    created = readable_tags(task.metadata.get("tags"))
    task.tag_changes = _changes(created, merged(dict(task.tags), given, MAX_TAGS))
    task.labels_seq = event.seq


def links_changed(state: TaskState, event: Event, span: Span | None) -> None:
    task = state.task
    given = readable_links(event.payload.get("links"))
    created = readable_links(task.metadata.get("links"))
    task.link_changes = _changes(created, merged(dict(task.links), given, MAX_LINKS))
    task.labels_seq = event.seq


def _changes(created: Changes, values: dict[str, str]) -> Changes:
    """Return the changes that lead from the values at the creation to the present ones."""
    removed: Changes = {name: None for name in created if name not in values}
    return removed | {name: value for name, value in values.items() if created.get(name) != value}
