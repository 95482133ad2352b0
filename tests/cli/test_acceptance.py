"""The guided acceptance script asks after each step; its exit code tells whether all steps were confirmed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from signalbox.store.state import Task
from tests.support.command import environment
from tests.support.log import tasks_of
from tests.support.paths import ROOT
from tests.support.server import Server


def run_script(server: Server, answers: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "examples" / "acceptance.py", server.url],
        input=answers,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(PYTHONPATH=str(ROOT)),
    )


def newest(server: Server) -> Task:
    return tasks_of(server.store)[0]


@pytest.mark.long
@pytest.mark.parametrize(
    ("answers", "code", "verdict"),
    [("\n" * 5, 0, "Everything was as expected."), ("y\nn\ny\n\nno\n", 1, "Not as expected: step 2, 5")],
)
def test_the_script_asks_after_each_step(server: Server, answers: str, code: int, verdict: str) -> None:
    done = run_script(server, answers)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.count("Did you see it?") == 5
    assert done.stdout.strip().endswith(verdict)
    task = newest(server)
    assert f"{server.url}/demo?task={task.task_id}" in done.stdout
    assert (task.kind, task.status) == ("acceptance", "done")
