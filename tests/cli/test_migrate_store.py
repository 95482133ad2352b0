"""Test `signalbox migrate-store`, and a server whose store it moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from tests.support.command import signalbox
from tests.support.server import Server
from tests.support.sse import open_stream
from tests.support.waiting import wait_until


def test_a_server_says_that_its_store_moved_and_continues_at_the_new_url(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    server.emit("nightly", "one", "two")
    server.store.close()
    server._store = None
    target = f"sqlite:///{server.path.parent}/moved.db"
    moved = signalbox("migrate-store", server.store_url, target, "--json")
    assert moved.returncode == 0, moved.stderr
    assert "copying: 2 events copied" in moved.stderr
    assert json.loads(moved.stdout) | {"waited": 0} == {"tasks": 1, "events": 2, "waited": 0, "url": target}
    refused = wait_until(lambda: (found := server.get("/api/tasks")).status_code == 503 and found)
    assert refused.json()["error"]["code"] == "store_moved"
    assert refused.headers["Retry-After"] == "5"
    assert str(server.path.parent) not in refused.text
    assert [problem["code"] for problem in server.get("/readyz").json()["problems"]] == ["store_moved"]
    page = server.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert "moved to another database" in page.text
    append = server.post("/api/tasks/nightly/events", json={"event_type": "log"})
    assert append.status_code == 503
    again = signalbox("migrate-store", server.store_url, target)
    assert again.stdout.startswith("already moved: 1 tasks and 2 events are in")
    server.stop()
    server.store_url = target
    server.start()
    assert server.latest("nightly") == 2
    assert server.post("/api/tasks/nightly/events", json={"event_type": "log"}).status_code in (200, 201)


def test_a_reader_with_its_last_event_id_loses_nothing_by_the_move(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server()
    target = f"sqlite:///{tmp_path}/moved.db"
    server.emit("read", *[str(n) for n in range(1, 31)])
    server.close()
    server._store = None
    server.start()
    path = "/sse/tasks/read/events"
    before = ids_of(f"{server.url}{path}", 20)
    assert signalbox("migrate-store", server.store_url, target).returncode == 0
    server.stop()
    server.store_url = target
    server.start()
    server.emit("read", "after the move")
    after = ids_of(f"{server.url}{path}", 11, headers={"Last-Event-ID": before[-1]})
    assert before + after == [str(seq) for seq in range(1, 32)]


def ids_of(url: str, count: int, **options: Any) -> list[str]:
    """Return the ids of the first events of a stream."""
    with open_stream(url, **options) as stream:
        kept = list(islice((message for message in stream if message.id is not None), count))
    assert {message.event for message in kept} == {""}, "the stream was not reset"
    return [str(message.id) for message in kept]


def test_wrong_stores_are_refused_in_one_line() -> None:
    for source, said in (("nothing", "a store URL looks like"), ("sqlite:////nowhere/a.db", "there is no directory")):
        refused = signalbox("migrate-store", source, "sqlite:////nowhere/b.db")
        assert refused.returncode in (1, 2)
        assert said in refused.stderr
        assert refused.stderr.count("\n") == 1
