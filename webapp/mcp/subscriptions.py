"""Subscriptions to runs: a client is told that a run has changed, and reads the resource again.

Since protocol version 2026-07-28 a subscription is a request `subscriptions/listen` whose response is a stream. Before,
it was `resources/subscribe`, which works only on a connection that stays open, such as stdio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError

from signalbox.store.loops import end_tasks
from signalbox.webapp.mcp.console import Console, run_at
from signalbox.webapp.mcp.reading import Json
from signalbox.webapp.mcp.resources import run_of

MAX_URIS = 20
PAUSE_S, ENDED_PAUSE_S = 1.0, 5.0
"""Seconds between two notifications about a run, at least; and between two reads of a run that has ended."""

WAIT_S = 50.0

ConsoleOf = Callable[[ServerRequestContext[Any, Any]], Console]


class RunPosition(NamedTuple):
    """What a subscriber knows of a run: its newest seq, and the event id after which to wait."""

    reference: str
    seq: int
    event_id: int


async def position_of(console: Console, uri: str) -> RunPosition:
    """Return the position at which a subscription to `uri` begins. Raises ToolError."""
    at = run_at(run_of(uri)[0])
    task = await console.get(at.path, Json, identity=at.identity)
    reference = f"{task['task_id']}@{task['identity']}"
    found = await console.get("/api/wait", Json, task=reference, timeout=0)
    return RunPosition(reference, found["tasks"][0]["latest_seq"], found["next_event_id"])


async def follow(console: Console, start: RunPosition, notify: Callable[[], Awaitable[None]]) -> None:
    """Call `notify` after each change of a run. Raises ToolError when the run cannot be read any more."""
    reference, seen, since = start
    while True:
        asked = {"task": reference, "until": "event", "since_event_id": since}
        found = await console.get("/api/wait", Json, **asked, timeout=WAIT_S)
        task, since = found["tasks"][0], found["next_event_id"]
        if found["reached"] and task["latest_seq"] != seen:
            seen = task["latest_seq"]
            await notify()
        await asyncio.sleep(ENDED_PAUSE_S if task["ended_at"] else PAUSE_S)


def checked(uris: list[str] | None) -> list[str]:
    """Return the URIs of a subscription without repetitions. Raises MCPError for an unknown one, or too many."""
    wanted = list(dict.fromkeys(uris or ()))
    if len(wanted) > MAX_URIS:
        raise MCPError(types.INVALID_PARAMS, f"a subscription may have at most {MAX_URIS} resources, not {len(wanted)}")
    for uri in wanted:
        run_of(uri)
    return wanted


async def listen(
    console: Console, ctx: ServerRequestContext[Any, Any], params: types.SubscriptionsListenRequestParams
) -> types.SubscriptionsListenResult:
    """Serve one `subscriptions/listen`. The stream ends when one of its runs cannot be read any more."""
    uris = checked(params.notifications.resource_subscriptions)
    positions = {uri: await _start(console, uri) for uri in uris}
    # A bus of its own, so that a caller learns nothing through the watchers of other callers.
    bus = InMemorySubscriptionBus()
    handler = ListenHandler(bus)

    async def watch(uri: str) -> None:
        try:
            await follow(console, positions[uri], lambda: bus.publish(ResourceUpdated(uri)))
        except ToolError:
            handler.close()

    watchers = [asyncio.create_task(watch(uri), name="signalbox-mcp-watcher") for uri in uris]
    try:
        return await handler(ctx, params)
    finally:
        await end_tasks(*watchers)


class ConnectionSubscriptions:
    """The subscriptions of an older client, which last as long as its connection."""

    def __init__(self, console_of: ConsoleOf) -> None:
        self._console_of = console_of
        self._watchers: dict[str, asyncio.Task[None]] = {}

    async def subscribe(
        self, ctx: ServerRequestContext[Any, Any], params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        """Serve one `resources/subscribe`."""
        uri, session = str(params.uri), ctx.session
        checked([*self._watchers, uri])
        console = self._console_of(ctx)
        start = await _start(console, uri)

        async def watch() -> None:
            with suppress(ToolError, anyio.ClosedResourceError, anyio.BrokenResourceError):
                await follow(console, start, lambda: session.send_resource_updated(uri))

        if uri not in self._watchers or self._watchers[uri].done():
            self._watchers[uri] = asyncio.create_task(watch(), name="signalbox-mcp-watcher")
        return types.EmptyResult()

    async def unsubscribe(
        self, ctx: ServerRequestContext[Any, Any], params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        """Serve one `resources/unsubscribe`."""
        await end_tasks(self._watchers.pop(str(params.uri), None))
        return types.EmptyResult()

    async def close(self) -> None:
        """End all subscriptions."""
        await end_tasks(*self._watchers.values())


async def _start(console: Console, uri: str) -> RunPosition:
    try:
        return await position_of(console, uri)
    except ToolError as error:
        raise MCPError(types.INVALID_PARAMS, str(error), {"uri": uri}) from error
