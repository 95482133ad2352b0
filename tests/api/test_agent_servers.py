"""Agent servers: what runs for a project somewhere else, and is relayed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.agents import Agents
from tests.support.agents import ended, lines_of, project, when
from tests.support.log import cancel
from tests.support.upstream import Upstream


@pytest.fixture
async def agents(store: SqliteStore) -> AsyncIterator[Agents]:
    made = Agents(store)
    yield made
    await made.stop()


def agent_server(*blocks: str) -> Upstream:
    """An agent server whose only run says `blocks`, and that answers all else with 200."""
    upstream = Upstream([f"id: {number}\n{block}" for number, block in enumerate(blocks, 1)])
    upstream.idle = True

    def answer(connection: int) -> str | None:
        path = upstream.requests[connection].split()[1]
        return None if path.endswith("/stream") else "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    upstream.answer = answer
    return upstream


def upstream_agent(upstream: Upstream) -> dict[str, Any]:
    return {"kind": "upstream", "url": upstream.url.removesuffix("/stream")}


def asked(upstream: Upstream) -> list[str]:
    return [" ".join(request.split()[:2]) for request in upstream.requests]


async def test_a_run_of_an_agent_server_becomes_a_task(store: SqliteStore, agents: Agents) -> None:
    upstream = agent_server("event: log\ndata: one", "event: status\ndata: Task success")
    await agents.start(project(store, upstream_agent(upstream)), "r1")
    assert (await ended(store, "r1")).status == "done"
    assert await lines_of(store, "r1") == ["one"]
    assert asked(upstream) == ["GET /health", "POST /runs", "GET /runs/r1/stream"]
    assert '{"run_id":"r1"}' in upstream.bodies[1].replace(" ", "")


async def test_a_cancel_is_handed_on_to_the_agent_server(
    store: SqliteStore, agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    from signalbox.webapp.relay import follow_upstream

    monkeypatch.setattr(follow_upstream, "CANCEL_GRACE", 0.1)
    upstream = agent_server("event: log\ndata: one")
    await agents.start(project(store, upstream_agent(upstream)), "r1")
    await when(store, "r1", lambda task: task.latest_seq >= 2)
    cancel(store, "r1", "ann")
    assert (await ended(store, "r1")).status == "cancelled"
    assert asked(upstream)[-1] == "POST /runs/r1/cancel"


async def test_what_the_agent_server_refuses_is_a_failed_run(store: SqliteStore, agents: Agents) -> None:
    upstream = agent_server()
    upstream.answer = lambda connection: (
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        if connection == 0
        else 'HTTP/1.1 422 No\r\nConnection: close\r\n\r\n{"error": {"message": "not such a run"}}'
    )
    await agents.start(project(store, upstream_agent(upstream)), "r1")
    task = await ended(store, "r1")
    assert task.status == "failed"
    assert task.error is not None
    assert task.error.endswith("answered 422 No: not such a run")


async def test_an_agent_server_that_comes_back_is_available_again(
    store: SqliteStore, agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    from signalbox.webapp.agents import health

    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)
    upstream = agent_server()
    mine = project(store, upstream_agent(upstream))
    assert await agents.available(mine)
    upstream.shut()
    assert not await agents.available(mine)
    upstream.listen()
    assert await agents.available(mine)


async def test_what_one_project_has_no_token_for_another_may_have(store: SqliteStore, agents: Agents) -> None:
    config = upstream_agent(agent_server())
    assert not await agents.available(project(store, {**config, "token_env": "NOBODY_SET_THIS"}))
    assert await agents.available(project(store, config, "other"))


async def test_a_run_is_followed_again_after_a_restart(store: SqliteStore) -> None:
    upstream = agent_server(*(f"event: log\ndata: line {n}" for n in range(10)), "event: status\ndata: Task success")
    upstream.cut = lambda connection: 5 if connection < 3 else None
    first = Agents(store)
    await first.start(project(store, upstream_agent(upstream)), "r1")
    await when(store, "r1", lambda task: task.latest_seq >= 6)
    await first.stop()
    second = Agents(store)
    second.resume()
    assert (await ended(store, "r1")).status == "done"
    await second.stop()
    assert await lines_of(store, "r1") == [f"line {n}" for n in range(10)]
    assert asked(upstream).count("POST /runs") == 1
