"""Calls of hooks while the server is away: the session's page is complete once it is back."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from signalbox.integrations import agent_hook, agent_hook_spool
from signalbox.integrations.agent_hook_spool import INBOX, HookSpool
from signalbox.integrations.agent_hook_spool import folder_for as folder_of_hook
from signalbox.store.remote.spool_sender import send_waiting
from signalbox.store.spool.file import SpoolFile
from signalbox.store.spool.place import FILE_NAME, folder_for
from signalbox.webapp.coding_agents.agents import AGENTS
from tests.support.agent_payloads import payload
from tests.support.command import environment, signalbox
from tests.support.log import log_of, open_permissions, task_of
from tests.support.machine_speed import check_duration
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.waiting import wait_until

SESSION = (
    "session_start",
    "user_prompt_submit",
    "pre_tool_use",
    "post_tool_use",
    "subagent_start",
    "subagent_tool",
    "subagent_stop",
    "notification",
    "stop",
    "session_end",
)


@pytest.fixture
def spools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of all spools. Its deletion ends the processes that send."""
    monkeypatch.setenv("SIGNALBOX_SPOOL_DIR", str(tmp_path / "spools"))
    yield tmp_path / "spools"
    shutil.rmtree(tmp_path / "spools", ignore_errors=True)


@pytest.fixture
def proxy(shared_server: Server) -> Iterator[Proxy]:
    started = Proxy(shared_server.port)
    yield started
    started.close()


