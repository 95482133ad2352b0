"""Test that responses to each kind of caller match the security that the OpenAPI document declares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.example_run import fill
from tests.support.openapi import OPERATIONS, address, check
from tests.support.people import Headers, project, token, wait_until_guarded
from tests.support.plain_client import PlainClient
from tests.support.server import Server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, Headers]]]:
    server = Server(tmp_path_factory.mktemp("guarded")).start()
    for name in ("default", "ours"):
        project(server.store, name)
    fill(server.store, "ours")
    callers = {
        "anonymous": {},
        "unknown": {"Authorization": "Bearer unknown"},
        "limited": token(server.store, "limited", project_id="ours", scopes=("read",)),
        "owner": token(server.store, "owner"),
    }
    wait_until_guarded(server)
    yield server, callers
    server.close()
    assert "Traceback" not in server.log, server.log


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_response_to_each_caller_matches_the_declared_security(
    guarded: tuple[Server, dict[str, Headers]], name: str
) -> None:
    server, callers = guarded
    with PlainClient(server.url) as client:
        for caller, headers in callers.items():
            if name.endswith("/login"):
                continue
            response = check(client, name, address(name), headers=headers)
            is_public = OPERATIONS[name].get("security") == []
            if caller in ("anonymous", "unknown") and not is_public:
                assert response.status_code == 401


def test_the_document_of_a_guarded_server_requires_credentials(
    shared_server: Server, guarded: tuple[Server, dict[str, Headers]]
) -> None:
    server, callers = guarded
    assert {} in shared_server.get("/api/openapi.json").json()["security"]
    assert {} not in server.get("/api/openapi.json", headers=callers["owner"]).json()["security"]
