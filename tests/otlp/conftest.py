"""A server with short waits, for the tests of traces."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Server


@pytest.fixture(scope="module")
def quick_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that completes traces after a second, with a second port for OTLP."""
    folder: Path = tmp_path_factory.mktemp("quick")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(folder, trace_quiet=1, otlp_port=port).start()
    yield server
    server.close()
