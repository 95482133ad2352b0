"""A server that is too old is named, and a view that finds no free connection says so."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from signalbox.store import StoreUnavailable, held_views, open_store
from signalbox.store.postgresql.pool import MAX_READERS
from tests.support import postgres
from tests.support.postgres import Cluster

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)


def copy(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on, with version 13 in place of the server's own when it introduces itself."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(re.sub(rb"(server_version\0)\d\d", rb"\g<1>13", data))


@contextmanager
def older_server(port: int) -> Iterator[int]:
    """Pass one connection on to the server at `port`, which then appears to be PostgreSQL 13. Yield the new port."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(("127.0.0.1", port)) as server:

        def accept() -> None:
            client, _ = listening.accept()
            with client:
                threading.Thread(target=copy, args=(client, server), daemon=True).start()
                copy(server, client)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def test_a_server_that_is_too_old_is_named(cluster: Cluster, url: str) -> None:
    with (
        older_server(cluster.port) as port,
        pytest.raises(StoreUnavailable, match="PostgreSQL 13; Signalbox needs version 14 or newer"),
    ):
        open_store(url.replace(f":{cluster.port}/", f":{port}/") + "?sslmode=disable&gssencmode=disable")


async def test_a_view_that_finds_no_free_connection_says_so(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_views, "SLOT_TIMEOUT_S", 0.2)
    store = open_store(url)
    held, release = asyncio.Semaphore(0), asyncio.Event()

    async def hold() -> None:
        async with store.read():
            held.release()
            await release.wait()

    holders = [asyncio.create_task(hold()) for _ in range(MAX_READERS)]
    for _ in holders:
        await held.acquire()
    with pytest.raises(StoreUnavailable, match=f"all {MAX_READERS} connections"):
        async with store.read():
            pass
    release.set()
    await asyncio.gather(*holders)
    async with store.glance() as view:
        assert await view.latest_event_id() == 0
    await store.aclose()
