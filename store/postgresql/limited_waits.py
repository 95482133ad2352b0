"""Connections that give up when the server stops answering.

A server that is suspended, or a machine that swaps, still acknowledges data at the level of TCP. So neither keepalives
nor `tcp_user_timeout` notice it, and the driver would wait without limit.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg.waiting import Ready, Wait

T = TypeVar("T")

CHECK_INTERVAL = 0.1
"""Seconds after which a wait checks its limit. The driver resumes the generator of a wait in this interval."""


class Unanswered(psycopg.OperationalError):
    """The server did not answer in time. The connection is closed, because an answer may still be on its way."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the server did not answer for {seconds:g} s")


class LimitedConnection(psycopg.Connection[Any]):
    """A connection whose calls raise `Unanswered` when nothing arrives for `patience` seconds.

    A wait with limits of its own, such as the driver's wait for notifications, is left as it is.
    """

    patience = math.inf
    proxied = False
    """Whether a proxy is between this connection and the server, such as PgBouncer. It may run each transaction on
    another connection of its own, so nothing may be kept in the session between two transactions."""

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **limits: Any) -> T:
        if args or limits:
            return super().wait(gen, *args, **limits)
        try:
            wanted = next(gen)
        except StopIteration as done:
            # Nothing to wait for. In a pipeline that collects statements this is the usual case.
            collected: T = done.value
            return collected
        try:
            return super().wait(_limited(gen, wanted, self.patience))
        except Unanswered:
            self.pgconn.finish()
            raise


class LimitedAsyncConnection(psycopg.AsyncConnection[Any]):
    """The same for asyncio. A cancelled call leaves the connection in the middle of a query, and returns at once.

    The driver's own `wait` would ask the server to cancel the query and wait for that, also for a server that does not
    answer.
    """

    patience = math.inf
    proxied = False
    generation = 0
    """The `Store.generation` when it was opened."""

    async def wait(self, gen: Generator[Any, Any, T], *args: Any, **limits: Any) -> T:
        if args or limits:
            return await super().wait(gen, *args, **limits)
        try:
            wanted = next(gen)
            while True:
                wanted = gen.send(await _ready(self.pgconn.socket, wanted, self.patience))
        except StopIteration as done:
            result: T = done.value
            return result
        except Unanswered:
            self.pgconn.finish()
            raise


async def _ready(socket: int, wanted: Wait, patience: float) -> Ready:
    """Return what a socket is ready for. Raises Unanswered after `patience` seconds.

    The driver's own wait starts a task and a timer for each check, which costs more than a short query.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Ready] = loop.create_future()
    if wanted & Wait.R:
        loop.add_reader(socket, _found, found, Ready.R)
    if wanted & Wait.W:
        loop.add_writer(socket, _found, found, Ready.W)
    timer = loop.call_later(patience, _found, found, Ready.NONE) if patience < math.inf else None
    try:
        ready = await found
    finally:
        if timer is not None:
            timer.cancel()
        if wanted & Wait.R:
            loop.remove_reader(socket)
        if wanted & Wait.W:
            loop.remove_writer(socket)
    if not ready:
        raise Unanswered(patience)
    return ready


def _found(found: asyncio.Future[Ready], ready: Ready) -> None:
    if not found.done():
        found.set_result(ready)


def _limited(gen: Generator[Any, Any, T], wanted: Any, patience: float) -> Generator[Any, Any, T]:
    """Run the driver's generator, but raise Unanswered once it has waited `patience` seconds for its socket.

    `wanted` is its first request.
    """
    since: float | None = None
    try:
        while True:
            ready = yield wanted
            if ready:
                since = None
            elif since is None:
                since = time.monotonic() - CHECK_INTERVAL
            elif time.monotonic() - since >= patience:
                raise Unanswered(patience)
            wanted = gen.send(ready)
    except StopIteration as done:
        result: T = done.value
        return result
