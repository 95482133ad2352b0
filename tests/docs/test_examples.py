"""The examples work as described."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from signalbox.store.sqlite import SqliteStore
from tests.support.command import environment
from tests.support.log import answer, log_of, open_permissions, task_of, tasks_of, types_of, wait_for_event
from tests.support.paths import ROOT
from tests.support.server import Server

EXAMPLES = ROOT / "examples"


def start(tmp_path: Path, name: str, *arguments: str) -> subprocess.Popen[str]:
    env = environment(PYTHONPATH=str(ROOT), TMPDIR=str(tmp_path))
    return subprocess.Popen([sys.executable, str(EXAMPLES / name), *arguments], cwd=tmp_path, env=env, text=True)


@pytest.mark.long
@pytest.mark.parametrize("decision", ["yes", "no"])
def test_the_session_client_works_and_watches(tmp_path: Path, decision: str) -> None:
    note = tmp_path / "note-1.txt"
    note.touch()
    server = Server(tmp_path).start()
    try:
        working = start(tmp_path, "session_client.py", "work", "s", "--server", server.url, "--folder", str(tmp_path))
        wait_for_event(server.store_url, "s", lambda event: event.event_type == "permission_request")
        watching = start(tmp_path, "session_client.py", "watch", "s", "--server", server.url, "--answer", decision)
        assert (watching.wait(30), working.wait(30)) == (0, 0)
        assert note.exists() == (decision == "no")
        task = task_of(server.store, "s")
        assert (task.status, task.message) == ("done", f"1 notes {'kept' if decision == 'no' else 'deleted'}")
    finally:
        server.close()


def run_agent_client(
    tmp_path: Path, server: Server, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(EXAMPLES / "agent_client.py"), "--no-input", "--server", server.url, *arguments]
    return subprocess.run(
        script, cwd=tmp_path, env=environment(**variables), capture_output=True, text=True, timeout=60
    )


@pytest.mark.long
@pytest.mark.parametrize(("code", "last", "exit_code"), [("0", "DONE", 0), ("2", "FAILED", 1)])
def test_the_agent_client_starts_and_watches_a_run(tmp_path: Path, code: str, last: str, exit_code: int) -> None:
    server = Server(tmp_path).start()
    try:
        command = [sys.executable, "-c", f"print('one\\x1b[31mtwo'); raise SystemExit({code})"]
        server.store.people.add_project("web", "The web", agent={"kind": "command", "argv": command})
        done = run_agent_client(tmp_path, server)
        assert (done.returncode, done.stderr) == (exit_code, "")
        lines = done.stdout.splitlines()
        assert "Task" in lines[-2]
        assert lines[-1] == last
        assert any(line.endswith(" one[31mtwo[0m") for line in lines)
        run_id = next(line.split()[1] for line in lines if line.startswith("run "))
        again = run_agent_client(tmp_path, server, "--project", "web", "--run", run_id)
        assert again.stdout.splitlines()[-3:] == lines[-3:]
        assert run_agent_client(tmp_path, server, "--project", "none").returncode == 2
    finally:
        server.close()


def test_the_example_in_ten_lines_of_python_runs(tmp_path: Path, store: SqliteStore) -> None:
    assert start(tmp_path, "emit.py").wait(30) == 0
    (task,) = tasks_of(store)
    assert (task.title, task.status, task.items_done, task.checkpoints_total) == ("Ten lines", "done", 2, 1)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_example_with_curl_runs(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    try:
        done = subprocess.run(
            [EXAMPLES / "emit.sh", "t", server.url], capture_output=True, text=True, env={"PATH": os.environ["PATH"]}
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{server.url}/tasks/t\n"
        assert task_of(server.store, "t").status == "done"
        assert [e.payload["message"] for e in log_of(server.store, "t") if e.event_type == "log"] == [
            f"step {number} of 3" for number in (1, 2, 3)
        ]
    finally:
        server.close()


@pytest.mark.parametrize("approved", [True, False])
def test_the_example_agent_asks_for_permission(tmp_path: Path, store: SqliteStore, approved: bool) -> None:
    old = tmp_path / "agent-example-old"
    old.touch()
    running = start(tmp_path, "agent.py", "t")
    wait_for_event(store.url, "t", lambda event: event.event_type == "permission_request")
    (request,) = open_permissions(store, "t")
    assert request.arguments == {"paths": [str(old)]}
    answer(store, "t", request.request_id, approved, "ann")
    assert running.wait(60) == 0
    assert old.exists() != approved
    assert ("tool_result" in types_of(store, "t")) == approved
    assert task_of(store, "t").status == "done"
