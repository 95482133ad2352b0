"""Test the plugin of pytest: a session is a task, whose page says which tests failed and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from signalbox.store import Event
from tests.support.reporting import events_in, run_python, tasks_in

PLUGIN = ("-m", "pytest", "-p", "signalbox.integrations.pytest", "-p", "no:cacheprovider")

TESTS = """
import sys
import pytest

attempts = []

def test_adds():
    assert 1 + 1 == 2

def test_total():
    print("computing the total")
    print("warning: rounding", file=sys.stderr)
    assert sum([1, 2]) == 4

@pytest.mark.parametrize("number", [1, 2])
def test_numbers(number):
    pass

@pytest.mark.skip(reason="no network")
def test_skipped():
    pass

@pytest.mark.xfail(reason="bug 12")
def test_known():
    assert False

@pytest.mark.xfail(reason="bug 13")
def test_fixed():
    pass

@pytest.mark.flaky(reruns=2)
def test_flaky():
    attempts.append(1)
    assert len(attempts) > 1, "not yet"

@pytest.fixture
def database():
    raise RuntimeError("no database")

def test_setup(database):
    pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "test_orders.py").write_text(TESTS)
    (tmp_path / "test_users.py").write_text("def test_login(): pass")
    (tmp_path / "test_broken.py").write_text("import no_such_module")
    return tmp_path


@pytest.mark.long
@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["one process", "xdist"])
async def test_a_session_is_a_task_with_its_tests_each_reported_once(workers: list[str], suite: Path, url: str) -> None:
    done = run_python(
        *PLUGIN, *workers, "--continue-on-collection-errors", cwd=suite, SIGNALBOX_STORE_URL=url, COLUMNS="200"
    )
    assert done.returncode == 1, done.stderr
    (task,) = await tasks_in(url)
    assert f"signalbox: task {task.task_id} at {url}" in done.stdout
    assert (task.kind, task.status) == ("pytest", "failed")
    assert task.title == " ".join(["pytest", "-p no:cacheprovider", *workers, "--continue-on-collection-errors"])
    events = await events_in(url, task.task_id)
    sum_of_tests = "1 failed, 5 passed, 1 skipped, 1 xfailed, 1 xpassed, 2 errors, 1 rerun"
    assert sum_of_tests in done.stdout
    assert str(task.error).startswith(sum_of_tests)
    assert task.progress is not None
    assert (task.progress.current, task.progress.total) == (10, 10)

    outcomes = {name: [event.payload["outcome"] for event in found] for name, found in ends_of_tests(events).items()}
    assert outcomes == {
        "test_broken.py": ["error"],
        "test_orders.py::test_adds": ["passed"],
        "test_orders.py::test_total": ["failed"],
        "test_orders.py::test_numbers[1]": ["passed"],
        "test_orders.py::test_numbers[2]": ["passed"],
        "test_orders.py::test_skipped": ["skipped"],
        "test_orders.py::test_known": ["xfailed"],
        "test_orders.py::test_fixed": ["xpassed"],
        "test_orders.py::test_flaky": ["rerun", "passed"],
        "test_orders.py::test_setup": ["error"],
        "test_users.py::test_login": ["passed"],
    }
    assert starts_of_tests(events) == {name: len(found) for name, found in outcomes.items()}
    phases = [event.phase for event in events if event.event_type == "phase_exit"]
    assert sorted(map(str, phases)) == ["test_broken.py", "test_orders.py", "test_users.py"]

    broken = ends_of_tests(events)["test_broken.py"][0].payload
    assert (broken["error_code"], broken["message"]) == (
        "ModuleNotFoundError",
        "ModuleNotFoundError: No module named 'no_such_module'",
    )
    failed = [event for event in events if event.span_id == "test_orders.py::test_total"]
    lines = [event.payload for event in failed if event.event_type == "log"]
    assert {"message": "computing the total", "stream": "stdout"} in lines
    assert {"message": "warning: rounding", "stream": "stderr"} in lines
    assert "assert sum([1, 2]) == 4\nE       assert 3 == 4" in lines[-1]["message"]
    assert (failed[-1].payload["error_code"], failed[-1].payload["message"]) == (
        "AssertionError",
        "assert 3 == 4\n +  where 3 = sum([1, 2])",
    )


def ends_of_tests(events: list[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        if event.event_type in ("work_item_complete", "work_item_failed"):
            found.setdefault(event.payload["work_item_id"], []).append(event)
    return found


def starts_of_tests(events: list[Event]) -> dict[str, int]:
    names = [event.payload["work_item_id"] for event in events if event.event_type == "work_item_start"]
    return {name: names.count(name) for name in names}


@pytest.mark.long
async def test_a_session_that_is_interrupted_is_cancelled(tmp_path: Path, url: str) -> None:
    (tmp_path / "test_stops.py").write_text("def test_one(): pass\ndef test_two():\n    raise KeyboardInterrupt")
    run_python(*PLUGIN, cwd=tmp_path, SIGNALBOX_STORE_URL=url)
    (task,) = await tasks_in(url)
    assert task.status == "cancelled"
    assert (await events_in(url, task.task_id))[-1].payload["message"].startswith("interrupted after 1 passed in")
