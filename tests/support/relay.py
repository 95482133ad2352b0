"""Messages of an upstream, the `signalbox relay` that follows it, and the log that the relay writes."""

from __future__ import annotations

import subprocess

from signalbox.store import Event
from signalbox.store.sqlite import SqliteStore
from tests.support.command import signalbox
from tests.support.log import log_of
from tests.support.upstream import Upstream

TIME = "2026-11-21T14:02:07Z"
LINES = [f"line {number}" for number in range(1, 31)]
SUCCESS = "event: status\ndata: Task success"


def plain(lines: list[str], end: str = SUCCESS) -> list[str]:
    """Return a message for each line of a log, and `end`."""
    return [*(f"event: log\ndata: {TIME} {line}" for line in lines), end]


def numbered(blocks: list[str]) -> list[str]:
    """Give the messages the ids 1, 2, 3 and so on."""
    return [f"id: {number}\n{block}" for number, block in enumerate(blocks, 1)]


def relay(upstream: Upstream, url: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `signalbox relay` from an upstream into the task `t` until it ends."""
    return signalbox("relay", upstream.url, "--task", "t", "--store", url, *options, **variables)


def lines_of(store: SqliteStore) -> list[str]:
    """Return the messages of the log events of the task `t`."""
    return [event.payload["message"] for event in log_of(store, "t") if event.event_type == "log"]


async def events(store: SqliteStore) -> list[Event]:
    """Return the log of the task `t` inside a coroutine."""
    async with store.read() as view:
        return await view.events("t", 0, 1000)
