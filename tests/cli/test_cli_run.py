"""`signalbox run`: any command as a task."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from signalbox.store.sqlite import SqliteStore
from tests.support.command import RUN, environment, signalbox, start, wait_until_gone
from tests.support.log import cancel, log_of, task_of, tasks_of, wait_for_event
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.waiting import wait_until


def run(url: str, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return signalbox("run", "--store", url, "--task", "t", "--", *command, **variables)


def lines_of(store: SqliteStore, task_id: str = "t", stream: str | None = None) -> list[str]:
    return [
        event.payload["message"]
        for event in log_of(store, task_id)
        if event.event_type == "log" and stream in (None, event.payload["stream"])
    ]


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-u", "-c", code)


@pytest.mark.parametrize(
    ("command", "code", "status", "error"),
    [
        (("true",), 0, "done", None),
        (("sh", "-c", "exit 3"), 3, "failed", "exit code 3"),
        (("sh", "-c", "kill -KILL $$"), 137, "failed", "killed by SIGKILL"),
        (("no-such-command-here",), 127, "failed", "command not found: no-such-command-here"),
        (("/dev/null",), 126, "failed", "cannot execute /dev/null: Permission denied"),
    ],
)
def test_the_exit_code_of_the_command_is_returned_and_recorded(
    url: str, store: SqliteStore, command: tuple[str, ...], code: int, status: str, error: str | None
) -> None:
    assert run(url, *command).returncode == code
    task = task_of(store, "t")
    assert (task.status, task.exit_code, task.error) == (status, code, error)


def test_output_is_logged_with_its_stream_stdout_or_stderr(url: str, store: SqliteStore) -> None:
    done = run(url, "sh", "-c", "echo out; echo err >&2; printf 'no end'")
    assert done.stdout == "out\nno end"
    assert done.stderr == "err\n"
    assert lines_of(store, stream="stdout") == ["out", "no end"]
    assert lines_of(store, stream="stderr") == ["err"]


def test_the_command_runs_in_a_terminal_and_keeps_its_colours(url: str, store: SqliteStore) -> None:
    code = "import sys; print(sys.stdout.isatty(), sys.stderr.isatty(), '\\x1b[31mred\\x1b[0m')"
    assert run(url, *python(code)).stdout == "True True \x1b[31mred\x1b[0m\n"
    assert lines_of(store) == ["True True \x1b[31mred\x1b[0m"]


def test_no_tty_uses_pipes(url: str) -> None:
    done = signalbox("run", "--store", url, "--no-tty", "--", *python("print(__import__('sys').stdout.isatty())"))
    assert done.stdout == "False\n"


def test_the_spawn_event_describes_the_run(url: str, store: SqliteStore, tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        done = signalbox("run", "--store", url, "--task", "t", "--", "echo", "a b", PYTHONPATH=here)
    finally:
        os.chdir(here)
    assert done.returncode == 0
    spawn = log_of(store, "t")[0]
    assert spawn.event_type == "runner_spawn"
    assert spawn.payload["command"] == ["echo", "a b"]
    assert spawn.payload["cwd"] == str(tmp_path)
    assert spawn.payload["commit_hash"] == head
    assert spawn.payload["heartbeat_interval"] == 10
    task = task_of(store, "t")
    assert (task.title, task.kind) == ("echo 'a b'", "command")


def test_command_lines_of_any_length_and_any_bytes_are_recorded(url: str, store: SqliteStore) -> None:
    words = [os.fsdecode(b"bad \xff\n byte"), "x" * 100_000, "y" * 100_000]
    assert run(url, "true", *words).returncode == 0
    task = task_of(store, "t")
    assert task.title is not None
    assert task.title.startswith("true 'bad \ufffd byte' 'xxx")
    assert [len(word) for word in log_of(store, "t")[0].payload["command"]][:2] == [4, 11]


def test_the_command_can_emit_to_the_task_of_its_run(url: str, store: SqliteStore) -> None:
    emit = '-m signalbox emit "$SIGNALBOX_TASK" checkpoint_commit --payload \'{"checkpoint_id":"c"}\''
    assert run(url, "sh", "-c", f"{sys.executable} {emit}").returncode == 0
    assert task_of(store, "t").checkpoints_total == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_forwarded_and_recorded_as_cancelled(url: str, store: SqliteStore, number: signal.Signals) -> None:
    running = start("run", "--store", url, "--task", "t", "--", "sh", "-c", "echo up; sleep 60")
    wait_for_event(url, "t", lambda event: event.event_type == "log")
    running.send_signal(number)
    assert running.wait(60) == 128 + number
    running.communicate()
    task = task_of(store, "t")
    assert (task.status, task.error, task.exit_code) == ("cancelled", f"stopped by {number.name}", 128 + number)


def test_a_command_that_handles_the_signal_ends_with_its_own_exit_code(url: str, store: SqliteStore) -> None:
    script = "trap 'echo saving; exit 5' INT; echo up; while :; do sleep 0.05; done"
    running = start("run", "--store", url, "--task", "t", "--", "sh", "-c", script)
    wait_for_event(url, "t", lambda event: event.event_type == "log")
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 5
    running.communicate()
    assert lines_of(store)[-1] == "saving"
    assert task_of(store, "t").status == "cancelled"


def test_a_command_that_ignores_the_signal_is_killed_with_its_children(url: str, store: SqliteStore) -> None:
    script = "trap '' INT TERM; echo $$; while :; do sleep 0.05; done"
    running = start(
        "run", "--store", url, "--task", "t", "--grace", "0.2", "--", "sh", "-c", f'sh -c "{script}" & {script}'
    )
    wait_for_event(url, "t", lambda event: event.event_type == "log")
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 137
    running.communicate()
    assert task_of(store, "t").status == "cancelled"
    for pid in lines_of(store):
        wait_until_gone(int(pid))


def test_a_cancel_from_the_page_ends_the_command(url: str, store: SqliteStore) -> None:
    running = start("run", "--store", url, "--task", "t", "--", "sh", "-c", "echo up; sleep 60")
    wait_for_event(url, "t", lambda event: event.event_type == "log")
    cancel(store, "t", "ann")
    assert running.wait(60) == 130
    running.communicate()
    task = task_of(store, "t")
    assert (task.status, task.error) == ("cancelled", "cancelled on request")


def test_a_killed_run_is_marked_interrupted(tmp_path: Path) -> None:
    server = Server(tmp_path, heartbeat_timeout=0.4).start()
    try:
        running = start(
            "run",
            "--server",
            server.url,
            "--task",
            "t",
            "--heartbeat",
            "0.1",
            "--",
            "sh",
            "-c",
            "echo up; exec sleep 60",
        )
        wait_for_event(server.store_url, "t", lambda event: event.event_type == "runner_heartbeat")
        child = int(log_of(server.store, "t")[0].payload["runner_pid"])
        running.kill()
        running.communicate()
        wait_until_gone(child)
        wait_until(lambda: task_of(server.store, "t").status == "interrupted")
    finally:
        server.close()


def test_the_command_is_not_started_when_its_log_is_unavailable(tmp_path: Path) -> None:
    marker = tmp_path / "made"
    for options in (("--store", f"sqlite:///{tmp_path}/missing/x.db"), ("--server", "http://127.0.0.1:1")):
        done = signalbox("run", *options, "--", "touch", str(marker), SIGNALBOX_SPOOL_BYTES="0")
        assert done.returncode == 2
        assert done.stderr.startswith("signalbox: the command was not started: ")
        assert done.stderr.count("\n") == 1
    assert not marker.exists()


def test_a_command_without_a_directory_is_not_started(url: str, store: SqliteStore, tmp_path: Path) -> None:
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *RUN, "run", "--store", url, "--", "true"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("signalbox: the command was not started: the current directory was deleted")
    assert tasks_of(store) == []


@pytest.mark.long
def test_no_output_is_lost_while_the_server_is_unreachable(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    proxy = Proxy(server.port)
    try:
        go = tmp_path / "go"
        script = f"seq 1 500; while [ ! -e {go} ]; do sleep 0.02; done; seq 501 3000; exit 4"
        running = start(
            "run", "--server", proxy.url, "--task", "t", "--", "sh", "-c", script, stdout=subprocess.DEVNULL
        )
        wait_for_event(server.store_url, "t", lambda event: event.payload.get("message") == "500")
        proxy.shut()
        go.touch()
        assert running.stderr is not None
        assert "output is kept" in running.stderr.readline()
        proxy.listen()
        assert running.wait(60) == 4
        assert "answers again" in running.stderr.read()
        running.communicate()
        assert lines_of(server.store) == [str(number) for number in range(1, 3001)]
        assert task_of(server.store, "t").exit_code == 4
    finally:
        proxy.close()
        server.close()


def test_ten_concurrent_runs_share_one_database(url: str, store: SqliteStore) -> None:
    names = [f"t{number}" for number in range(10)]
    running = [start("run", "--store", url, "--task", name, "--", "seq", "1", "200") for name in names]
    assert [process.wait(60) for process in running] == [0] * 10
    for process in running:
        assert process.communicate()[1] == ""
    for name in names:
        log = log_of(store, name)
        assert [event.seq for event in log] == list(range(1, 203))
        assert lines_of(store, name) == [str(number) for number in range(1, 201)]


def test_a_background_process_of_the_command_does_not_delay_the_exit(url: str, store: SqliteStore) -> None:
    started_at = time.monotonic()
    done = run(url, "sh", "-c", "sleep 300 & echo $!")
    os.kill(int(lines_of(store)[0]), signal.SIGKILL)
    assert done.returncode == 0
    assert time.monotonic() - started_at < 60


def test_the_run_continues_when_its_standard_output_is_closed(url: str, store: SqliteStore) -> None:
    running = start("run", "--store", url, "--task", "t", "--", "seq", "1", "20000")
    assert running.stdout is not None
    running.stdout.close()
    assert running.wait(60) == 0
    assert lines_of(store)[-1] == "20000"
