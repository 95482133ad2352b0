"""Test `signalbox migrate-store`, and a server whose store it moves."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.support.command import signalbox
from tests.support.server import Server
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


def test_wrong_stores_are_refused_in_one_line() -> None:
    for source, said in (("nothing", "a store URL looks like"), ("sqlite:////nowhere/a.db", "there is no directory")):
        refused = signalbox("migrate-store", source, "sqlite:////nowhere/b.db")
        assert refused.returncode in (1, 2)
        assert said in refused.stderr
        assert refused.stderr.count("\n") == 1
