"""Programs that follow a task while faults occur. Each must see every event once, in order."""

from __future__ import annotations

import asyncio
import json
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

from playwright.sync_api import Page
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from signalbox.webapp.api.sockets import RESET
from tests.support.sse import Message
from tests.support.strict_client import Refused, stream

FOLLOW = """async ({task}) => {
    const {EventStreamService} = await import('/static/js/EventStreamService.js');
    window.service?.stop();
    window.seen = [];
    window.service = new EventStreamService(task, {
        reconnectDelay: 100, maxReconnectDelay: 500, watchdogTimeout: 6000,
        onEvent: (event) => window.seen.push(event.seq),
        onReset: () => { window.seen = []; },
    });
    window.service.start();
}"""


class Reader(ABC):
    """Follow one task on an event loop in a separate thread. `seen` holds the seqs since the log began or was reset.

    A gap is an error, unless the network is `lossy`: then the reader reconnects from the last seq it has seen.
    """

    def __init__(self, port: int, task_id: str) -> None:
        self.port, self.task_id = port, task_id
        self.seen: list[int] = []
        self.errors: list[str] = []
        self.lossy = False
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)

    def _run(self) -> None:
        self._task = self._loop.create_task(self._follow())
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)

    async def _follow(self) -> None:
        while True:
            with suppress(OSError, EOFError, TimeoutError, Refused, WebSocketException, asyncio.IncompleteReadError):
                # Give up on a half-open connection, as every careful client does.
                await self._read()
            await asyncio.sleep(0.1)

    @abstractmethod
    async def _read(self) -> None:
        """Follow the task over one connection, until it breaks."""

    def take(self, event: dict[str, Any]) -> None:
        """Store the next event, or record an error if it is out of order."""
        seq = event["seq"]
        if self.lossy and seq > len(self.seen) + 1 and event["task_id"] == self.task_id:
            raise ConnectionError("a gap: something was lost on the way")
        if seq != len(self.seen) + 1 or event["task_id"] != self.task_id:
            self.errors.append(f"after #{len(self.seen)} of {self.task_id} came #{seq} of {event['task_id']}")
        self.seen.append(seq)


class StreamReader(Reader):
    """Read server-sent events, and resume with Last-Event-ID."""

    async def _read(self) -> None:
        resume = {"Last-Event-ID": str(len(self.seen))} if self.seen else {}
        messages = stream("127.0.0.1", self.port, f"/sse/tasks/{self.task_id}/events", resume)
        while True:
            try:
                message: Message = await asyncio.wait_for(anext(messages), 6)
            except StopAsyncIteration:
                return
            if message.event == "reset":
                self.seen = []
                return
            if message.event == "reconnect":
                await asyncio.sleep(min(1.0, (message.retry or 0) / 1000))
                return
            if message.id:
                self.take(message.json)


class SocketReader(Reader):
    """Read a WebSocket, and reopen it at the reached position."""

    async def _read(self) -> None:
        address = f"ws://127.0.0.1:{self.port}/ws/tasks/{self.task_id}/events?since_seq={len(self.seen)}"
        async with connect(address, proxy=None, open_timeout=5, ping_interval=2, ping_timeout=4) as socket:
            try:
                while True:
                    self.take(json.loads(await socket.recv()))
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code == RESET:
                    self.seen = []
                raise


class PageReader:
    """Use the browser module on a page of the server."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def begin(self, base: str, task_id: str) -> None:
        """Follow another task."""
        self._page.goto(f"{base}/a-page-that-is-not-there")
        self._page.evaluate(FOLLOW, {"task": task_id})

    @property
    def seen(self) -> list[int]:
        found: list[int] = self._page.evaluate("window.seen")
        return found
