"""`signalbox hook` as an agent runs it: a question answered here, and an agent that never waits for a server away."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from signalbox.integrations.agent_hook import HookOptions
from signalbox.integrations.agent_hook_exchange import SILENCE_S, split_url
from signalbox.integrations.agent_hook_facts import MAX_BODY, branch_of, shortened
from signalbox.store import UnknownTask
from tests.support.coding_agent import CodingAgent, Ran
from tests.support.command import environment, signalbox
from tests.support.log import log_of, open_permissions, task_of
from tests.support.machine_speed import check_duration
from tests.support.server import Server
from tests.support.waiting import wait_until

HOOK = (sys.executable, "-m", "signalbox", "hook", "claude-code")
CALL = '{"session_id": "s", "hook_event_name": "Stop"}'


@pytest.fixture(autouse=True)
def spools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hooks keep calls in a folder of the test. Its deletion ends the processes that would send them."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield
    shutil.rmtree(tmp_path / "state", ignore_errors=True)


@pytest.fixture
def agent(server: Server, tmp_path: Path) -> CodingAgent:
    """An agent with the hooks that `signalbox hooks install` wrote, which have time on a busy machine."""
    options = ("--server", server.url, "--limit", "20")
    installed = signalbox("hooks", "install", "claude-code", "--yes", *options, HOME=str(tmp_path))
    assert installed.returncode == 0, installed.stderr
    return CodingAgent(tmp_path / ".claude" / "settings.json", tmp_path.name, HOME=str(tmp_path))


@pytest.mark.long
def test_an_agent_gets_the_answer_of_a_person_with_changed_arguments(
    server: Server, agent: CodingAgent, tmp_path: Path
) -> None:
    task = f"claude-code-{tmp_path.name}"
    for name in ("session_start", "user_prompt_submit"):
        assert agent.call(name) == [Ran(0, "", "")]
    found: list[Ran] = []
    asking = threading.Thread(target=lambda: found.extend(agent.call("permission_request")), daemon=True)
    asking.start()

    def waiting() -> str | None:
        with suppress(UnknownTask):
            return next((one.request_id for one in open_permissions(server.store, task)), None)
        return None

    request_id = wait_until(waiting)
    value = {"command": "git push origin fix", "description": "Publish the fix"}
    url = f"{server.url}/api/tasks/{task}/permissions/{request_id}"
    assert httpx.post(url, json={"approved": True, "value": value}).status_code == 201
    asking.join(60)
    (ran,) = found
    assert (ran.code, ran.stderr) == (0, "")
    decision = {"behavior": "allow", "updatedInput": value}
    assert ran.answer == {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}
    assert task_of(server.store, task).title == "Fix the flaky test in tests/test_queue.py"


@pytest.mark.long
def test_the_hook_reports_the_branch_and_follows_links(server: Server, agent: CodingAgent, tmp_path: Path) -> None:
    git = tmp_path / ".claude" / ".git"
    git.mkdir()
    (git / "HEAD").write_text("ref: refs/heads/fix/queue\n")
    agent.call("session_start")
    assert task_of(server.store, f"claude-code-{tmp_path.name}").tags["branch"] == "fix/queue"


@pytest.mark.parametrize("odd", ["a\\u0000b", "\\ud800", "\\uDFFF/x"])
def test_a_rule_denies_a_command_whatever_else_the_call_names(
    start_server: Callable[..., Server], tmp_path: Path, odd: str
) -> None:
    rules = '{"rules": [{"decision": "deny", "tool": "Bash", "command": "git push --force*"}]}'
    server = start_server(hook_rules=rules)
    call = (
        '{"session_id": "%s", "hook_event_name": "PreToolUse", "tool_name": "Bash",'
        ' "tool_input": {"command": "git push --force", "path": "%s", "description": "%s"}}'
    )
    done = run_hook(server.url, "--limit", "20", call=call % (tmp_path.name, odd, odd))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["hookSpecificOutput"]["permissionDecision"] == "deny"


def test_a_port_that_does_not_exist_is_refused_at_once() -> None:
    done = run_hook("http://127.0.0.1:99999")
    assert done.returncode == 1
    assert "--server must be an address" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_token_that_is_refused_is_reported_and_the_agent_is_not_blocked(server: Server, tmp_path: Path) -> None:
    refused = 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 43\r\n\r\n{"error": {"message": "this token is unknown"}}'
    with listening(lambda one: one.sendall(refused.replace("43", "47").encode())) as url:
        done = run_hook(url, "--limit", "10")
    assert done.returncode == 1  # 2 would block the agent
    assert done.stderr == f"signalbox: {url} refuses the hook: this token is unknown\n"
    assert done.stdout == ""


def test_a_wrong_command_line_is_reported_and_the_agent_is_not_blocked() -> None:
    done = run_hook("ftp://x")
    assert done.returncode == 1
    assert "--server must be an address such as http://127.0.0.1:8000, not 'ftp://x'" in done.stderr


def run_hook(url: str, *options: str, call: str = CALL) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HOOK, "--server", url, *options],
        input=call,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(HOME="/nonexistent"),
    )


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """Listen on a port, and give each connection to `answer` after its request."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            held = []
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    held.append(connection)
                    connection.recv(65536)
                    if answer(connection) is not False:
                        connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


