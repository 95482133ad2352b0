"""Test the event loop of a remote log: it ends with the log, survives a fork, and never delays the program's exit."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from signalbox.store import NewEvent, StoreClosed
from signalbox.store.remote import RemoteLog
from tests.support.proxy import Proxy
from tests.support.server import Server

LOG = NewEvent(event_type="log")
ABANDONED = """
import sys
from signalbox import RemoteLog
log = RemoteLog(sys.argv[1])
tail = log.tail("abandoned")
print(next(tail).seq)
"""


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    between = Proxy(server.port)
    yield between
    between.close()


def test_closing_ends_waiting_calls(proxy: Proxy) -> None:
    proxy.shut()
    earlier_threads = set(threading.enumerate())
    remote = RemoteLog(proxy.url, patience=60)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(remote.append, "t", LOG) for _ in range(4)]
        time.sleep(0.5)
        assert not any(call.done() for call in waiting)
        remote.close()
        assert all(isinstance(call.exception(60), StoreClosed) for call in waiting)
    remote.close()
    assert not {thread.name for thread in set(threading.enumerate()) - earlier_threads} & {"signalbox-remote"}


def test_an_unclosed_tail_ends_with_its_log(server: Server) -> None:
    server.emit("left", "one")
    remote = RemoteLog(server.url)
    tail = remote.tail("left")
    assert next(tail).seq == 1
    remote.close()
    with pytest.raises(StoreClosed):
        next(tail)


def _append(remote: RemoteLog) -> None:
    assert remote.append("forked", LOG)[0].seq == 2


def test_a_forked_process_has_its_own_connections(server: Server) -> None:
    remote = RemoteLog(server.url)
    assert remote.append("forked", LOG)[0].seq == 1
    child = multiprocessing.get_context("fork").Process(target=_append, args=(remote,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert remote.append("forked", LOG)[0].seq == 3
    remote.close()


@pytest.mark.long
def test_a_program_exits_with_a_tail_still_open(server: Server) -> None:
    server.emit("abandoned", "one")
    done = subprocess.run([sys.executable, "-c", ABANDONED, server.url], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
