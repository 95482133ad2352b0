"""Prefect with a local server: flow runs, task runs, retries, failures and subflows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prefect import flow, get_run_logger, task

from signalbox.integrations import prefect as signalbox_prefect
from signalbox.integrations.reporting.background import background_writer
from signalbox.integrations.reporting.target import target
from signalbox.store import Event
from signalbox.store.sqlite import SqliteStore
from signalbox.store.state import Task
from tests.support.log import log_of, spans_of, tasks_of

signalbox_prefect.install()
tries: list[str] = []


@pytest.fixture(autouse=True)
def reports(store: SqliteStore) -> None:
    """Report to the store of the test."""
    signalbox_prefect.configure(store.url)
    tries.clear()


def stored(store: SqliteStore) -> dict[str, Task]:
    """Wait until everything is stored, and return the tasks by title."""
    assert background_writer(target(store.url)).flush()
    return {found.title or "": found for found in tasks_of(store)}


def ends(store: SqliteStore, task_id: str, event_type: str) -> list[Event]:
    return [event for event in log_of(store, task_id) if event.event_type == event_type]


@task
def load(volume: str, password: str = "") -> int:
    get_run_logger().warning("slow disk")
    return len(volume)


@task(retries=2, retry_delay_seconds=0)
def flaky() -> str:
    tries.append("flaky")
    if len(tries) == 1:
        raise ConnectionError("the shop is away")
    return "bought"


@task
def fail() -> None:
    raise LookupError("no volume 7")


@flow(name="backup")
def backup(volume: str, password: str) -> int:
    get_run_logger().info("begins")
    flaky()
    return load(volume, password)


def test_a_flow_run_is_a_task_with_its_task_runs_and_their_log(store: SqliteStore) -> None:
    assert backup("home", "hunter2") == 4
    run = stored(store)["backup"]
    assert (run.status, run.kind, run.items_done, run.tags["flow"]) == ("done", "prefect", 2, "backup")
    assert run.metadata["parameters"] == {"volume": "home", "password": "[redacted]"}
    assert ends(store, run.task_id, "runner_exit")[0].payload["result"] == 4
    spans = {name.split("-")[0]: span for name, span in spans_of(store, run.task_id).items()}
    assert (spans["load"].state, spans["flaky"].state) == ("done", "done")
    lines = {event.payload["message"]: event for event in ends(store, run.task_id, "log")}
    assert lines["slow disk"].span_id == spans["load"].span_id
    assert lines["slow disk"].payload["level"] == "warning"
    assert "begins" in lines
    assert "hunter2" not in str([event.payload for event in log_of(store, run.task_id)])


def test_a_retry_is_another_attempt_of_its_work_item(store: SqliteStore) -> None:
    backup("home", "")
    run = stored(store)["backup"]
    failed = ends(store, run.task_id, "work_item_failed")
    assert [(event.payload["error_code"], event.payload["message"]) for event in failed] == [
        ("ConnectionError", "the shop is away")
    ]
    attempts = [event.payload.get("attempt") for event in ends(store, run.task_id, "work_item_start")]
    assert attempts == [None, 2, None]
    assert run.items_failed == 0


def test_a_failed_flow_run_has_the_reason(store: SqliteStore) -> None:
    @flow(name="broken")
    def broken() -> None:
        fail()

    with pytest.raises(LookupError):
        broken()
    run = stored(store)["broken"]
    ended = ends(store, run.task_id, "runner_exit")[0].payload
    assert (run.status, ended["error_code"], ended["message"]) == ("failed", "LookupError", "no volume 7")
    assert "no volume 7" in ended["traceback"]
    assert ends(store, run.task_id, "work_item_failed")[0].payload["error_code"] == "LookupError"


def test_a_subflow_is_a_task_that_names_its_caller(store: SqliteStore) -> None:
    @flow(name="inner")
    def inner() -> str:
        return "done"

    @flow(name="outer")
    def outer() -> str:
        return inner()

    outer()
    runs = stored(store)
    assert runs["inner"].tags["caller"] == runs["outer"].task_id


def test_asynchronous_flows_report_too(store: SqliteStore) -> None:
    @task
    async def fetch(number: int) -> int:
        return number

    @flow(name="gather")
    async def gather() -> Any:
        return await asyncio.gather(*(fetch(number) for number in range(3)))

    asyncio.run(gather())
    run = stored(store)["gather"]
    assert (run.status, run.items_done) == ("done", 3)


def test_a_flow_runs_while_the_server_is_away(store: SqliteStore) -> None:
    signalbox_prefect.configure(server="http://127.0.0.1:9")
    assert backup("home", "") == 4
