"""Render pages and frames of the task `run` from a store, without a server."""

from __future__ import annotations

from typing import Any

from signalbox.store import NewEvent
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.drawing.fragments import Fragments
from signalbox.webapp.http.assets import asset
from signalbox.webapp.views.task import task_view
from tests.support.dom import Node, parse

WINDOW = 8
FRAGMENTS = Fragments(asset)


async def page(store: SqliteStore, task_id: str = "run", window: int = WINDOW) -> str:
    async with store.read() as view:
        return FRAGMENTS.task_page(await task_view(view, task_id, window=window), epoch="e")


async def frame(store: SqliteStore, since: int, task_id: str = "run", window: int = WINDOW) -> str:
    async with store.read() as view:
        return FRAGMENTS.task_frame(await task_view(view, task_id, since=since, window=window), since)


async def newest(store: SqliteStore, task_id: str) -> int:
    # The last appended seq is not enough: the end of a task appends more events, which close its open requests.
    async with store.read() as view:
        return (await view.task(task_id)).latest_seq


def main(html: str) -> Node:
    (found,) = parse(html).all("main")
    return found


def parts(templates: dict[str, str], view: Any) -> str:
    """Return parts of a page of the task `run`, joined."""
    return "".join(FRAGMENTS.parts(templates, view=view, task=view.task, path="/tasks/run").values())


def log(message: str, **payload: Any) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": message, **payload})


def span(span_id: str, parent: str) -> NewEvent:
    return NewEvent(event_type="work_item_start", span_id=span_id, parent_span_id=parent)
