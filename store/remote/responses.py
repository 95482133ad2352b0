"""The parts of requests and responses that the calls of a server's log share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import msgspec

from signalbox.store.errors import StoreError
from signalbox.store.events import Event, check_task_id
from signalbox.store.state import Artifact, Permission, SentMessage, Task, Unfinished
from signalbox.store.tags import Changes

T = TypeVar("T")
Item = TypeVar("Item", Event, Artifact, SentMessage, Permission)


class NotSignalbox(StoreError):
    """Something else than a Signalbox server answered."""


class EventsBody(msgspec.Struct):
    """A page of a log."""

    events: list[Event]
    total: int = 0
    matching: int | None = None
    has_more: bool = False


class UnfinishedBody(msgspec.Struct):
    """The unfinished lines in the response for a task."""

    unfinished: list[Unfinished] = []


def path_of(task_id: str) -> str:
    """Return the path of a task. Raises InvalidEvent for a bad id."""
    return f"/api/tasks/{check_task_id(task_id)}"


def json_body(value: object) -> dict[str, Any]:
    """Return the options of a request with a JSON body."""
    return {"content": msgspec.json.encode(value), "headers": {"Content-Type": "application/json"}}


def identity_option(identity: str | None) -> dict[str, Any]:
    """Return the options of a request that is for the task with this identity only."""
    return {"params": {"identity": identity}} if identity else {}


def task_in(response: httpx.Response) -> Task:
    """Return the task in a response. Raises NotSignalbox."""
    return task_from(response, decoded(response, dict[str, Any]))


def task_from(response: httpx.Response, fields: dict[str, Any]) -> Task:
    """Return the task that has these fields in a response. Raises NotSignalbox."""
    try:
        task = msgspec.convert({"main_span_id": "", **fields}, Task)
        return msgspec.structs.replace(
            task,
            tag_changes=_changes(task.tags, fields.get("tags")),
            link_changes=_changes(task.links, fields.get("links")),
        )
    except msgspec.ValidationError as error:
        raise not_signalbox(response) from error


def _changes(created: dict[str, str], current: Any) -> Changes:
    """Return the changes that turn the tags or links of the creation into the current ones."""
    found = msgspec.convert(current or {}, dict[str, str])
    return {name: None for name in created if name not in found} | found


async def pages_of(
    page: Callable[[int, int], Awaitable[tuple[list[Item], bool]]], seq: int, limit: int | None, size: int
) -> list[Item]:
    """Return the first `limit` items of all pages, None: all. `page` gets a seq and at most how many items to return.

    It returns the items after or before the seq, and whether there are more. The first page begins at `seq`.
    """
    found: list[Item] = []
    while limit is None or len(found) < limit:
        items, more = await page(
            found[-1].seq if found else seq, size if limit is None else min(limit - len(found), size)
        )
        found += items
        if not more or not items:
            break
    return found


def decoded(response: httpx.Response, kind: type[T]) -> T:
    """Return the body of a response. Raises NotSignalbox."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise not_signalbox(response) from error


def not_signalbox(response: httpx.Response) -> NotSignalbox:
    """Return the error for a response that no Signalbox server sends."""
    return NotSignalbox(f"the server at {response.url.copy_with(path='/', query=None)} is not a Signalbox server")
