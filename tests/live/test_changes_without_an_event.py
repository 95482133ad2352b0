"""Every live page shows a change that is not in any log as a fresh page does: archived, held, created, deleted."""

from __future__ import annotations

import asyncio
import re
from html import unescape
from typing import Any

import httpx
import pytest

from signalbox.store import NewEvent
from tests.support.followed_page import FollowedPage, is_live
from tests.support.server import Server

LISTS = (
    *("/tasks", "/tasks?archived=1", "/kinds", "/kinds/build", "/permissions", "/permissions?show=answered"),
    *("/watch?task=a&task=b", "/compare?a=a&b=b"),
)
LINKS_OF_TASKS = re.compile(r'href="(/tasks/[ab]/[^"#]*)')


def event(event_type: str, **payload: Any) -> NewEvent:
    return NewEvent(event_type=event_type, payload=payload)


RUN = (
    event("runner_spawn"),
    NewEvent(event_type="phase_enter", phase="planning"),
    NewEvent(event_type="work_item_start", span_id="w1"),
    event("checkpoint_commit", checkpoint_id="c1"),
    event("log", message="x" * 9000),
    event("permission_request", request_id="r1", tool_name="rm"),
)


async def live_pages(client: httpx.AsyncClient) -> list[str]:
    """Return the addresses of live pages: the lists, and one for each kind of page that the pages of tasks link to."""
    waiting, kinds, found = ["/tasks/a", "/tasks/b", *LISTS], set[str](), []
    while waiting:
        response = await client.get(waiting.pop(0))
        if not is_live(response.text):
            continue
        found.append(response.url.raw_path.decode())
        for link in map(unescape, LINKS_OF_TASKS.findall(response.text)):
            kind = re.sub(r"^/tasks/./|(?<=spans/).*", "", link.partition("?")[0])
            if kind not in kinds:
                kinds.add(kind)
                waiting.append(link)
    return found


async def until_equal(pages: list[FollowedPage], after: str) -> None:
    """Wait until all pages equal fresh ones."""
    differences = [""]
    try:
        async with asyncio.timeout(20):
            while differences:
                await asyncio.sleep(0.05)
                differences = [found for page in pages if (found := await page.difference())]
    except TimeoutError:
        raise AssertionError(f"after {after}: {differences}") from None


@pytest.mark.long
async def test_every_live_page_shows_changes_that_are_not_in_a_log(server: Server) -> None:
    for task in "abc":
        server.post("/api/tasks", {"task_id": task, "kind": "build"})
        server.emit(task, *RUN)
    server.emit("b", event("runner_exit", status="failed", message="boom"))
    server.emit("c", event("runner_exit", status="done"))
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(base_url=server.url, follow_redirects=True, limits=limits) as client,
        asyncio.TaskGroup() as following,
    ):
        pages = [FollowedPage(client, address) for address in await live_pages(client)]
        assert len(pages) > 15, [page.address for page in pages]
        tasks = [following.create_task(page.follow()) for page in pages]
        while not all(page.connected for page in pages):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await client.post("/api/tasks/b/archive")
        await client.post("/tasks/a/hold", data={"reason": "for a day"})
        await client.put("/api/tasks/a/unfinished", json=[{"message": "50 %"}])
        await client.post("/views", data={"name": "mine", "filters": "kind=build"})
        await until_equal(pages, "archiving, holding, unfinished output and saving a view")
        await client.post("/tasks/a/hold", data={"reason": "for a week"})
        await client.put("/api/tasks/a/unfinished", json=[])
        await client.post("/api/tasks", json={"task_id": "d", "kind": "build"})
        await client.put("/api/tasks/b/cold")
        await until_equal(pages, "another reason, a new task and cold storage")
        await client.delete("/api/tasks/c")
        await client.delete("/api/tasks/b/archive")
        await server.store.people.aadd_project("team", "Team")
        await until_equal(pages, "deleting, restoring and adding a project")
        for task in tasks:
            task.cancel()
