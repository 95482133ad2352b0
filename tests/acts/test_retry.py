"""Retrying a run's command from its page, and the commands that must never run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from signalbox.store import NewEvent
from signalbox.store.state import Task
from signalbox.webapp.process.signature import CommandLine, command_of, signature
from tests.support.command import signalbox, start
from tests.support.log import log_of, task_of, wait_for_event
from tests.support.server import Server


def run(server: Server, task: str, *words: str, options: tuple[str, ...] = (), **variables: str) -> None:
    signalbox("run", "--store", server.store_url, "--task", task, *options, "--", *words, **variables)


def press(server: Server, task: str, **form: str) -> httpx.Response:
    return httpx.post(f"{server.url}/tasks/{task}/retry", data=form)


def press_and_wait(server: Server, task: str, **form: str) -> Task:
    """Press the retry button, wait until the new task ends, and return it."""
    response = press(server, task, **form)
    assert response.status_code == 303, response.text
    retry_id = response.headers["Location"].removeprefix("/tasks/")
    wait_for_event(server.store_url, retry_id, lambda event: event.event_type == "runner_exit")
    return task_of(server.store, retry_id)


def messages(server: Server, task: str) -> list[str]:
    return [event.payload["message"] for event in log_of(server.store, task) if event.event_type == "log"]


def spawn(server: Server, task: str) -> dict[str, Any]:
    return log_of(server.store, task)[0].payload


@pytest.mark.long
def test_a_retry_runs_the_same_command_as_a_new_linked_task(server: Server, tmp_path: Path) -> None:
    script = 'echo "$COLOUR $PWD"; echo tried >> tries; [ $(wc -l < tries) -gt 1 ]'
    options = ("--title", "Twice", "--kind", "test", "--env", "COLOUR", "--no-tty", "--grace", "1.5")
    folder = tmp_path / "a place"
    folder.mkdir()
    with as_cwd(folder):
        run(server, "first", "sh", "-c", script, options=options, COLOUR="blue")
    assert task_of(server.store, "first").status == "failed"
    page = server.get("/tasks/first").text
    assert "Run again" in page
    assert 'action="/tasks/first/retry?identity=' in page

    second = press_and_wait(server, "first")
    assert (second.status, second.title, second.kind) == ("done", "Twice", "test")
    assert messages(server, second.task_id) == messages(server, "first") == [f"blue {folder}"]
    assert "attempt 2, retry of" in server.get(f"/tasks/{second.task_id}").text
    assert f'<a href="/tasks/{second.task_id}"' in server.get("/tasks/first").text
    assert task_of(server.store, "first").retries == [second.task_id]
    assert task_of(server.store, "first").status == "failed"
    audits = server.get("/tasks/first/audits").text
    assert "retried " in audits
    assert second.task_id in audits

    third = press_and_wait(server, second.task_id)
    assert third.metadata["retry_of"] == second.task_id
    assert third.metadata["attempt"] == 3
    assert spawn(server, third.task_id)["options"] == spawn(server, "first")["options"]


class as_cwd:
    """A context manager that changes the working directory."""

    def __init__(self, path: Path) -> None:
        self._path, self._previous = path, os.getcwd()

    def __enter__(self) -> None:
        os.chdir(self._path)

    def __exit__(self, *_: object) -> None:
        os.chdir(self._previous)


def test_a_form_submitted_twice_starts_one_retry(server: Server) -> None:
    run(server, "twice", "true")
    first = press_and_wait(server, "twice", form="4")
    assert press(server, "twice", form="4").headers["Location"] == f"/tasks/{first.task_id}"
    assert press(server, "twice", form="four").status_code == 400
    assert task_of(server.store, "twice").retries == [first.task_id]


def test_a_form_whose_task_could_not_be_created_creates_it_when_it_is_sent_again(server: Server) -> None:
    run(server, "halfway", "true")
    asked = NewEvent(
        event_type="retry_requested", actor="user", key="retry-7", payload={"retry": "second", "by": "ann"}
    )
    server.store.append("halfway", asked, own=True)
    assert press_and_wait(server, "halfway", form="7").task_id == "second"
    assert press(server, "halfway", form="7").headers["Location"] == "/tasks/second"
    assert len([event for event in log_of(server.store, "second") if event.event_type == "runner_spawn"]) == 1


def assert_refused(server: Server, task: str, why: str) -> None:
    before = server.latest(task)
    response = press(server, task)
    assert (response.status_code, why in response.text) == (409, True), response.text
    assert server.latest(task) == before
    assert task_of(server.store, task).retries == []


def test_a_command_posted_over_http_never_runs(server: Server, tmp_path: Path) -> None:
    marker = tmp_path / "made"
    forged = {"command": ["touch", str(marker)], "cwd": str(tmp_path), "signature": "0" * 64}
    server.post("/api/tasks", {"task_id": "forged", "metadata": {**forged, "retry_of": "x", "attempt": 2}})
    for payload in (forged, {**forged, "signature": ""}, {**forged, "signature": "ü"}):
        server.post("/api/tasks/forged/events", {"event_type": "runner_spawn", "payload": payload})
        server.post("/api/tasks/forged/events", {"event_type": "runner_exit", "payload": {"exit_code": 1}})
        response = press(server, "forged")
        assert response.status_code == 409
        assert "Run again" not in server.get("/tasks/forged").text
    assert "signalbox run --retry-of forged -- touch" in server.get("/tasks/forged").text
    assert not marker.exists()


def test_a_signature_is_valid_only_for_its_own_task_and_command(server: Server, tmp_path: Path) -> None:
    run(server, "real", "echo", "mine")
    payload, marker = spawn(server, "real"), tmp_path / "made"
    server.post("/api/tasks/stolen/events", {"event_type": "runner_spawn", "payload": payload})
    server.post("/api/tasks/stolen/events", {"event_type": "runner_exit", "payload": {}})
    assert_refused(server, "stolen", "it was not signed")
    for change in (
        {"command": ["touch", str(marker)]},
        {"cwd": str(tmp_path)},
        {"environment": {"LD_PRELOAD": "x"}},
        {"options": ["--no-tty"]},
    ):
        server.post("/api/tasks/real/events", {"event_type": "runner_spawn", "payload": {**payload, **change}})
        server.post("/api/tasks/real/events", {"event_type": "runner_exit", "payload": {}})
        assert_refused(server, "real", "it was not signed")
    server.store.delete_task("real")
    server.post("/api/tasks/real/events", {"event_type": "runner_spawn", "payload": payload})
    server.post("/api/tasks/real/events", {"event_type": "runner_exit", "payload": {}})
    assert_refused(server, "real", "it was not signed")
    assert not marker.exists()


def test_a_run_recorded_through_the_server_is_unsigned_and_shows_its_command(server: Server) -> None:
    signalbox("run", "--server", server.url, "--task", "far", "--", "echo", "a b")
    assert_refused(server, "far", "it was not signed")
    page = server.get("/tasks/far").text
    assert "Run again" not in page
    assert f"signalbox run --server {server.url} --retry-of far -- echo &#39;a b&#39;" in page


def test_a_retry_of_an_agent_run_has_the_environment_of_its_project(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "by a link"
    folder.symlink_to(tmp_path)
    plain = {"argv": ["sh", "-c", "echo plain"]}
    painted = {"argv": ["sh", "-c", "echo $COLOUR"], "cwd": str(folder), "env": {"COLOUR": "blue"}, "time_limit": 60}
    agent = {"kind": "command", "commands": {"plain": plain, "painted": painted}}
    server.store.people.add_project("painter", "Painter", agent=agent)
    body = {"run_id": "paint", "command": "painted"}
    assert server.post("/api/v1/projects/painter/agent/runs", body).status_code == 201
    wait_for_event(server.store_url, "paint", lambda event: event.event_type == "runner_exit")
    second = press_and_wait(server, "paint")
    third = press_and_wait(server, second.task_id)
    assert [messages(server, each) for each in ("paint", second.task_id, third.task_id)] == [["blue"]] * 3
    assert "blue" not in str([event.payload for event in log_of(server.store, "paint") if event.event_type != "log"])
    server.store.people.set_agent("painter", {"kind": "command", **plain})
    assert messages(server, press_and_wait(server, "paint").task_id) == [""]


def test_a_retry_from_the_shell_is_linked_to_the_first_run(server: Server) -> None:
    run(server, "hand", "false", options=("--title", "By hand"))
    signalbox("run", "--server", server.url, "--task", "hand-2", "--retry-of", "hand", "--", "true")
    assert task_of(server.store, "hand").retries == ["hand-2"]
    second = task_of(server.store, "hand-2")
    assert (second.title, second.metadata["attempt"], second.status) == ("By hand", 2, "done")
    unknown = signalbox("run", "--server", server.url, "--retry-of", "nobody", "--", "true")
    assert (unknown.returncode, "nobody" in unknown.stderr) == (2, True)


def test_an_impossible_retry_is_refused_with_the_reason(server: Server, tmp_path: Path) -> None:
    folder, tool = tmp_path / "place", tmp_path / "tool"
    folder.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o700)
    with as_cwd(folder):
        run(server, "gone", "true")
    run(server, "tool", str(tool))
    shutil.rmtree(folder)
    tool.unlink()
    assert_refused(server, "gone", f"the directory {folder} is gone")
    assert_refused(server, "tool", f"there is no command {tool}")
    server.emit("sdk", NewEvent(event_type="runner_spawn"), NewEvent(event_type="runner_exit"))
    assert_refused(server, "sdk", "did not start this run")
    assert "Retry" not in server.get("/tasks/sdk").text
    running = start("run", "--store", server.store_url, "--task", "busy", "--", "sh", "-c", "echo up; sleep 600")
    wait_for_event(server.store_url, "busy", lambda event: event.event_type == "log")
    assert_refused(server, "busy", "the run has not ended: it is running")
    running.terminate()
    running.communicate()
    assert press(server, "nobody").status_code == 404
    assert httpx.post(f"{server.url}/tasks/tool/retry", headers={"Origin": "http://evil.example"}).status_code == 403


def test_a_retry_continues_after_the_server_that_started_it_stopped(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server, go = start_server(), tmp_path / "go"
    script = f"echo up; [ -e {tmp_path}/once ] || exit 1; while [ ! -e {go} ]; do sleep 0.05; done; echo through"
    run(server, "long", "sh", "-c", script)
    (tmp_path / "once").touch()
    retry_id = press(server, "long").headers["Location"].removeprefix("/tasks/")
    wait_for_event(server.store_url, retry_id, lambda event: event.event_type == "log")
    server.stop()
    server.start()
    go.touch()
    wait_for_event(server.store_url, retry_id, lambda event: event.event_type == "runner_exit")
    assert messages(server, retry_id) == ["up", "through"]
    assert task_of(server.store, retry_id).status == "done"


def test_a_retry_that_cannot_start_fails_with_a_message(server: Server) -> None:
    # The signature is valid, but `signalbox run` refuses the option.
    task, _ = server.store.create_task("odd")
    line = CommandLine(command=("true",), cwd="/", options=("--grace", "long"))
    assert server.store.key
    payload = {"command": ["true"], "cwd": "/", "options": list(line.options)}
    payload["signature"] = signature(line, server.store.key, task)
    server.emit("odd", NewEvent(event_type="runner_spawn", payload=payload), NewEvent(event_type="runner_exit"))
    retry = press_and_wait(server, "odd")
    assert (retry.status, "before it started" in (retry.error or "")) == ("failed", True)


def test_no_retry_starts_when_allow_retry_is_off(start_server: Callable[..., Server]) -> None:
    server = start_server(allow_retry=False)
    run(server, "off", "true")
    assert_refused(server, "off", "allow_retry is off")
    assert "Run again" not in server.get("/tasks/off").text


def test_a_database_that_other_users_can_read_signs_no_command(start_server: Callable[..., Server]) -> None:
    server = start_server()
    assert server.path.stat().st_mode & 0o077 == 0
    run(server, "open", "true")
    server.path.chmod(0o644)
    assert_refused(server, "open", "can read the database")
    run(server, "open-2", "true")
    assert "signature" not in spawn(server, "open-2")


def test_the_signing_key_is_never_served(server: Server) -> None:
    run(server, "secret", "true")
    key = server.store.key
    assert key is not None
    assert len(key) == 32
    for path in ("/tasks/secret", "/tasks/secret/export.ndjson?full=1", "/api/tasks/secret", "/metrics", "/audits"):
        assert key.hex() not in server.get(path).text


UNUSABLE: list[dict[str, Any]] = [
    {},
    {"command": "true", "cwd": "/"},
    {"command": [], "cwd": "/"},
    {"command": ["true"], "cwd": "relative"},
    {"command": ["true", 1], "cwd": "/"},
    {"command": ["tr\0ue"], "cwd": "/"},
    {"command": ["true"], "cwd": "/", "environment": ["A"]},
    {"command": ["true", "x" * 40_000], "cwd": "/"},
]


def test_a_runner_spawn_without_a_usable_command_offers_no_retry(server: Server) -> None:
    for payload in UNUSABLE:
        server.emit("sparse", NewEvent(event_type="runner_spawn", payload=payload), NewEvent(event_type="runner_exit"))
        assert command_of(log_of(server.store, "sparse")[-2]) is None
        assert server.get("/tasks/sparse").status_code == 200
