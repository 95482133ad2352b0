"""Test that the examples run and report."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.reporting import events_in, run_python, tasks_in

EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize(
    ("words", "title", "status", "last"),
    [
        (["logging_program.py"], "logging_program.py", "done", "2 of 3 volumes copied"),
        (["loggers.py"], "loggers.py", "done", "slow: 3 MB/s"),
        (["progress_bars.py"], "progress_bars.py", "done", None),
    ],
)
async def test_a_program_reports(
    words: list[str], title: str, status: str, last: str | None, tmp_path: Path, url: str
) -> None:
    done = run_python(str(EXAMPLES / words[0]), cwd=tmp_path, SIGNALBOX_STORE_URL=url)
    assert done.returncode == 0, done.stderr
    (task,) = await tasks_in(url)
    assert (task.title, task.status) == (title, status)
    lines = [event.payload["message"] for event in await events_in(url, task.task_id) if event.event_type == "log"]
    assert (lines or [None])[-1] == last


@pytest.mark.parametrize(
    "runner",
    [["pytest", "-p", "signalbox.integrations.pytest", "-p", "no:cacheprovider"], ["signalbox.integrations.unittest"]],
)
async def test_the_sample_tests_are_reported(runner: list[str], tmp_path: Path, url: str) -> None:
    (tmp_path / "sample_tests.py").write_text((EXAMPLES / "sample_tests.py").read_text())
    done = run_python("-m", *runner, "sample_tests.py", cwd=tmp_path, SIGNALBOX_STORE_URL=url)
    assert done.returncode == 1
    (task,) = await tasks_in(url)
    assert str(task.error).startswith("1 failed, 1 passed, 1 skipped in")
