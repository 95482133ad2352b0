"""Fixtures of the HTTP tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.people import person, token, wait_until_guarded
from tests.support.server import Server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server that requires a log-in or a token for every request."""
    server = Server(tmp_path_factory.mktemp("guarded")).start()
    server.store.create_task("run")
    person(server.store, "ann@example.org", default="operator")
    token(server.store, "reader", scopes=("read",))
    token(server.store, "writer", scopes=("read", "emit"))
    wait_until_guarded(server)
    yield server
    server.close()
    assert "Traceback" not in server.log, server.log
