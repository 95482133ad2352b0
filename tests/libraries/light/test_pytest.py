"""Test the plugin of pytest in cases that are rarer than those of `tests/integrations/test_pytest_plugin.py`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.reporting import events_in, run_python, tasks_in

PLUGIN = ("-m", "pytest", "-p", "signalbox.integrations.pytest", "-p", "no:cacheprovider")


async def test_a_session_that_a_test_ends_says_why(tmp_path: Path, url: str) -> None:
    (tmp_path / "test_stops.py").write_text("import pytest\ndef test_one():\n    pytest.exit('no licence')")
    run_python(*PLUGIN, cwd=tmp_path, SIGNALBOX_STORE_URL=url)
    (task,) = await tasks_in(url)
    assert task.status == "failed"
    assert (await events_in(url, task.task_id))[-1].payload["message"] == "no licence"


async def test_a_worker_that_crashes_fails_its_test(tmp_path: Path, url: str) -> None:
    (tmp_path / "test_crash.py").write_text("import os\ndef test_one(): pass\ndef test_two(): os._exit(7)")
    run_python(*PLUGIN, "-n1", cwd=tmp_path, SIGNALBOX_STORE_URL=url)
    (task,) = await tasks_in(url)
    (failed,) = [event for event in await events_in(url, task.task_id) if event.event_type == "work_item_failed"]
    assert failed.payload["work_item_id"] == "test_crash.py::test_two"
    assert "crashed" in failed.payload["message"]


async def test_a_session_without_its_server_runs_as_ever_and_says_where_its_events_are(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("def test_one(): pass")
    spool = str(tmp_path / "spool")
    done = run_python(*PLUGIN, cwd=tmp_path, SIGNALBOX_SERVER="http://127.0.0.1:9", SIGNALBOX_SPOOL_DIR=spool)
    assert done.returncode == 0
    assert "events are kept on disk until the server is back" in done.stdout


async def test_a_session_without_its_database_says_that_nothing_is_stored(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("def test_one(): pass")
    done = run_python(*PLUGIN, cwd=tmp_path, SIGNALBOX_STORE_URL="sqlite:///missing/signalbox.db")
    assert done.returncode == 0
    assert "events are not stored" in done.stdout


async def test_two_sessions_of_one_run_are_told_apart(tmp_path: Path, url: str) -> None:
    (tmp_path / "test_one.py").write_text("def test_one(): pass")
    twice = f"import subprocess; [subprocess.run({[sys.executable, *PLUGIN]!r}) for _ in range(2)]"
    run_python("-m", "signalbox", "run", "--store", url, "--", sys.executable, "-c", twice, cwd=tmp_path)
    (task,) = await tasks_in(url)
    events = await events_in(url, task.task_id)
    spans = {event.span_id for event in events if event.event_type == "work_item_complete"}
    assert len(spans) == 2
    assert [event.event_type for event in events].count("runner_exit") == 1
