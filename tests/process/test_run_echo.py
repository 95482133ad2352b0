"""Test that `signalbox run` echoes the command's output and never waits for a slow reader of it."""

from __future__ import annotations

import signal
import subprocess

import pytest

from signalbox.store import Emitter, UnknownTask
from signalbox.store.sqlite import SqliteStore
from tests.support.command import RUN, environment, signalbox, start
from tests.support.log import cancel, log_of, task_of
from tests.support.waiting import wait_until


def latest_seq(store: SqliteStore) -> int:
    try:
        return task_of(store, "t").latest_seq
    except UnknownTask:
        return 0


def has_ended(store: SqliteStore) -> bool:
    try:
        return task_of(store, "t").ended
    except UnknownTask:
        return False


@pytest.mark.long
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_recording_continues_and_a_slow_reader_gets_everything_later(url: str, store: SqliteStore, stream: str) -> None:
    command = "seq 1 100000" if stream == "stdout" else "seq 1 100000 >&2"
    running = start("run", "--store", url, "--task", "t", "--no-resources", "--", "sh", "-c", command)
    wait_until(lambda: has_ended(store))
    assert running.poll() is None
    out, err = running.communicate()
    assert (out if stream == "stdout" else err) == "".join(f"{number}\n" for number in range(1, 100_001))
    assert running.returncode == 0
    assert task_of(store, "t").latest_seq == 100_002


@pytest.mark.long
@pytest.mark.parametrize("how", ["time limit", "cancel", "Ctrl-C"])
def test_a_run_with_unread_output_can_be_stopped(url: str, store: SqliteStore, how: str) -> None:
    options = ("--time-limit", "1") if how == "time limit" else ()
    command = ("sh", "-c", "seq 1 20000; exec sleep 60")
    running = start("run", "--store", url, "--task", "t", *options, "--", *command)
    wait_until(lambda: latest_seq(store) > 20_000)
    if how == "cancel":
        cancel(store, "t")
    elif how == "Ctrl-C":
        running.send_signal(signal.SIGINT)
    running.wait(60)
    assert running.returncode == (143 if how == "time limit" else 130)
    assert task_of(store, "t").status == ("failed" if how == "time limit" else "cancelled")
    running.communicate()


def test_heartbeats_continue_while_output_is_unread(url: str, store: SqliteStore) -> None:
    command = ("sh", "-c", "seq 1 20000; exec sleep 60")
    running = start("run", "--store", url, "--task", "t", "--heartbeat", "0.2", "--", *command)
    wait_until(lambda: latest_seq(store) > 20_003)
    running.send_signal(signal.SIGTERM)
    running.communicate()


def test_a_closed_output_is_not_reported_as_a_database_error(url: str, store: SqliteStore) -> None:
    words = " ".join([*RUN, "run", "--store", url, "--task", "t", "--", "seq", "1", "2000"])
    done = subprocess.run(["sh", "-c", f"{words} >&-"], env=environment(), stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert task_of(store, "t").latest_seq == 2002


@pytest.mark.parametrize("options", [(), ("--no-tty",), ("--merge",), ("--merge", "--no-tty")])
def test_stdout_and_stderr_keep_their_order(url: str, store: SqliteStore, options: tuple[str, ...]) -> None:
    done = signalbox(
        "run", "--store", url, "--task", "t", *options, "--", "sh", "-c", "echo 1; echo 2 >&2; echo 3; echo 4 >&2"
    )
    assert done.returncode == 0
    payloads = [event.payload for event in log_of(store, "t") if event.event_type == "log"]
    assert [payload["message"] for payload in payloads] == ["1", "2", "3", "4"]
    streams = [None] * 4 if "--merge" in options else ["stdout", "stderr"] * 2
    assert [payload.get("stream") for payload in payloads] == streams


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode_gets_replacement_characters(url: str, store: SqliteStore, encoding: str) -> None:
    Emitter(store).emit_log("t", None, "é → ✓")
    Emitter(store).emit_runner_exit("t", "s")
    result = subprocess.run(
        [*RUN, "tail", "--store", url, "t"], env=environment(PYTHONIOENCODING=encoding), capture_output=True, timeout=60
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert ("é" if encoding == "latin-1" else "?").encode("latin-1") + b" ? ?" in result.stdout


def test_json_is_utf_8_on_every_terminal(url: str, store: SqliteStore) -> None:
    Emitter(store).emit_log("t", None, "é → ✓")
    Emitter(store).emit_runner_exit("t", "s")
    result = signalbox("tail", "--store", url, "t", "--json", PYTHONIOENCODING="ascii")
    assert "é → ✓" in result.stdout


@pytest.mark.long
def test_a_server_keeps_working_when_its_own_log_is_unread() -> None:
    code = (
        "import logging; from signalbox.webapp.logs import configure; from signalbox.webapp.settings import Settings;"
        "configure(Settings());"
        "[logging.warning('line %d', number) for number in range(5000)]; print('went on', flush=True)"
    )
    running = subprocess.Popen(
        [RUN[0], "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "went on\n"
    assert "line 4999" in running.communicate(timeout=60)[1]
    assert running.returncode == 0
