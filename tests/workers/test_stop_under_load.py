"""A server stops while requests cannot finish: it cuts them off without a traceback, and ends as on any other stop."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from tests.support.raw_http import HOST, connect
from tests.support.server import CUT_OFF, STOP_LIMIT, Server
from tests.support.waiting import wait_until
from tests.support.workers import worker_ids

APPEND = b"POST /api/tasks/run/events HTTP/1.1\r\n%sContent-Type: application/json\r\nContent-Length: 21\r\n\r\n" % HOST
BODY = b'{"event_type": "log"}'
UNREAD_BODY = b"DELETE /api/tasks/run/archive HTTP/1.1\r\n%sContent-Length: 2\r\n\r\n{}" % HOST

CANCELLED = "timeout graceful shutdown exceeded"
"""The message of uvicorn when it cancels the request whose body is not read: its route does not notice a disconnect."""


class BusyServer:
    """A server with three requests that cannot finish while `lock` is held."""

    def __init__(self, server: Server, opened: ExitStack, workers: int = 1) -> None:
        self.server = server
        server.emit("run", "one")
        self.lock = opened.enter_context(closing(sqlite3.connect(server.path, isolation_level=None)))
        self.lock.execute("BEGIN IMMEDIATE")
        for request in (APPEND + BODY, APPEND + BODY[:5], UNREAD_BODY):
            opened.enter_context(closing(client := connect(server)))
            client.sendall(request)
        # A process accepts connections in order, so the requests have arrived when each has answered another one.
        worker_ids(server, workers)


@pytest.fixture
def start_busy_server(start_server: Callable[..., Server]) -> Iterator[Callable[..., BusyServer]]:
    with ExitStack() as opened:
        yield lambda **settings: BusyServer(start_server(**settings), opened, settings.get("workers", 1))


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_cuts_off_the_requests_that_cannot_finish(
    start_busy_server: Callable[..., BusyServer], workers: int
) -> None:
    busy = start_busy_server(workers=workers)
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(busy.server.stop)
        wait_until(lambda: CUT_OFF in busy.server.log and CANCELLED in busy.server.log)
        busy.lock.execute("ROLLBACK")
        assert stopping.result() < STOP_LIMIT
    assert "Traceback" not in busy.server.log
    assert busy.server.exit_code == -signal.SIGTERM


def test_a_second_signal_cuts_off_the_requests_at_once(start_busy_server: Callable[..., BusyServer]) -> None:
    busy = start_busy_server(drain_delay=60)
    os.kill(busy.server.pid, signal.SIGTERM)
    wait_until(lambda: busy.server.get("/readyz").status_code == 503)
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(busy.server.stop)
        wait_until(lambda: CUT_OFF in busy.server.log)
        busy.lock.execute("ROLLBACK")
        assert stopping.result() < STOP_LIMIT
    assert "Traceback" not in busy.server.log
    assert busy.server.exit_code == -signal.SIGTERM
