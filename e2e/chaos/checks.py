"""Checks after each fault: everything that clients are shown must agree with the log."""

from __future__ import annotations

import re
from collections.abc import Callable

from e2e.chaos.pages import difference, fresh, live_at, status
from e2e.chaos.truth import Entry
from e2e.chaos.world import World


def check_all(world: World) -> None:
    """Wait until all writers are done, then check the log, the API, the programs and the pages."""

    world.settle()
    for check in (check_log, check_api, check_readers):
        check(world)
    # Nothing may change while pages are compared, not even a heartbeat.
    world.command.suspend(True)
    check_pages(world)
    world.command.suspend(False)


def check_log(world: World) -> None:
    """Check that seqs have no gaps, times never go back, and acknowledged events are stored once and in order."""
    for writer in (world.http, world.file):
        log = world.truth.log_of(writer.task_id)
        _check_order(world, writer.task_id, log)
        keys = [entry.key for entry in log if entry.key and entry.key.startswith(f"{writer.name}-")]
        if keys != writer.acknowledged:
            lost = [key for key in writer.acknowledged if key not in keys]
            repeated = sorted({key for key in keys if keys.count(key) > 1})
            world.record_error(f"{writer.task_id}: lost {lost[:5]}, twice {repeated[:5]}, of {len(keys)} stored")
            writer.acknowledged = [str(key) for key in keys]
    _check_order(world, world.command.task_id, world.truth.log_of(world.command.task_id))


def _check_order(world: World, task_id: str, log: list[Entry]) -> None:
    if [entry.seq for entry in log] != list(range(1, len(log) + 1)):
        world.record_error(f"{task_id}: seqs with a gap or a duplicate")
    times = [entry.created_at for entry in log]
    if times != sorted(times):
        world.record_error(f"{task_id}: created_at goes back")


def check_api(world: World) -> None:
    """Check that health is good, and that the JSON of each task agrees with its log."""
    if not world.until(lambda: world.status("/api/events/health") == 200, "health says ok"):
        answer = world.request("/api/events/health")
        world.record_error(f"health says {answer.text if answer else 'nothing'}")
    for task_id in world.tasks.values():
        world.until(
            lambda task_id=task_id: _api_agrees_with_log(world, task_id), f"the API agrees with the log of {task_id}"
        )


def _api_agrees_with_log(world: World, task_id: str) -> bool:
    """Return whether the API shows the log. The run may append events between the requests."""
    before = world.truth.newest(task_id)
    snapshot = world.request(f"/api/tasks/{task_id}/events/snapshot?limit=500")
    since = max(0, before - 900)
    page = world.request(f"/api/tasks/{task_id}/events?since_seq={since}&limit=1000")
    after = world.truth.newest(task_id)
    if snapshot is None or page is None or not (snapshot.is_success and page.is_success):
        return False
    state, seqs = snapshot.json(), [event["seq"] for event in page.json()["events"]]
    return (
        before <= state["latest_seq"] == state["total_events"] <= after
        and before <= since + len(seqs) <= after
        and seqs == list(range(since + 1, since + len(seqs) + 1))
    )


def check_readers(world: World) -> None:
    """Check that every program has seen every event once and in order."""
    for reader in world.readers:
        all_seqs = _all_seqs(world, reader.task_id)
        name = f"{type(reader).__name__} of {reader.task_id}"
        if not world.until(
            lambda reader=reader, all_seqs=all_seqs: reader.seen == all_seqs(), f"{name} has seen every event"
        ):
            world.record_error(f"{name} has seen {len(reader.seen)} of {len(all_seqs())}")
            reader.seen = all_seqs()
        for error in reader.errors:
            world.record_error(f"{name}: {error}")
        reader.errors.clear()
    all_seqs = _all_seqs(world, world.file.task_id)
    if not world.until(
        lambda: world.module.seen == all_seqs(), "the browser module has seen every event once and in order"
    ):
        world.module.begin(world.proxy.url, world.file.task_id)


def _all_seqs(world: World, task_id: str) -> Callable[[], list[int]]:
    return lambda: list(range(1, world.truth.newest(task_id) + 1))


def check_pages(world: World) -> None:
    """Check that every page is live at the newest event and equals a fresh load of its address."""
    position = world.truth.newest()
    for page in world.pages:
        task_id = re.search(r"/tasks/([\w-]+)", page.url)
        newest = world.truth.newest(task_id[1]) if task_id else position
        if page.url.endswith("/permissions"):
            # The inbox receives only permission events, so it is live at the last one of these.
            newest = 0
        ok = world.until(
            lambda page=page, newest=newest: live_at(page) >= newest, f"{page.url} is live at #{newest}"
        ) and world.until(lambda page=page: fresh(page), f"{page.url} equals a fresh page", timeout=10)
        if not ok:
            world.record_error(f"{page.url} shows the status: {status(page)!r}; {difference(page)}")
            world.reload(page)
