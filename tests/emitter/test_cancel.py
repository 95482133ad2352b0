"""Cancelling a run, and audits of actions of people."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from signalbox.store import NewEvent, open_task
from signalbox.store.remote import RemoteLog
from signalbox.store.sqlite import SqliteStore
from tests.support.command import start
from tests.support.rendering import main
from tests.support.server import Server
from tests.support.waiting import wait_until


def press_cancel(server: Server, task: str, **form: str) -> httpx.Response:
    return httpx.post(f"{server.url}/tasks/{task}/cancel", data=form)


def task(server: Server, task_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = server.get(f"/api/tasks/{task_id}").json()
    return shown


def test_a_cancel_is_recorded_as_an_event_of_the_user_and_audited(server: Server) -> None:
    server.emit("stop", "hello")
    response = press_cancel(server, "stop", reason=" too slow ")
    assert (response.status_code, response.headers["Location"]) == (303, "/tasks/stop")
    (event,) = server.get("/api/tasks/stop/events/latest?limit=1").json()
    assert (event["event_type"], event["actor"]) == ("cancel_requested", "user")
    assert event["payload"] == {"reason": "too slow", "by": "local user"}
    page = server.get("/tasks/stop/audits").text
    for text in ("asked ", " to stop", "local user", 'href="/tasks/stop/events/2"', "127.0.0.1", "too slow"):
        assert text in page


def test_clients_cancel_in_json(server: Server) -> None:
    server.emit("json", "hello")
    response = server.post("/api/tasks/json/cancel", {})
    assert (response.status_code, response.json()["payload"]) == (201, {"by": "local user"})
    assert task(server, "json")["cancel_requested"]
    assert server.post("/api/tasks/json/cancel", {"why": "x"}).status_code == 400
    assert server.post("/api/tasks/nobody/cancel", {}).status_code == 404


def test_an_ended_run_cannot_be_cancelled(server: Server) -> None:
    server.emit("over", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    response = press_cancel(server, "over")
    assert response.status_code == 409
    assert "the run has ended: it is done" in response.text
    assert 'action="/tasks/over/cancel"' not in server.get("/tasks/over").text
    assert server.latest("over") == 1
    assert press_cancel(server, "nobody").status_code == 404


@pytest.mark.parametrize("kind", ["store", "server"])
def test_a_run_sees_its_cancel(server: Server, kind: str) -> None:
    log: SqliteStore | RemoteLog = server.store if kind == "store" else RemoteLog(server.url)
    with open_task(log, f"sees-{kind}") as run:
        assert not run.cancelled
        press_cancel(server, f"sees-{kind}")
        wait_until(lambda: run.cancelled)


INTERRUPTIBLE = "import signal, time\nprint('ready', flush=True)\nwhile True: time.sleep(0.05)"
UNINTERRUPTIBLE = (
    "import signal, time\n"
    "for n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, lambda n, _: print('heard', n, flush=True))\n"
    "print('ready', flush=True)\nwhile True: time.sleep(0.05)"
)


def messages(server: Server, task_id: str) -> list[str]:
    events = server.get(f"/api/tasks/{task_id}/events?limit=1000&type=log").json()["events"]
    return [event["payload"]["message"] for event in events]


@pytest.mark.parametrize("target", ["--store", "--server"])
def test_the_cancel_button_interrupts_a_command(server: Server, target: str) -> None:
    name, url = f"polite{target}", server.store_url if target == "--store" else server.url
    running = start("run", target, url, "--task", name, "--", sys.executable, "-c", INTERRUPTIBLE)
    wait_until(lambda: server.get(f"/api/tasks/{name}").status_code == 200 and "ready" in messages(server, name))
    press_cancel(server, name)
    running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGINT
    assert task(server, name)["status"] == "cancelled"


def test_repeated_cancels_escalate_to_sigkill(server: Server) -> None:
    arguments = ("--store", server.store_url, "--task", "stubborn", "--grace", "600")
    running = start("run", *arguments, "--", sys.executable, "-c", UNINTERRUPTIBLE)
    wait_until(lambda: server.get("/api/tasks/stubborn").status_code == 200 and "ready" in messages(server, "stubborn"))
    press_cancel(server, "stubborn")
    wait_until(lambda: f"heard {signal.SIGINT.value}" in messages(server, "stubborn"))
    press_cancel(server, "stubborn")
    wait_until(lambda: f"heard {signal.SIGTERM.value}" in messages(server, "stubborn"))
    press_cancel(server, "stubborn")
    running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGKILL
    assert task(server, "stubborn")["status"] == "cancelled"


def test_audits_are_paged(start_server: Callable[..., Server]) -> None:
    server = start_server()
    assert "No actions yet" in server.get("/audits").text
    assert server.get("/tasks/nobody/audits").status_code == 404
    for task_id in ("run-0", "run-1"):
        server.emit(task_id, "started")
    for n in range(205):
        server.store.audit("ann", "looked", task_id=f"run-{n % 2}", seq=n + 1, detail={"text": f"<b>{n}</b>"})
    first = server.get("/audits").text
    pages = [first]
    while older := re.search(r'rel="next" href="([^"]+)"', pages[-1]):
        pages.append(server.get(older[1]).text)
    seqs = re.findall(r">#(\d+)</a>", "".join(pages))
    assert [int(seq) for seq in seqs] == list(range(205, 0, -1))
    assert "<b>20" not in first
    assert len(re.findall(r">#\d+</a>", server.get("/tasks/run-0/audits").text)) == 100


def test_a_cross_site_request_cancels_nothing(server: Server) -> None:
    server.emit("cross", "hello")
    response = httpx.post(f"{server.url}/tasks/cross/cancel", headers={"Origin": "http://evil.example"})
    assert response.status_code == 403
    assert server.latest("cross") == 1


def test_audits_say_in_words_what_was_done(server: Server) -> None:
    """A detail is no JSON and repeats no other column; a deleted task has no page, so nothing links to it."""
    server.emit("gone", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    server.store.delete_task("gone", actor="ann")
    server.emit("ended", "hello")
    press_cancel(server, "ended", reason="too slow")
    page = server.get("/audits").text.partition("data-rows")[2]
    says = [node for node in main(server.get("/audits").text).walk() if node.attributes.get("class") == "audit-says"]
    words = [" ".join(node.text.split()) for node in says]
    assert words[:2] == ["local user asked ended to stop: too slow", "ann deleted gone permanently"]
    assert "{" not in page
    assert 'href="/tasks/gone"' not in page
