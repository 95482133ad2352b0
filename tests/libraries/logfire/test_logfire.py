"""Test that spans of Logfire's real SDK are shown while they run, by its pending spans."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.log import spans_of, task_of, tasks_of
from tests.support.server import Server
from tests.support.waiting import wait_until

PROGRAM = Path(__file__).with_name("traced_program.py")


def test_spans_are_shown_while_they_run_and_replaced_by_their_end(server: Server) -> None:
    program = subprocess.Popen([sys.executable, str(PROGRAM), server.url], stdin=subprocess.PIPE, text=True)
    try:
        (task,) = wait_until(lambda: tasks_of(server.store), 60)
        wait_until(lambda: task_of(server.store, task.task_id).spans_open == 2)
        running = spans_of(server.store, task.task_id)
        assert {(name, span.state) for name, span in running.items()} == {
            ("plan the trip to Oslo", "open"),
            ("look up trains", "open"),
        }
        assert running["look up trains"].parent_span_id == running["plan the trip to Oslo"].span_id
        program.communicate("go on\n", timeout=60)
    finally:
        program.kill()
        program.wait()
    wait_until(lambda: task_of(server.store, task.task_id).spans_open == 0)
    ended = spans_of(server.store, task.task_id)
    assert {name: span.state for name, span in ended.items()} == dict.fromkeys(running, "done")
    assert task_of(server.store, task.task_id).title == "plan the trip to Oslo"
