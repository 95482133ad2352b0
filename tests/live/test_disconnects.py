"""Clients that disconnect during a burst of events disturb no other client."""

from __future__ import annotations

import socket
import threading
from itertools import islice

from tests.support.server import Server
from tests.support.sse import open_stream

BURSTS, EVENTS = 60, 20
REQUEST = b"GET /sse/tasks/burst/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def test_clients_that_disconnect_in_a_burst_disturb_no_other_client(server: Server) -> None:
    """The fault needs a write at the moment a connection closes, so the test makes many attempts."""
    server.emit("burst", "first")
    finished = threading.Event()

    def connect_repeatedly() -> None:
        while not finished.is_set():
            with socket.create_connection(("127.0.0.1", server.port)) as reader:
                reader.sendall(REQUEST)
                while (received := reader.recv(65536)) and b"id: " not in received:
                    pass

    with open_stream(f"{server.url}/sse/tasks/burst/events", timeout=60) as stream:
        leaving = [threading.Thread(target=connect_repeatedly) for _ in range(4)]
        for thread in leaving:
            thread.start()
        for burst in range(BURSTS):
            server.emit("burst", *(f"{burst}.{number}" for number in range(EVENTS)))
        ids = (int(message.id) for message in stream if message.id)
        seen = list(islice(ids, 1 + BURSTS * EVENTS))
        finished.set()
        for thread in leaving:
            thread.join()
    assert seen == list(range(1, 2 + BURSTS * EVENTS))
    assert "Traceback" not in server.log
