"""Test the quotas of tokens: counted per minute over all processes, and refused before the body is read."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import NewEvent, Store, open_store
from signalbox.store.events import new_id
from signalbox.store.people import Token
from signalbox.store.remote.spooled import SpooledLog
from signalbox.store.spool.place import FOLDER_VARIABLE
from signalbox.webapp.app import create_app
from signalbox.webapp.auth.quotas import Quotas, Used
from signalbox.webapp.http.refusals import QuotaExceeded
from signalbox.webapp.settings import Settings
from tests.people.test_access import ROUTES, address
from tests.support.command import signalbox
from tests.support.log import log_of
from tests.support.people import person, project, session, token, wait_until_guarded
from tests.support.server import Server
from tests.support.waiting import wait_until

LINE = {"event_type": "log", "payload": {"message": "hello"}}

WRITES = {
    rule: route
    for rule, route in ROUTES.items()
    if not rule.startswith(("GET", "WEBSOCKET", "POST /api/agui/projects"))
    and route.need in ("read", "emit", "respond", "admin", "some")
}
"""The routes that programs may use, without those that only read, and without one that follows the run it starts."""

MUST_COUNT = {
    *("POST /api/tasks/<task_id>/events", "POST /api/tasks/<task_id>/artifacts", "POST /api/tasks/<task_id>/cancel"),
    *("POST /api/tasks/<task_id>/messages", "POST /api/tasks/<task_id>/retries", "POST /api/tasks/<task_id>/tags"),
    "POST /api/tasks/<task_id>/permissions/<name:request_id>",
    "DELETE /api/tasks/<task_id>/allowances/<name:tool_name>",
    "POST /api/sse/permission-response/<session_id>",
    *("POST /api/hooks/<agent>", "POST /mcp", "POST /v1/traces", "POST /v1/logs"),
}
"""The routes of the API that are known to store events."""

BUSY = [
    NewEvent(event_type="runner_spawn"),
    NewEvent(event_type="permission_request", payload={"request_id": "r0", "tool_name": "rm"}),
    NewEvent(event_type="permission_response", payload={"request_id": "r0", "approved": True, "always": True}),
    NewEvent(event_type="permission_request", payload={"request_id": "r1", "tool_name": "deploy"}),
]
"""A run with a tool that is always allowed, and with an open permission request."""

END = NewEvent(event_type="runner_exit")
"""Ends a run, so that a response that follows it ends too."""


def limited(events: int | None = None, size: int | None = None) -> Token:
    at = "2026-01-01T00:00:00.000000Z"
    return Token(
        token_id="t", name="ci", scopes=("emit",), created_at=at, events_per_minute=events, bytes_per_minute=size
    )


async def count_events(store: Store) -> int:
    async with store.read() as view:
        return len(await view.events_after(0))


def send_message_call(task_id: str) -> dict[str, Any]:
    """Return the call of an MCP tool that acts on a run."""
    arguments = {"task_id": task_id, "text": "hello"}
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "send_message", "arguments": arguments},
    }


class Clock:
    now = 30.0

    def __call__(self) -> float:
        return self.now


def test_a_used_up_quota_refuses_until_the_next_minute() -> None:
    clock, ci = Clock(), limited(events=10, size=1000)
    quotas = Quotas(lambda key: 0, lambda: None, clock)
    quotas.admit(ci, 400)
    quotas.count_events(ci, 9)
    quotas.admit(ci, 400)
    quotas.count_events(ci, 500)
    assert quotas.used(ci) == Used(509, 800)
    with pytest.raises(QuotaExceeded, match="the token ci may send 10 events per minute, and has sent them") as caught:
        quotas.admit(ci, 1)
    assert caught.value.retry_after == 30
    clock.now = 60.0
    quotas.admit(ci, 5000)
    with pytest.raises(QuotaExceeded, match="may send 1,000 bytes per minute"):
        quotas.admit(ci, 1)
    assert quotas.refused == 2


def test_what_other_processes_counted_counts_too() -> None:
    elsewhere = {("quota_events", "0:t"): 10}
    quotas = Quotas(lambda key: elsewhere.get(key, 0), lambda: None, Clock())
    assert quotas.used(limited(events=10)) == Used(10, 0)
    with pytest.raises(QuotaExceeded):
        quotas.admit(limited(events=10), 1)


def test_a_token_without_a_quota_is_not_counted() -> None:
    quotas = Quotas(lambda key: 0, lambda: None, Clock())
    quotas.count_events(limited(), 10)
    assert dict(quotas.counts()) == {}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("quotas")).start()
    person(started.store, "admin@example.org", admin=True)
    wait_until_guarded(started)  # before that, a token is not looked at
    yield started
    started.close()


def early_in_a_minute() -> bool:
    """Return whether the minute in which quotas are counted does not end soon."""
    return time.time() % 60 < 50


def test_requests_over_a_quota_are_refused_before_their_body_is_read(guarded: Server) -> None:
    task = f"/api/tasks/quota-{new_id()}"
    ci = token(guarded.store, f"over-{new_id()}", events_per_minute=3)
    wait_until(early_in_a_minute)
    wait_until(lambda: guarded.get("/api/tasks", headers=ci).status_code == 200)
    assert guarded.post(f"{task}/events", json=[LINE] * 5, headers=ci).status_code == 201
    refused = guarded.post(f"{task}/events", json=LINE, headers=ci)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota_exceeded")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    exported = guarded.post("/v1/traces", json={"resourceSpans": []}, headers=ci)
    assert (exported.status_code, "Retry-After" in exported.headers) == (429, True)
    assert guarded.get(task, headers=ci).json()["latest_seq"] == 5
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=60) as sent:
        head = f"POST {task}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        sent.sendall(f"{head}Authorization: {ci['Authorization']}\r\nContent-Length: 1000000\r\n\r\n".encode())
        assert sent.recv(100).startswith(b"HTTP/1.1 429 ")
    assert re.search(r"signalbox_requests_over_quota [1-9]", guarded.get("/metrics", headers=ci).text)


def test_bytes_count_as_they_are_sent(guarded: Server) -> None:
    ci = token(guarded.store, f"bytes-{new_id()}", bytes_per_minute=1000)
    wait_until(early_in_a_minute)
    wait_until(lambda: guarded.get("/api/tasks", headers=ci).status_code == 200)
    body = b'{"event_type": "log", "payload": {"message": "%s"}}' % (b"x" * 1200)
    headers = {**ci, "Content-Type": "application/json"}
    assert guarded.post("/api/tasks/bytes/events", content=iter([body]), headers=headers).status_code == 201
    assert guarded.post("/api/tasks/bytes/events", content=body, headers=headers).status_code == 429


@pytest.mark.long
def test_a_program_over_its_quota_goes_on_and_loses_nothing(
    guarded: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    token(guarded.store, "spooled", events_per_minute=2)
    wait_until(lambda: guarded.get("/api/tasks", headers={"Authorization": "Bearer spooled"}).status_code == 200)
    log = SpooledLog(guarded.url, "spooled")
    for number in range(10):
        log.append("kept", NewEvent(event_type="log", payload={"message": str(number)}))
    assert log.spool.in_use()
    (ci,) = (one for one in asyncio.run(guarded.store.people.tokens()) if one.name == "spooled")
    guarded.store.people.set_quota(ci.token_id, None, None)
    # The next request is due after the minute; `flush` tries at once.
    wait_until(lambda: log.spool.flush(5, 5) == 0)
    log.close()
    assert [event.payload["message"] for event in log_of(guarded.store, "kept")] == [
        str(number) for number in range(10)
    ]


def test_processes_on_one_store_share_a_quota(guarded: Server, tmp_path: Path) -> None:
    other = Server(tmp_path, store_url=guarded.store_url).start()
    ci = token(guarded.store, "shared", events_per_minute=2)
    wait_until(lambda: guarded.get("/api/tasks", headers=ci).status_code == 200)

    def other_refuses() -> bool:
        # Sent again and again, because a new minute may begin. The other process counts no event of an invalid body.
        guarded.post("/api/tasks/shared/events", json=[LINE] * 2, headers=ci)
        answered = other.post(
            "/api/tasks/shared/events", content=b"{", headers={**ci, "Content-Type": "application/json"}
        )
        assert answered.status_code in (400, 429)
        return answered.status_code == 429

    wait_until(other_refuses)
    other.close()


async def test_every_route_that_stores_events_counts_them(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    monkeypatch.setattr(Quotas, "count_events", lambda self, token, number: counted.append(number))
    app = create_app(Settings(store=url))
    with closing(open_store(url)) as opened:
        person(opened, "admin@example.org", admin=True)
        project(opened, "ours")
        headers = token(opened, "ci", project_id="ours", events_per_minute=1_000_000)
    async with app.test_app():
        store, client = app.extensions["store"], app.test_client()
        counting = set()
        for number, (rule, route) in enumerate(WRITES.items()):
            task_id = f"task-{number}"
            await store.acreate_task(task_id, project_id="ours")
            await store.aappend(task_id, BUSY if "agui" not in rule else [*BUSY, END], own=True)
            before = await count_events(store)
            counted.clear()
            path = re.sub(r"<(?:[^:>]*:)?(task|session|run)_id>", task_id, rule.partition(" ")[2])
            data = {"form": route.form} if route.form is not None else {"json": route.body or {}}
            if rule == "POST /mcp":
                data = {"json": send_message_call(task_id)}
            method, sent = rule.partition(" ")[0], headers | {"Accept": "application/json, text/event-stream"}
            await client.open(address(f" {path}", route), method=method, headers=sent, **data)
            if await count_events(store) > before:
                counting.add(rule)
                assert counted, f"{rule} stored events and counted none"
    assert counting >= MUST_COUNT, f"these stored no events here: {MUST_COUNT - counting}"


def test_the_page_of_tokens_shows_and_sets_quotas(guarded: Server) -> None:
    browser = session(guarded.store, person(guarded.store, "page@example.org", admin=True))
    form = {"name": "paged", "scope": "emit", "days": "90", "events_per_minute": "6,000", "bytes_per_minute": ""}
    origin = {**browser, "Origin": guarded.url}
    assert guarded.post("/admin/tokens", data=form, headers=origin).status_code == 201
    page = guarded.get("/admin/tokens", headers=browser).text
    assert "0 of 6,000 events" in page
    assert "of tokens over their quota refused" in guarded.get("/admin/health", headers=browser).text
    token_id = re.findall(r"/admin/tokens/(\w+)/quota", page)[0]
    change = {"events_per_minute": "", "bytes_per_minute": "500"}
    assert guarded.post(f"/admin/tokens/{token_id}/quota", data=change, headers=origin).status_code == 303
    assert "0 of 500 bytes" in guarded.get("/admin/tokens", headers=browser).text
    for bad in ("many", "-1", "0", "1" * 20):
        refused = guarded.post(f"/admin/tokens/{token_id}/quota", data={"bytes_per_minute": bad}, headers=origin)
        assert refused.status_code == 400
        assert "The quota was not set: bytes_per_minute must be a whole number" in refused.text


def test_quotas_are_set_from_the_command_line(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/signalbox.db"
    made = signalbox("token", "create", "ci", "--events-per-minute", "6000", "--store", store)
    assert made.returncode == 0, made.stderr
    listed = signalbox("token", "list", "--store", store).stdout
    assert "6,000 events" in listed
    token_id = listed.splitlines()[1].split()[0]
    changed = signalbox("token", "quota", token_id, "--bytes-per-minute", "1000000", "--store", store)
    assert changed.stdout == f"{token_id}: 6,000 events, 1,000,000 bytes\n"
    assert signalbox("token", "quota", token_id, "--events-per-minute", "none", "--store", store).stdout.endswith(
        ": 1,000,000 bytes\n"
    )
    assert signalbox("token", "quota", token_id, "--events-per-minute", "few", "--store", store).returncode == 2
    assert signalbox("token", "quota", "nobody", "--events-per-minute", "5", "--store", store).returncode == 1
