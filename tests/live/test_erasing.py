"""Test erasing over HTTP and with the command: open pages get the erased page, and no page has the text any more."""

from __future__ import annotations

import getpass
import json
import os
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import httpx
import pytest

from signalbox.store import NewEvent
from signalbox.store.chain.tombstones import tombstone_of
from signalbox.webapp.cli import run_command_line
from tests.support.command import signalbox
from tests.support.log import audits_of, log_of
from tests.support.server import Server
from tests.support.sse import open_stream

SECRET = "Zyxwv Utsrq"


def fill(server: Server, task_id: str) -> None:
    server.emit(
        task_id,
        NewEvent(event_type="runner_spawn", span_id="main"),
        f"before {SECRET}",
        NewEvent(event_type="work_item_start", span_id="w", payload={"work_item_id": "w", "name": SECRET}),
        NewEvent(event_type="work_item_failed", span_id="w", payload={"work_item_id": "w", "error": SECRET}),
        NewEvent(event_type="user_message", payload={"content": SECRET}),
        NewEvent(event_type="runner_exit", span_id="main", payload={"exit_code": 1, "error": SECRET}),
    )


def pages(task_id: str) -> list[str]:
    task = f"/tasks/{task_id}"
    parts = ("", "/log", "/events/2", "/events/4", "/raw?full=1", "/export.html", "/export.ndjson?full=1")
    spans = ("/spans", "/spans.csv", "/spans/w", "/waterfall", "/flame")
    api = ("", "/events", "/outcome", "/graph")
    return [
        *(f"{task}{part}" for part in (*parts, *spans)),
        f"{task}?at=5",
        *(f"/api{task}{part}" for part in api),
        "/",
        "/audits",
    ]


def test_erased_texts_disappear_from_open_pages_and_all_others(server: Server) -> None:
    fill(server, "run")
    for page in pages("run"):
        server.get(page, follow_redirects=True)
    with open_stream(f"{server.url}/tasks/run/stream?since_seq=6", timeout=60) as stream:
        assert any(message.event == "heartbeat" for message in stream)
        response = server.post("/api/tasks/run/erasures", json={"seqs": [2, 3, 4, 5, 6], "reason": "asked for"})
        assert response.json() == {"erased": [2, 3, 4, 5, 6]}
        assert any(message.event == "reset" for message in stream)
    for page in pages("run"):
        found = server.get(page, follow_redirects=True)
        assert found.status_code == 200, page
        assert SECRET not in found.text, page
    row = server.get("/tasks/run/log", follow_redirects=True).text
    assert "Erased by" in row
    assert "asked for" in row
    assert audits_of(server.store, "run")[0]["action"] == "events_erased"


def test_an_erasure_names_what_is_wrong(server: Server) -> None:
    fill(server, "wrong")
    for body, status in (
        ({"seqs": [99], "reason": "x"}, 404),
        ({"seqs": [], "reason": "x"}, 400),
        ({"seqs": [2]}, 400),
        ({"seqs": [2], "reason": ""}, 400),
    ):
        response = httpx.post(f"{server.url}/api/tasks/wrong/erasures", json=body)
        assert response.status_code == status, response.text
        assert response.json()["error"]["message"]
    assert httpx.post(f"{server.url}/api/tasks/none/erasures", json={"seqs": [1], "reason": "x"}).status_code == 404
    assert SECRET in bytes(log_of(server.store, "wrong")[1].payload_json).decode()


def test_the_heads_of_a_log_are_read_over_http(server: Server) -> None:
    fill(server, "heads")
    found = server.get("/api/tasks/heads/heads").json()
    assert (found["seq"], found["ended"], len(found["link"])) == (6, True, 64)
    assert server.get("/api/tasks/none/heads").status_code == 404


def _without_name() -> str:
    raise KeyError("getpwuid(): uid not found")


def test_the_command_erases_the_events_by_a_person(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.emit("ann", NewEvent(event_type="runner_spawn", span_id="main"), f"only here {SECRET}")
    server.store.append_audited(
        "ann",
        NewEvent(event_type="message_sent", actor="user", payload={"text": SECRET, "by": "ann@example.org"}),
        actor="ann@example.org",
        action="message_sent",
    )
    monkeypatch.setattr(getpass, "getuser", _without_name)
    assert run_command_line(["erase", "ann", "2", "--reason", "x", "--store", server.store_url]) == 0
    tombstone = tombstone_of(log_of(server.store, "ann")[1].payload)
    assert tombstone is not None
    assert tombstone.by == f"uid {os.getuid()} (command)"
    erased = signalbox(
        "erase", "--person", "ann@example.org", "--reason", "left", "--json", "--store", server.store_url
    )
    assert json.loads(erased.stdout) == [{"task_id": "ann", "erased": [3]}]
    verified = signalbox("verify", "ann", "--store", server.store_url)
    assert (verified.returncode, "erased: #2, #3" in verified.stdout) == (0, True), verified.stdout
    database = Path(server.store_url.removeprefix("sqlite:///"))
    for file in database.parent.glob(f"{database.name}*"):
        assert b"only here Zyxwv" not in file.read_bytes(), file


@pytest.mark.parametrize("page", ["/watch?task=asked&task=other", "/permissions"])
def test_an_erased_text_disappears_from_an_open_page_of_several_tasks(
    start_server: Callable[..., Server], page: str
) -> None:
    server = start_server(keepalive_interval=30)
    server.emit("other", "something else")
    request = {"request_id": "r1", "tool_name": "rm", "reason": SECRET}
    server.emit("asked", NewEvent(event_type="permission_request", payload=request))
    live = re.search(r'<live-stream[^>]* data-src="([^"]*)"[^>]* data-seq="(\d+)"', server.get(page).text)
    assert live
    address, since = unescape(live[1]), live[2]
    with open_stream(f"{server.url}{address}&since={since}", timeout=15) as stream:
        frames = (message.data for message in stream if message.data and not message.event)
        server.emit("asked", NewEvent(event_type="permission_request", payload={**request, "request_id": "r2"}))
        assert SECRET in next(frames)
        response = server.post("/api/tasks/asked/erasures", json={"seqs": [1, 2], "reason": "asked for"})
        assert response.json() == {"erased": [1, 2]}
        assert SECRET not in next(frames)