@contextmanager
def refusing() -> Iterator[str]:
    """Return an address at which nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


@contextmanager
def unknown_name() -> Iterator[str]:
    yield "http://no-such-host.invalid:8000"


AWAY = {
    "nothing listens": refusing,
    "the server hangs": lambda: listening(lambda one: False),
    "the server fails": lambda: listening(lambda one: one.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}")),
    "the answer breaks off": lambda: listening(
        lambda one: one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
    ),
    "the name does not resolve": unknown_name,
}


@pytest.mark.parametrize("how", AWAY)
def test_an_agent_without_its_server_continues_within_200_ms(how: str) -> None:
    with AWAY[how]() as url:

        def call() -> None:
            done = run_hook(url)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

        check_duration(call, 0.2)


def test_a_killed_server_ends_a_question_at_once(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server()
    given = '{"session_id": "s", "hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": {}}'
    command = [*HOOK, "--server", server.url, "--limit", "60"]
    hook = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())
    assert hook.stdin is not None
    hook.stdin.write(given)
    hook.stdin.close()

    def asks() -> bool:
        with suppress(UnknownTask):
            return any(event.event_type == "permission_request" for event in log_of(server.store, "claude-code-s"))
        return False

    wait_until(asks)
    server.kill()
    started = time.monotonic()
    assert hook.wait(60) == 0
    assert time.monotonic() - started < SILENCE_S
    assert hook.stdout is not None
    assert hook.stdout.read() == ""


def test_the_hook_imports_nothing_that_takes_long() -> None:
    code = "import sys, signalbox.integrations.agent_hook; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    slow = {"signalbox.store", "signalbox.webapp", "click", "httpx", "msgspec", "http.client", "ssl", "asyncio", "json"}
    assert slow.isdisjoint(modules)


def test_the_branch_of_a_worktree_is_found(tmp_path: Path) -> None:
    (tmp_path / "main" / ".git" / "worktrees" / "w").mkdir(parents=True)
    (tmp_path / "main" / ".git" / "worktrees" / "w" / "HEAD").write_text("ref: refs/heads/other\n")
    (tmp_path / "w" / "deep").mkdir(parents=True)
    (tmp_path / "w" / ".git").write_text(f"gitdir: {tmp_path}/main/.git/worktrees/w\n")
    assert branch_of(str(tmp_path / "w" / "deep")) == "other"
    assert branch_of(str(tmp_path)) == ""


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://127.0.0.1:8000", ("http", "127.0.0.1", 8000, "")),
        ("https://box.example/signalbox/", ("https", "box.example", 443, "/signalbox")),
        ("http://[::1]:8000", ("http", "::1", 8000, "")),
        ("http://[::1]", ("http", "::1", 80, "")),
    ],
)
def test_an_address_is_split(url: str, parts: tuple[str, str, int, str]) -> None:
    assert split_url(url) == parts


def test_a_long_call_is_cut_to_fit_but_its_command_stays_whole() -> None:
    command = "echo " + "x" * 50_000
    call = {"tool_input": {"command": command, "content": "y" * 3_000_000}, "list": ["z" * 100_000]}
    sent = shortened(json.dumps(call).encode())
    assert len(sent) < MAX_BODY
    kept = json.loads(sent)
    assert kept["tool_input"]["command"] == command
    assert kept["tool_input"]["content"] == "y" * 20_000 + "…"
    assert shortened(b"{}") == b"{}"


def test_a_saved_token_is_sent_to_its_server_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SIGNALBOX_TOKEN", raising=False)
    (tmp_path / "signalbox").mkdir()
    (tmp_path / "signalbox" / "tokens").write_text("http://one sb_1\nhttp://two sb_2\nbroken\n")
    assert HookOptions(["codex", "--server", "http://two/"]).token == "sb_2"
    assert HookOptions(["codex", "--server=http://three"]).token == ""
    monkeypatch.setenv("SIGNALBOX_TOKEN", "sb_env")
    assert HookOptions(["codex", "--server", "http://two"]).token == "sb_env"
    monkeypatch.setenv("SIGNALBOX_PROJECT", "web")
    assert [HookOptions(["codex", *given]).project for given in ([], ["--project=shop"])] == ["web", "shop"]


def test_a_server_on_another_machine_may_have_more_time() -> None:
    assert HookOptions(["codex", "--limit", "0.5"]).limit == 0.5
    assert HookOptions(["codex"]).limit is None
    assert os.environ.get("SIGNALBOX_SERVER") is None
