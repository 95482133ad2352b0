"""Questions of coding agents to people."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signalbox.store import NewEvent, open_store
from signalbox.webapp.acts.agent_questions import AgentQuestions
from tests.support.waiting import wait_until

REQUEST = NewEvent(event_type="permission_request", span_id="call", payload={"request_id": "q", "explanation": "make"})


async def test_a_question_is_withdrawn_although_the_agent_hung_up_before_it_was_stored(tmp_path: Path) -> None:
    database = tmp_path / "x.db"
    store = open_store(f"sqlite:///{database}")
    task, _ = await store.acreate_task("session")
    questions = AgentQuestions(store)
    with closing(sqlite3.connect(database)) as other:
        other.execute("BEGIN IMMEDIATE")
        asking = asyncio.create_task(questions.ask("session", REQUEST, 60, identity=task.identity))
        for _ in range(10):
            await asyncio.sleep(0)  # The append begins, and waits for the lock.
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        # A withdrawal that looked now would find no question.
        await asyncio.sleep(0.1)
        other.rollback()

    def withdrawn() -> bool:
        with closing(sqlite3.connect(database)) as connection:
            found = connection.execute("SELECT open FROM task_permissions").fetchall()
        return found == [(0,)]

    await asyncio.to_thread(wait_until, withdrawn)
    await store.aclose()


async def test_a_question_expires_by_the_clock_of_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor compares with it: a server whose clock is late would withdraw its own question at once."""
    store = open_store(f"sqlite:///{tmp_path / 'x.db'}")
    monkeypatch.setattr(type(store), "clock_offset", 3600.0)
    task, _ = await store.acreate_task("session")
    asking = asyncio.create_task(AgentQuestions(store).ask("session", REQUEST, 60, identity=task.identity))

    async def expiry() -> str:
        while True:
            async with store.read() as view:
                if asked := await view.permission("session", "q"):
                    return asked.expires_at or ""
            await asyncio.sleep(0.01)

    expires = datetime.fromisoformat(await expiry()) - datetime.now(UTC)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await store.aclose()
    assert timedelta(seconds=3600) < expires <= timedelta(seconds=3660)


async def test_a_question_of_a_deleted_task_closes_none_of_the_next_task_with_its_id(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'x.db'}")
    deleted, _ = await store.acreate_task("session")
    await store.adelete_task("session")
    later, _ = await store.acreate_task("session")
    await store.aappend("session", REQUEST)
    questions = AgentQuestions(store)
    await questions.close_request("session", "q", "call", "expired", "nobody answered", identity=deleted.identity)
    async with store.read() as view:
        (still_open,) = await view.permissions("session")
    assert still_open.state == "open"
    await questions.close_request("session", "q", "call", "expired", "nobody answered", identity=later.identity)
    async with store.read() as view:
        assert await view.permissions("session") == []
    await store.aclose()