@pytest.fixture
def call(proxy: Proxy, spools: Path) -> Callable[..., str]:
    """Return a function that runs the hook with a payload, and returns what it printed."""

    def run(given: dict[str, Any], *options: str, **variables: str) -> str:
        variables = {"SIGNALBOX_SPOOL_DIR": str(spools), **variables}
        done = subprocess.run(
            [sys.executable, "-m", "signalbox", "hook", "claude-code", "--server", proxy.url, "--limit=20", *options],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=60,
            env=environment(**variables),
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


def shape(server: Server, session: str) -> list[tuple[Any, ...]]:
    """Return what a session's log says, without the times and the keys."""
    events = log_of(server.store, f"claude-code-{session}")
    return [(one.event_type, one.span_id, one.parent_span_id, json.dumps(one.payload)) for one in events]


def test_a_session_without_its_server_has_the_same_events_later(
    shared_server: Server, proxy: Proxy, call: Callable[..., str], spools: Path
) -> None:
    for name in SESSION:
        response = shared_server.post("/api/hooks/claude-code", payload("claude-code", name, "with-server"))
        assert response.status_code == 200, response.text
    proxy.shut()
    began = time.time()
    for name in SESSION:
        assert call(payload("claude-code", name, "without-server")) == ""
    ended = time.time()
    proxy.listen()
    wait_until(lambda: task_ended(shared_server, "without-server"))
    live, late = shape(shared_server, "with-server"), shape(shared_server, "without-server")
    assert [one[:3] for one in late] == [one[:3] for one in live]
    assert [one[3].replace("without-server", "with-server") for one in late] == [one[3] for one in live]
    events = log_of(shared_server.store, "claude-code-without-server")
    at = [one.happened_at for one in events if one.event_type != "task_created"]
    assert at == sorted(at)
    assert began <= parsed(at[0])
    assert parsed(at[-1]) <= ended
    # Later calls reach the server themselves again.
    folder = folder_for(proxy.url, None)
    wait_until(lambda: not HookSpool(proxy.url, "").has_calls())
    assert SpoolFile(folder / FILE_NAME, proxy.url, 1000).contents().waiting == 0


def test_a_question_is_not_asked_later(shared_server: Server, proxy: Proxy, call: Callable[..., str]) -> None:
    proxy.shut()
    call(payload("claude-code", "permission_request", "no-question"))
    proxy.listen()
    wait_until(lambda: "claude-code-no-question" in tasks(shared_server))
    wait_until(lambda: len(shape(shared_server, "no-question")) > 1)
    assert [one[0] for one in shape(shared_server, "no-question")] == ["runner_spawn", "tool_status"]
    assert open_permissions(shared_server.store, "claude-code-no-question") == []


def test_calls_wait_behind_kept_ones_but_questions_do_not(
    shared_server: Server, proxy: Proxy, call: Callable[..., str]
) -> None:
    spool = HookSpool(proxy.url, "")
    with no_sender(proxy.url):
        for number, name in enumerate(("session_start", "user_prompt_submit", "session_end")):
            body = json.dumps(payload("claude-code", name, "overtaken")).encode()
            assert spool.keep("claude-code", f"at={time.time() - 60 + number}", body)
        call(payload("claude-code", "post_tool_use", "overtaken"))
        assert "claude-code-overtaken" not in tasks(shared_server)
        call(payload("claude-code", "pre_tool_use", "overtaken"))
    assert [one[0] for one in shape(shared_server, "overtaken")] == ["runner_spawn", "tool_status"]
    assert send_waiting(proxy.url, None, 120)
    task = task_of(shared_server.store, "claude-code-overtaken")
    assert task.status == "running", "the earlier end of the session came later than the question"
    assert task.title == "Fix the flaky test in tests/test_queue.py"
    assert [one[0] for one in shape(shared_server, "overtaken")][2:] == [
        "session_continued",
        "title_changed",
        "user_message",
        "hook_session_end",
        "tool_result",
    ]


def test_a_death_while_calls_are_taken_sends_none_twice(shared_server: Server, proxy: Proxy, spools: Path) -> None:
    spool, folder = HookSpool(proxy.url, ""), folder_for(proxy.url, None)
    with no_sender(proxy.url):
        for name in ("session_start", "user_prompt_submit", "notification"):
            query = f"at={time.time():.3f}"
            assert spool.keep("claude-code", query, json.dumps(payload("claude-code", name, "twice")).encode())
    file = SpoolFile(folder / FILE_NAME, proxy.url, 10**6)
    file.keep(file.hook_calls.take())  # dies before `forget`
    assert file.contents().waiting == 6
    file.close()
    assert send_waiting(proxy.url, None, 120)
    types = [one[0] for one in shape(shared_server, "twice")]
    assert types == ["runner_spawn", "title_changed", "user_message", "status", "notification"]


def test_a_line_that_a_full_disk_cut_costs_only_its_own_call(proxy: Proxy, spools: Path) -> None:
    spool, folder = HookSpool(proxy.url, ""), folder_for(proxy.url, None)
    with no_sender(proxy.url):
        assert spool.keep("codex", "at=1", b'{"hook_event_name": "Stop",\n "session_id": "a"}')
        with (folder / INBOX).open("ab") as inbox:
            inbox.write(f"\n{proxy.url} codex at=2 ".encode() + b'{"hook_event_name": "St')
        assert spool.keep("codex", "at=3", b'{"hook_event_name": "Stop", "session_id": "b"}')
    found = SpoolFile(folder / FILE_NAME, proxy.url, 10**6).hook_calls.take()
    assert [record.task_id for record in found] == ["codex-a", "codex-b"]


def test_a_call_that_is_nested_too_deeply_costs_only_itself(proxy: Proxy, spools: Path) -> None:
    spool, folder = HookSpool(proxy.url, ""), folder_for(proxy.url, None)
    call = '{"hook_event_name": "Stop", "session_id": %s}'
    with no_sender(proxy.url):
        for session in ('"a"', "[" * 100_000 + "]" * 100_000, '"b"'):
            assert spool.keep("codex", "at=1", (call % session).encode())
    found = SpoolFile(folder / FILE_NAME, proxy.url, 10**6).hook_calls.take()
    assert [record.task_id for record in found] == ["codex-a", "codex-b"]


@pytest.mark.parametrize("fault", ["full", "unwritable", "none"])
def test_a_spool_that_keeps_nothing_delays_no_agent(
    fault: str, proxy: Proxy, spools: Path, tmp_path: Path, call: Callable[..., str]
) -> None:
    proxy.shut()
    variables = {}
    if fault == "unwritable":
        (tmp_path / "file").touch()
        variables["SIGNALBOX_SPOOL_DIR"] = str(tmp_path / "file" / "spools")
    elif fault == "full":
        variables["SIGNALBOX_SPOOL_BYTES"] = "100"
    else:
        variables["SIGNALBOX_SPOOL_BYTES"] = "0"

    def call_once() -> None:
        assert call({"session_id": "s", "hook_event_name": "Stop", "text": "x" * 200}, **variables) == ""

    check_duration(call_once, 0.2)
    assert not (folder_for(proxy.url, None) / INBOX).exists() or fault == "full"


def test_the_command_shows_kept_calls_and_deletes_them(proxy: Proxy, spools: Path) -> None:
    with no_sender(proxy.url):
        assert HookSpool(proxy.url, "").keep("codex", "at=1", b'{"hook_event_name": "Stop", "session_id": "a"}')
    (shown,) = json.loads(signalbox("spool", "--json", SIGNALBOX_SPOOL_DIR=str(spools)).stdout)
    assert (shown["url"], shown["waiting"], shown["refused"]) == (proxy.url, 1, {})
    discarded = signalbox("spool", "discard", "--server", proxy.url, SIGNALBOX_SPOOL_DIR=str(spools))
    assert discarded.stdout == "1 deleted\n", discarded.stderr
    assert not HookSpool(proxy.url, "").has_calls()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "https://ann:s3cret@signalbox.example:8443/pre/fix",
        "http://[::1]:8000/_a__b",
        "https://" + "long" * 40,
    ],
)
@pytest.mark.parametrize("token", ["", "sb_1"])
def test_the_hook_and_the_store_mean_the_same_spool(
    url: str, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder_of_hook(url, token) == str(folder_for(url, token or None))
    monkeypatch.delenv("SIGNALBOX_SPOOL_DIR", raising=False)
    for state in ("", "relative", str(tmp_path)):
        monkeypatch.setenv("XDG_STATE_HOME", state)
        assert folder_of_hook(url, token) == str(folder_for(url, token or None))


def test_every_event_that_is_decided_is_a_question() -> None:
    decided = {
        event
        for agent in AGENTS.values()
        for event, moment in agent.moments.items()
        if moment in ("tool_start", "permission")
    }
    assert decided == set(agent_hook.QUESTIONS)


def test_a_server_over_its_limit_gets_the_call_later(
    shared_server: Server, proxy: Proxy, call: Callable[..., str]
) -> None:
    proxy.respond("429 Too Many Requests", "Retry-After: 0\r\n", "{}", pattern="/api/hooks")
    assert call(payload("claude-code", "notification", "over-quota")) == ""
    proxy.heal()
    wait_until(lambda: "claude-code-over-quota" in tasks(shared_server))


def test_calls_in_a_burst_start_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_SPOOL_DIR", str(tmp_path))
    monkeypatch.setattr(agent_hook_spool, "_SENDER", "import time; time.sleep(60)")
    started: list[int] = []
    spawn = os.posix_spawn
    monkeypatch.setattr(os, "posix_spawn", lambda *args, **options: started.append(spawn(*args, **options)))
    spool = HookSpool("http://127.0.0.1:9", "")
    for _ in range(3):
        assert spool.keep("claude-code", "", b"{}")
    assert len(started) == 1
    os.kill(started[0], signal.SIGKILL)
    os.waitpid(started[0], 0)
    spool.start_sender()
    assert len(started) == 2
    os.kill(started[1], signal.SIGKILL)
    os.waitpid(started[1], 0)


def tasks(server: Server) -> set[str]:
    found = httpx.get(f"{server.url}/api/tasks", params={"limit": 100}).json()["tasks"]
    return {task["task_id"] for task in found}


def task_ended(server: Server, session: str) -> bool:
    task = f"claude-code-{session}"
    return task in tasks(server) and task_of(server.store, task).ended


def parsed(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


@contextmanager
def no_sender(url: str) -> Iterator[None]:
    """Hold the lock of the process that sends, so that none starts."""
    folder = folder_for(url, None)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "sender.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
