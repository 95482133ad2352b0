"""Agent servers: they run the work of a project elsewhere, and Signalbox relays it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.agents import Agents
from tests.support.agents import lines_of, project, wait_for_task, wait_until_ended
from tests.support.log import cancel
from tests.support.upstream import Upstream


@pytest.fixture
async def agents(store: SqliteStore) -> AsyncIterator[Agents]:
    opened = Agents(store)
    yield opened
    await opened.stop()


def agent_server(*blocks: str) -> Upstream:
    """Return an agent server whose only run streams `blocks`; it answers every other request with 200."""
    upstream = Upstream([f"id: {number}\n{block}" for number, block in enumerate(blocks, 1)])
    upstream.idle = True

    def respond(connection: int) -> str | None:
        path = upstream.requests[connection].split()[1]
        return None if path.endswith("/stream") else "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    upstream.respond = respond
    return upstream


def upstream_agent(upstream: Upstream) -> dict[str, Any]:
    return {"kind": "upstream", "url": upstream.url.removesuffix("/stream")}


def requests_to(upstream: Upstream) -> list[str]:
    return [" ".join(request.split()[:2]) for request in upstream.requests]


async def test_a_run_of_an_agent_server_becomes_a_task(store: SqliteStore, agents: Agents) -> None:
    upstream = agent_server("event: log\ndata: one", "event: status\ndata: Task success")
    await agents.start(project(store, upstream_agent(upstream)), "r1")
    assert (await wait_until_ended(store, "r1")).status == "done"
    assert await lines_of(store, "r1") == ["one"]
    assert requests_to(upstream) == ["GET /health", "POST /runs", "GET /runs/r1/stream"]
    assert '{"run_id":"r1"}' in upstream.bodies[1].replace(" ", "")


async def test_a_cancel_is_forwarded_to_the_agent_server(
    store: SqliteStore, agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    from signalbox.webapp.relay import follow_upstream

    monkeypatch.setattr(follow_upstream, "CANCEL_GRACE", 0.1)
    upstream = agent_server("event: log\ndata: one")
    await agents.start(project(store, upstream_agent(upstream)), "r1")
    await wait_for_task(store, "r1", lambda task: task.latest_seq >= 2)
    cancel(store, "r1", "ann")
    assert (await wait_until_ended(store, "r1")).status == "cancelled"
    assert requests_to(upstream)[-1] == "POST /runs/r1/cancel"


async def test_a_start_that_the_agent_server_refuses_is_a_failed_run(store: SqliteStore, agents: Agents) -> None:
    upstream = agent_server()
    upstream.respond = lambda connection: (
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        if connection == 0
        else 'HTTP/1.1 422 No\r\nConnection: close\r\n\r\n{"error": {"message": "not such a run"}}'
    )
    await agents.start(project(store, upstream_agent(upstream)), "r1")
    task = await wait_until_ended(store, "r1")
    assert task.status == "failed"
    assert task.error is not None
    assert task.error.endswith("answered 422 No: not such a run")


async def test_an_agent_server_that_returns_is_available_again(
    store: SqliteStore, agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    from signalbox.webapp.agents import health

    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)
    upstream = agent_server()
    our_project = project(store, upstream_agent(upstream))
    assert await agents.available(our_project)
    upstream.shut()
    assert not await agents.available(our_project)
    upstream.listen()
    assert await agents.available(our_project)


async def test_a_missing_token_in_one_project_does_not_affect_another(store: SqliteStore, agents: Agents) -> None:
    config = upstream_agent(agent_server())
    assert not await agents.available(project(store, {**config, "token_env": "NOBODY_SET_THIS"}))
    assert await agents.available(project(store, config, "other"))


async def test_a_run_is_still_relayed_after_a_restart(store: SqliteStore) -> None:
    upstream = agent_server(*(f"event: log\ndata: line {n}" for n in range(10)), "event: status\ndata: Task success")
    upstream.cut_after_blocks = lambda connection: 5 if connection < 3 else None
    first = Agents(store)
    await first.start(project(store, upstream_agent(upstream)), "r1")
    await wait_for_task(store, "r1", lambda task: task.latest_seq >= 6)
    await first.stop()
    second = Agents(store)
    second.resume()
    assert (await wait_until_ended(store, "r1")).status == "done"
    await second.stop()
    assert await lines_of(store, "r1") == [f"line {n}" for n in range(10)]
    assert requests_to(upstream).count("POST /runs") == 1
