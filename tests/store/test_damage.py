"""A full disk and a damaged log: health reports them, errors are clear, and other tasks are unaffected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from signalbox.store import StoreDamaged, open_store
from signalbox.store.errors import StoreFull
from signalbox.store.sqlite import SqliteStore
from signalbox.store.sqlite.doctor import examine
from signalbox.store.tail import Tail
from signalbox.store.wake import Wake
from tests.support.damaged_database import BIG, create_database_with_damaged_log
from tests.support.server import Server
from tests.support.sse import open_stream


def test_a_full_disk_is_a_problem_until_there_is_room(store: SqliteStore) -> None:
    store.append("run", BIG)
    writing = store._writer._connection
    (pages,) = writing.execute("PRAGMA page_count").fetchone()
    writing.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreFull) as caught:
        store.append("run", [BIG] * 50)
    assert caught.value.retryable
    assert [code for code, _ in store.problems] == ["disk_full"]
    store.check()
    assert [code for code, _ in store.problems] == ["disk_full"]
    writing.execute("PRAGMA max_page_count = 1000000")
    store.check()
    assert store.problems == []
    assert store.append("run", [BIG] * 50)[-1].seq == 51
    assert list(examine(store.path)) == []


async def test_damage_is_reported_as_an_error_that_no_retry_helps(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    create_database_with_damaged_log(path)
    store = open_store(f"sqlite:///{path}")
    with pytest.raises(StoreDamaged) as caught:
        async with store.read() as view:
            await view.events("torn", 0, 100)
    assert not caught.value.retryable
    assert [code for code, _ in store.problems] == ["store_damaged"]
    async with store.read() as view:
        assert len(await view.events("sound", 0, 100)) == 40
    assert store.append("sound", BIG)[0].seq == 41
    await store.aclose()


def test_a_server_serves_the_readable_tasks_of_a_damaged_database(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.kill()
    if server.path.exists():
        server.replace_database()
    create_database_with_damaged_log(server.path)
    server.start()
    refused = server.get("/api/tasks/torn/events")
    assert (refused.status_code, refused.json()["error"]["code"]) == (500, "store_damaged")
    assert "retry-after" not in refused.headers
    health = server.get("/api/events/health")
    assert (health.status_code, health.json()["problems"][0]["code"]) == (503, "store_damaged")
    with open_stream(f"{server.url}/sse/tasks/torn/events") as stream:
        last = list(stream)[-1]
    assert (last.event, last.json["reason"], last.retry) == ("reconnect", "damaged", 30_000)
    with open_stream(f"{server.url}/sse/tasks/sound/events?since_seq=40") as stream:
        assert server.post("/api/tasks/sound/events", {"event_type": "log"}).status_code == 201
        assert next(message for message in stream if message.id).id == "41"
    assert server.get("/tasks/sound").status_code == 200


async def test_the_tail_skips_unreadable_events(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    create_database_with_damaged_log(path)
    store = open_store(f"sqlite:///{path}")
    seen: list[int] = []
    tail = Tail(
        store, lambda events: seen.extend(event.seq for event in events if event.task_id == "sound"), Wake(store)
    )
    tail.position = 1
    for _ in range(10):
        await tail._read()
    assert seen[:5] == [1, 2, 3, 4, 5]
    assert seen[-5:] == [36, 37, 38, 39, 40]
    assert len(seen) >= 30
    await tail.stop()
    await store.aclose()
