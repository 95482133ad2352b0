"""Readers that go away in the midst of a burst trouble nobody else."""

from __future__ import annotations

import socket
import threading
from itertools import islice

from tests.support.server import Server
from tests.support.sse import open_stream

BURSTS, EVENTS = 60, 20
REQUEST = b"GET /sse/tasks/burst/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def test_readers_that_leave_in_a_burst_cost_the_others_nothing(server: Server) -> None:
    """Whether the server writes just when a connection is closing is a matter of chance: hence so many."""
    server.emit("burst", "first")
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            with socket.create_connection(("127.0.0.1", server.port)) as reader:
                reader.sendall(REQUEST)
                while (heard := reader.recv(65536)) and b"id: " not in heard:
                    pass

    with open_stream(f"{server.url}/sse/tasks/burst/events", timeout=30) as stays:
        leaving = [threading.Thread(target=come_and_go) for _ in range(4)]
        for one in leaving:
            one.start()
        for burst in range(BURSTS):
            server.emit("burst", *(f"{burst}.{number}" for number in range(EVENTS)))
        ids = (int(message.id) for message in stays if message.id)
        seen = list(islice(ids, 1 + BURSTS * EVENTS))
        over.set()
        for one in leaving:
            one.join()
    assert seen == list(range(1, 2 + BURSTS * EVENTS))
    assert "Traceback" not in server.log
