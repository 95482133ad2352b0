"""A run writes only to the task that it opened, although another task gets the id of that task."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from signalbox.store import NewEvent, Store, UnknownTask, open_task
from signalbox.store.events import new_id
from signalbox.store.log import Log
from signalbox.store.remote import RemoteLog
from signalbox.store.state import Unfinished
from tests.support.server import Server
from tests.support.waiting import wait_until


@pytest.fixture(params=["store", "remote"])
def log(request: pytest.FixtureRequest, server: Server) -> Iterator[Log]:
    if request.param == "store":
        yield server.store
        return
    remote = RemoteLog(server.url)
    yield remote
    remote.close()


def replace(store: Store, task_id: str, lines: int = 0) -> None:
    """Delete the task, and create another one with its id that has some lines."""
    store.delete_task(task_id)
    store.create_task(task_id, title="successor")
    store.append(task_id, [NewEvent(event_type="log", payload={"message": "successor"})] * lines)


def has_open_request(server: Server, task_id: str) -> bool:
    return bool(server.get(f"/api/tasks/{task_id}").json()["permissions_open"])


def messages(server: Server, task_id: str) -> list[str]:
    events = server.get(f"/api/tasks/{task_id}/events?limit=1000").json()["events"]
    return [event["payload"].get("message") or event["event_type"] for event in events]


def test_a_run_continues_without_writing_to_the_new_task_of_its_id(log: Log, server: Server) -> None:
    task_id = new_id()
    with open_task(log, task_id, heartbeat_interval=0.1) as run, run.phase("one"):
        replace(server.store, task_id, lines=2)
        assert (run.log("late").seq, run.progress(1, 2).seq) == (0, 0)
        assert run.log(object()).task_id == task_id  # type: ignore[arg-type]
        time.sleep(0.3)
    assert messages(server, task_id) == ["successor", "successor"]


async def test_an_asyncio_run_does_not_write_to_the_new_task_of_its_id(log: Log, server: Server) -> None:
    task_id = new_id()
    async with open_task(log, task_id) as run:
        replace(server.store, task_id, lines=1)
        assert (await run.log("late")).seq == 0
    assert messages(server, task_id) == ["successor"]


def test_a_run_does_not_create_its_deleted_task_again(log: Log, server: Server) -> None:
    task_id = new_id()
    with open_task(log, task_id) as run:
        server.store.delete_task(task_id)
        run.log("late")
    assert server.get(f"/api/tasks/{task_id}").status_code == 404


def test_a_strict_run_gets_unknown_task_when_its_task_was_deleted(log: Log, server: Server) -> None:
    task_id = new_id()

    def delete_the_task() -> None:
        with open_task(log, task_id, strict=True) as run:
            replace(server.store, task_id)
            run.log("late")

    with pytest.raises(UnknownTask):
        delete_the_task()


def test_a_cancel_of_the_new_task_does_not_stop_the_old_run(log: Log, server: Server) -> None:
    task_id = new_id()
    with open_task(log, task_id) as run:
        replace(server.store, task_id, lines=20)
        cancelled = httpx.post(f"{server.url}/api/tasks/{task_id}/cancel", json={})
        assert cancelled.status_code == 201
        time.sleep(0.7)
        assert not run.cancelled


@pytest.mark.parametrize("while_asking", [True, False])
async def test_a_permission_request_of_a_deleted_task_ends_without_approval(
    log: Log, server: Server, while_asking: bool
) -> None:
    task_id = new_id()
    async with asyncio.timeout(60), open_task(log, task_id) as run:
        if not while_asking:
            replace(server.store, task_id)
        asking = asyncio.create_task(run.ask_permission("deploy"))
        if while_asking:
            await asyncio.to_thread(wait_until, lambda: has_open_request(server, task_id))
            replace(server.store, task_id, lines=20)
        answer = await asking
    assert (answer.state, answer.reason) == ("cleared", "the task was deleted")


async def test_writes_that_name_an_identity_reach_no_other_task(log: Log, server: Server) -> None:
    task_id = new_id()
    task, _ = await log.acreate_task(task_id)
    line = NewEvent(event_type="log", payload={"message": "mine"})
    await log.aappend(task_id, line, identity=task.identity)
    await log.aset_unfinished(task_id, [Unfinished("mine", None)], identity=task.identity)
    replace(server.store, task_id)
    with pytest.raises(UnknownTask):
        await log.aappend(task_id, line, identity=task.identity)
    with pytest.raises(UnknownTask):
        await log.aset_unfinished(task_id, [Unfinished("mine", None)], identity=task.identity)
    server.store.delete_task(task_id)
    with pytest.raises(UnknownTask):
        await log.aappend(task_id, line, identity=task.identity)
    assert server.get(f"/api/tasks/{task_id}").status_code == 404


async def test_a_tail_over_http_ends_at_the_new_task_of_its_id(server: Server) -> None:
    task, _ = server.store.create_task(new_id())
    server.store.append(task.task_id, NewEvent(event_type="log", payload={"message": "old"}))
    replace(server.store, task.task_id, lines=9)
    log = RemoteLog(server.url)
    with pytest.raises(UnknownTask):
        async with asyncio.timeout(60):
            await anext(log.atail(task.task_id, since_seq=1, identity=task.identity))
    await log.aclose()


def test_forms_of_an_old_page_do_nothing_to_the_new_task_of_its_id(server: Server) -> None:
    task_id = new_id()
    asking = (
        NewEvent(event_type="runner_spawn"),
        NewEvent(event_type="permission_request", payload={"request_id": "r1", "tool_name": "rm"}),
    )
    server.store.append(task_id, asking)
    page = server.get(f"/tasks/{task_id}").text
    forms = set(re.findall(r'<form [^>]*method="post" action="([^"]*/(?:cancel|permissions/r1)[^"]*)"', page))
    assert len(forms) == 2
    server.store.delete_task(task_id)
    server.store.append(task_id, asking)
    for form in forms:
        response = httpx.post(f"{server.url}{unescape(form)}", data={"decision": "approve"})
        assert response.status_code == 410, form
    assert messages(server, task_id) == ["runner_spawn", "permission_request"]
    current = re.search(rf'action="(/tasks/{task_id}/permissions/r1[^"]*)"', server.get("/permissions").text)
    assert current
    response = httpx.post(f"{server.url}{unescape(current[1])}", data={"decision": "approve"})
    assert response.status_code == 303
    assert messages(server, task_id)[-1] == "permission_response"
