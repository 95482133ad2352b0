"""Viewers of the same page share one rendering, although their URLs are spelled differently."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from signalbox.store import NewEvent
from signalbox.webapp.app import create_app
from signalbox.webapp.settings import Settings

IGNORED = ["x=1", "x=2&x=3", "utm_source=mail", "_=1732600000", "Gaps=open", "after=0", "shown=", "shown=nonsense", ""]

EQUIVALENT: dict[str, list[str]] = {
    "/tasks/t/stream": [*IGNORED, "shown=x+y", "part=frames"],
    "/tasks/t/waterfall?part=frames": [*IGNORED, "gaps=folded", "after=00"],
    "/tasks/t/waterfall?part=frames&gaps=open": ["x=1", "after=0"],
    "/tasks/t/spans?part=frames": [*IGNORED, "gaps=open"],
    "/tasks/t/spans/main?part=frames": IGNORED,
    "/tasks/t/timeline?part=frames": [*IGNORED, "after=7"],
    "/tasks/t/log?part=frames&around=2": ["x=1", "heartbeats=0", "q=", "failed=0", "?part=frames&around=02"],
    "/tasks/t/log?part=frames&q=go": ["x=1", "after=0", "failed=0", "type=", "before=3", "?part=frames&q=+go+"],
    "/tasks/t/permissions/r?part=frames": IGNORED,
    "/live/tasks": [
        *IGNORED,
        "shown=abc",
        "sort=newest",
        "limit=50",
        "stale=0",
        "archived=0",
        "q=",
        "kind=",
        "cursor=",
    ],
    "/live/tasks?status=running,waiting": ["status=waiting&status=running", "status=running,waiting,running"],
    "/live/permissions": [*(query for query in IGNORED if query != "after=0"), "after=", "task="],
    "/compare?part=frames&a=t&b=u": ["x=1", "show=all"],
    "/sse/events?task=t&task=u": ["task=t", "x=1", "task=u&task=t"],
    "/sse/tasks/t/events": ["x=1", "batch_size=10", "flush_interval=0.5", "flush_interval=0.50&x=1"],
    "/api/v1/projects/default/agent/runs/t/stream": ["x=1", "since_seq=0"],
}

REPLACED_QUERY = ("/live/tasks?status=running,waiting",)


def variants(page: str) -> list[str]:
    """Return URLs equivalent to `page`: with parameters added, or with the query replaced."""
    path = page.partition("?")[0]
    replaced = page in REPLACED_QUERY or page == path
    return [
        page,
        *(
            f"{path}?{more.removeprefix('?')}" if replaced or more[:1] == "?" else f"{page}&{more}"
            for more in EQUIVALENT[page]
        ),
    ]


@asynccontextmanager
async def open_streams(app: Any, addresses: list[str]) -> AsyncIterator[None]:
    """Open a stream at each address; close them all at the end."""
    gone, streams = asyncio.Event(), []

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    for address in addresses:
        path, _, query = address.partition("?")
        opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def send(message: Any, opened: asyncio.Future[int] = opened) -> None:
            if opened.done():
                return
            if message.get("status", 200) != 200:
                opened.set_result(message["status"])
            elif b": open" in message.get("body", b""):
                opened.set_result(200)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "extensions": {}, "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }  # fmt: skip
        streams.append(asyncio.create_task(app.asgi_app(scope, receive, send)))
        assert await asyncio.wait_for(opened, 60) == 200, address
    hub = app.extensions["hub"]
    async with asyncio.timeout(60):
        # A stream writes its first comment before it joins its lane.
        while sum(len(lane.subscribers) for lane in hub.lanes) < len(addresses):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    yield
    gone.set()
    await asyncio.wait_for(asyncio.gather(*streams, return_exceptions=True), 60)


def lanes(app: Any) -> list[object]:
    """Return the keys of the lanes with subscribers; each lane renders once per change."""
    registry = app.extensions["hub"].lanes
    by_task = [item for channel in registry.channels.values() for item in channel.lanes.items()]
    found = [*by_task, *registry._boards.items()]
    return [key for key, lane in found if lane.subscribers]


async def test_equivalent_urls_share_one_rendering(url: str) -> None:
    app = create_app(Settings(store=url))
    async with app.test_app():
        store = app.extensions["store"]
        line = NewEvent(event_type="log", payload={"message": "go"})
        for task in "tu":
            await store.aappend(task, [NewEvent(event_type="runner_spawn", span_id="main"), line])
        await store.aappend("t", NewEvent(event_type="permission_request", payload={"request_id": "r"}))
        differing = {}
        for page in EQUIVALENT:
            async with open_streams(app, variants(page)):
                if len(lanes(app)) != 1:
                    differing[page] = lanes(app)
        assert not differing


async def test_different_pages_have_different_renderings(url: str) -> None:
    app = create_app(Settings(store=url))
    async with app.test_app():
        await app.extensions["store"].aappend("t", NewEvent(event_type="log"))
        different = [
            "/tasks/t/stream",
            *["/tasks/t/waterfall?part=frames", "/tasks/t/waterfall?part=frames&gaps=open"],
            *["/tasks/t/log?part=frames&around=1", "/tasks/t/log?part=frames&around=1&heartbeats=1"],
            *["/live/tasks", "/live/tasks?q=a", "/live/tasks?limit=10", "/live/tasks?sort=oldest"],
            *["/sse/tasks/t/events", "/sse/tasks/t/events?batch_size=1", "/api/sse/events/t"],
            "/api/v1/projects/default/agent/runs/t/stream",
        ]
        async with open_streams(app, different):
            assert len(lanes(app)) == len(different)


@pytest.mark.parametrize("address", ["/tasks?x=1", "/tasks/t/waterfall?x=1&gaps=folded&after=0"])
async def test_a_page_passes_no_unknown_parameter_to_its_stream(url: str, address: str) -> None:
    app = create_app(Settings(store=url))
    async with app.test_app():
        await app.extensions["store"].aappend("t", NewEvent(event_type="log"))
        page = await (await app.test_client().get(address)).get_data(as_text=True)
    assert "epoch=" in page
    assert "x=1" not in page
