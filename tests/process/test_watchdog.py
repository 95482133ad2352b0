"""Test that a command ends with the `signalbox run` that started it, even after SIGKILL."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from signalbox.store import Event
from signalbox.webapp.process.watchdog import Watchdog
from tests.support.command import is_alive, start, wait_until_gone
from tests.support.log import wait_for_event

POLITE = "echo $$; sleep 600 & echo $!; wait"
STUBBORN = "trap '' TERM; echo $$; echo $$; while :; do sleep 0.1; done"


@pytest.mark.parametrize("script", [POLITE, STUBBORN], ids=["polite", "stubborn"])
def test_killing_a_run_ends_its_command_and_all_child_processes(tmp_path: Path, script: str) -> None:
    url = f"sqlite:///{tmp_path}/signalbox.db"
    running = start("run", "--store", url, "--task", "t", "--grace", "0.5", "--", "sh", "-c", script)
    pids = [int(wait_for_event(url, "t", has_seq(seq)).payload["message"]) for seq in (2, 3)]
    assert all(map(is_alive, pids))
    running.kill()
    running.communicate()
    for pid in pids:
        wait_until_gone(pid)


def has_seq(seq: int) -> Callable[[Event], bool]:
    return lambda event: event.event_type == "log" and event.seq == seq


def test_a_dismissed_watchdog_exits_and_kills_nothing() -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as command:
        guard = Watchdog(grace=0)
        guard.watch(command.pid)
        guard.dismiss()
        assert command.poll() is None
        command.kill()
