"""Test the background writer: a program never waits for it, and what it reports is stored once and in order."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from signalbox.integrations.reporting.background import BackgroundWriter
from signalbox.integrations.reporting.jobs.arguments import shown_arguments, shown_result
from signalbox.integrations.reporting.log_lines import LogLines
from signalbox.integrations.reporting.progress import ProgressReport
from signalbox.integrations.reporting.target import ReportTarget
from signalbox.integrations.reporting.traces.traced_task import error_fields
from signalbox.integrations.reporting.traces.values import plain
from signalbox.store import open_store
from tests.support.reporting import events_in, run_program, tasks_in
from tests.support.server import Server
from tests.support.shared_postgres import create_database
from tests.support.waiting import wait_until


@pytest.fixture
def writer(url: str) -> Iterator[BackgroundWriter]:
    writer = BackgroundWriter(ReportTarget(url))
    yield writer
    writer.close(0)


async def test_events_are_stored_once_in_order_with_their_own_times(writer: BackgroundWriter, url: str) -> None:
    writer.create_task("nightly", title="Nightly build", kind="build", metadata={"tags": {"branch": "main"}})
    for number in range(1200):
        writer.append("nightly", "log", {"message": f"line {number}"}, occurred_at=1_700_000_000.0 - number)
    assert writer.flush()
    (task,) = await tasks_in(url)
    assert (task.title, task.kind, task.tags) == ("Nightly build", "build", {"branch": "main"})
    events = await events_in(url, "nightly")
    assert [event.payload["message"] for event in events] == [f"line {number}" for number in range(1000)]
    assert events[1].happened_at < events[0].happened_at
    assert task.latest_seq == 1200
    assert writer.counts == {"waiting": 0, "written": 1201, "kept": 0, "dropped": 0, "refused": 0}


async def test_values_are_those_of_the_moment_of_the_report(writer: BackgroundWriter, url: str) -> None:
    class Row:
        def __str__(self) -> str:
            raise RuntimeError("the session is closed")

    numbers = [1, 2]
    writer.append("values", "log", {"numbers": numbers, "row": Row(), "when": b"\xff", "infinite": float("inf")})
    numbers.append(3)
    assert writer.flush()
    (event,) = await events_in(url, "values")
    assert event.payload == {"numbers": [1, 2], "row": "<Row>", "when": "�", "infinite": None}


async def test_a_full_queue_drops_its_oldest_lines_and_the_log_says_how_many(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/later/signalbox.db"
    writer = BackgroundWriter(ReportTarget(url), max_events=100)
    writer.append("busy", "work_item_start", {"work_item_id": "a"}, span_id="a")
    wait_until(lambda: writer.is_down)  # the thread has taken it, and keeps trying to store it
    for number in range(150):
        writer.append("busy", "log", {"message": str(number)})
    writer.append("busy", "work_item_complete", {"work_item_id": "a"}, span_id="a")
    assert writer.counts["dropped"] == 51
    (tmp_path / "later").mkdir()
    assert wait_until(writer.flush)
    events = await events_in(url, "busy")
    report = "51 events were dropped, because too many were waiting to be sent"
    lines = [event.payload["message"] for event in events if event.event_type == "log"]
    assert lines == [report, *map(str, range(51, 150))]
    assert (events[0].event_type, events[-1].event_type) == ("work_item_start", "work_item_complete")
    writer.close()


@pytest.mark.long
def test_events_reach_a_server_that_was_away(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server()
    server.kill()
    code = """
        from signalbox.integrations.reporting.background import background_writer
        from signalbox.integrations.reporting.target import target

        writer = background_writer(target())
        writer.append("away", "log", {"message": "kept"})
        print(writer.flush(), writer.counts["kept"])
        """
    variables = {"SIGNALBOX_SERVER": server.url, "SIGNALBOX_SPOOL_DIR": str(tmp_path / "spool")}
    assert run_program(code, cwd=tmp_path, **variables).stdout == "True 1\n"
    server.start()
    assert run_program(code.replace('kept"}', 'now"}'), cwd=tmp_path, **variables).returncode == 0

    def messages() -> list[str]:
        events = server.get("/api/tasks/away/events").json().get("events", [])
        return [event["payload"]["message"] for event in events]

    assert wait_until(lambda: len(messages()) == 2 and messages()) == ["kept", "now"]


@pytest.mark.long
def test_a_fork_reports_for_itself_and_the_parent_goes_on(url: str, tmp_path: Path) -> None:
    done = run_program(
        """
        import os, sys
        from multiprocessing import get_context
        from signalbox.integrations.reporting.background import background_writer
        from signalbox.integrations.reporting.target import target

        writer = background_writer(target())
        writer.append("forks", "log", {"message": "before"})
        def child():
            background_writer(target()).append("forks", "log", {"message": "child"})
        process = get_context("fork").Process(target=child)
        process.start()
        process.join(60)
        writer.append("forks", "log", {"message": f"parent after {process.exitcode}"})
        """,
        cwd=tmp_path,
        SIGNALBOX_STORE_URL=url,
    )
    assert (done.returncode, done.stderr) == (0, "")
    events = asyncio.run(events_in(url, "forks"))
    assert sorted(event.payload["message"] for event in events) == ["before", "child", "parent after 0"]


@pytest.mark.long
def test_the_end_of_a_program_waits_for_the_last_events_within_a_bound(tmp_path: Path) -> None:
    code = """
        import atexit, time
        from signalbox.integrations.reporting import background
        from signalbox.integrations.reporting.target import target

        background.EXIT_TIMEOUT_S = %s
        atexit.register(lambda: background.background_writer(target()).append("end", "log", {"message": "at exit"}))
        background.background_writer(target()).append("end", "log", {"message": "last words"})
        """
    url = f"sqlite:///{tmp_path}/signalbox.db"
    done = run_program(code % 60, cwd=tmp_path, SIGNALBOX_STORE_URL=url)
    assert (done.returncode, done.stderr) == (0, "")
    events = asyncio.run(events_in(url, "end"))
    assert [event.payload["message"] for event in events] == ["last words", "at exit"]
    # Nobody answers: the connection stays open until the system gives up, after minutes.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        away = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = run_program(code % 1.5, cwd=tmp_path, SIGNALBOX_SERVER=away, SIGNALBOX_SPOOL_DIR=str(tmp_path / "spool"))
        assert done.returncode == 0
        assert time.monotonic() - started < 60


SLOW_LOADING = """
        import os, sys, time
        from importlib.abc import MetaPathFinder
        from signalbox.integrations.reporting import background
        from signalbox.integrations.reporting.target import target

        class Slow(MetaPathFinder):
            def find_spec(self, name, path, target=None):
                if name == "signalbox.store.sqlite":
                    time.sleep(3)

        sys.meta_path.insert(0, Slow())
        background.EXIT_TIMEOUT_S = 2
        background.background_writer(target()).append("slow", "log", {"message": "first"})
        """
"""A program on a machine that needs longer to load the modules of the store than the program waits for a store."""


@pytest.mark.long
def test_a_machine_that_loads_modules_slowly_loses_no_event(url: str, tmp_path: Path) -> None:
    done = run_program(SLOW_LOADING, cwd=tmp_path, SIGNALBOX_STORE_URL=url)
    assert (done.returncode, done.stderr) == (0, "")
    events = asyncio.run(events_in(url, "slow"))
    assert [event.payload["message"] for event in events] == ["first"]


@pytest.mark.long
def test_a_process_that_is_forked_while_modules_are_loaded_reports_too(url: str, tmp_path: Path) -> None:
    forks = """
        while "signalbox.store" not in sys.modules:
            time.sleep(0.01)
        if child := os.fork():
            os.waitpid(child, 0)
        else:
            background.background_writer(target()).append("slow", "log", {"message": "child"})
        """
    done = run_program(SLOW_LOADING + forks, cwd=tmp_path, SIGNALBOX_STORE_URL=url)
    assert (done.returncode, done.stderr) == (0, "")
    events = asyncio.run(events_in(url, "slow"))
    assert sorted(event.payload["message"] for event in events) == ["child", "first"]


def test_an_event_that_the_log_refuses_holds_up_no_other(writer: BackgroundWriter, url: str) -> None:
    writer.append("mixed", "log", {"message": "one"})
    writer.append("mixed", "log", {"message": "two"}, key="signalbox:reserved")
    writer.append("mixed", "log", {"message": "three"})
    assert writer.flush()
    assert [event.payload["message"] for event in asyncio.run(events_in(url, "mixed"))] == ["one", "three"]
    assert writer.counts["refused"] == 1


def test_a_time_that_is_none_holds_up_no_event(writer: BackgroundWriter, url: str) -> None:
    writer.append("odd", "log", {"message": "one"}, occurred_at=float("nan"))
    writer.append("odd", "log", {"message": "two"}, occurred_at=1e300)
    writer.append("odd", "log", {"message": "three"})
    assert writer.flush()
    assert [event.payload["message"] for event in asyncio.run(events_in(url, "odd"))] == ["one", "two", "three"]


def test_an_error_without_a_message_ends_what_it_interrupts(url: str) -> None:
    class Nameless(Exception):
        def __str__(self) -> str:
            raise ValueError("no name")

    lines = LogLines(store=url, task="bars")
    ProgressReport(lines.task, "copying", 3).end(Nameless())
    assert lines.wait()
    last = asyncio.run(events_in(url, "bars"))[-1]
    assert (last.event_type, last.payload["message"]) == ("work_item_failed", "<Nameless>")
    assert error_fields(Nameless()) == {"error_code": "Nameless", "message": "<Nameless>"}


@pytest.mark.long
def test_objects_that_refer_to_each_other_stop_no_program(writer: BackgroundWriter, url: str) -> None:
    nodes: list[dict[str, Any]] = [{"name": f"node {number}"} for number in range(50)]
    for node in nodes:
        node["others"] = nodes
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep, deep]
    began = time.thread_time()
    writer.append("graph", "log", {"message": "a graph", "node": nodes[0], "deep": deep})
    shown_arguments((nodes, deep), {"node": nodes[0], "deep": deep})
    shown_result(nodes)
    plain(nodes)
    plain(deep)
    assert time.thread_time() - began < 5
    assert writer.flush()
    (event,) = asyncio.run(events_in(url, "graph"))
    assert event.payload["node"]["name"] == "node 0"


def test_events_of_a_deleted_task_reach_no_later_task_with_its_id(writer: BackgroundWriter, url: str) -> None:
    writer.create_task("again")
    assert writer.flush()
    store = open_store(url)
    store.delete_task("again")
    store.create_task("again", title="Another one")
    store.close()
    writer.append("again", "log", {"message": "late"})
    assert writer.flush()
    assert asyncio.run(events_in(url, "again")) == []
    assert writer.counts["refused"] == 1


async def test_a_silent_task_shows_signs_of_life(writer: BackgroundWriter, url: str) -> None:
    writer.append("quiet", "runner_spawn", {"heartbeat_interval": 0.1})
    writer.keep_alive("quiet", 0.05)
    wait_until(lambda: writer.counts["written"] >= 4)
    writer.let_go("quiet")
    assert {event.event_type for event in (await events_in(url, "quiet"))[1:]} == {"runner_heartbeat"}


def test_an_unusable_target_costs_the_program_nothing(caplog: pytest.LogCaptureFixture) -> None:
    writer = BackgroundWriter(ReportTarget("mysql://nobody:secret@example.com/x"))
    writer.append("t", "log", {"message": "hello"})
    assert not writer.flush()
    assert "cannot store events at mysql://nobody:…@example.com/x" in caplog.text
    writer.close(0)


async def test_secrets_are_hidden_before_they_leave_the_program_if_its_environment_says_so(
    writer: BackgroundWriter, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNALBOX_REDACT_WRITES", "1")
    writer.create_task("login", title="login --password=hunter2", metadata={"api_key": "hunter2"})
    writer.append("login", "log", {"message": "token=hunter2", "extra": {"password": "hunter2"}})
    assert writer.flush()
    (task,) = await tasks_in(url)
    (event,) = await events_in(url, "login")
    assert "hunter2" not in f"{task} {event.payload}"
    assert event.payload["message"] == "token=[redacted]"


@pytest.mark.long
def test_a_forked_process_reports_to_postgresql_too(tmp_path: Path) -> None:
    url = create_database()
    done = run_program(
        """
        from multiprocessing import get_context
        from signalbox.integrations.reporting.background import background_writer
        from signalbox.integrations.reporting.target import target

        writer = background_writer(target())
        writer.create_task("forks", title="Forks")
        writer.append("forks", "log", {"message": "parent"})
        writer.flush()
        def child():
            background_writer(target()).append("forks", "log", {"message": "child"})
        process = get_context("fork").Process(target=child)
        process.start()
        process.join(60)
        """,
        cwd=tmp_path,
        SIGNALBOX_STORE_URL=url,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [event.payload["message"] for event in asyncio.run(events_in(url, "forks"))] == ["parent", "child"]
