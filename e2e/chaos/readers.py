"""Programs that follow a task while faults occur. Each must see every event once, in order."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from abc import ABC, abstractmethod
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

MIN_PAUSE = 0.1
"""Seconds before a reader connects again after it has received something."""

INTERRUPTIONS = (OSError, EOFError, TimeoutError, Refused, WebSocketException, asyncio.IncompleteReadError)
ASSERTIONS = (AssertionError, ValueError, KeyError)


def background_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop that runs in a thread of its own, until it is stopped."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


class Reader(ABC):
    """Follow one task on the event loop of another thread. `seen` holds the seqs since the log began or was reset.

    A gap is an error, unless the network is `lossy`: then the reader reconnects from the last seq it has seen. After a
    failed connection the reader waits 0.1 s, and then up to `max_pause` seconds.
    """

    def __init__(self, port: int, task_id: str, loop: asyncio.AbstractEventLoop, *, max_pause: float = 0.1) -> None:
        self.port, self.task_id = port, task_id
        self.seen: list[int] = []
        self.errors: list[str] = []
        self.lossy = False
        self.connects = 0
        self._max_pause = max_pause
        self._following = asyncio.run_coroutine_threadsafe(self._follow(), loop)

    def close(self) -> None:
        self._following.cancel()

    async def _follow(self) -> None:
        pause = MIN_PAUSE
        while True:
            before = len(self.seen)
            try:
                await self._read()
            except ASSERTIONS as error:
                self.errors.append(str(error))
            except INTERRUPTIONS:
                pass  # A half-open connection is given up too, as every careful client does.
            pause = MIN_PAUSE if len(self.seen) > before else min(2 * pause, self._max_pause)
            await asyncio.sleep(random.uniform(pause / 2, pause) if pause > MIN_PAUSE else pause)

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
            self.connects += message.comment == "open"
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
            self.connects += 1
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
