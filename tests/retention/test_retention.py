"""The worker of retention: old and surplus tasks go, held and active ones stay, and faults are reported."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from signalbox.store import NewEvent, Store, TaskQuery, open_store
from signalbox.store.loops import Loops
from signalbox.store.retention import RetentionFile
from signalbox.store.retention.samples import Growth, SpaceSample, days_until_full, growth
from signalbox.store.sqlite.free_pages import PAGES_PER_STEP
from signalbox.store.steady_clock import SteadyClock
from signalbox.webapp.retention import worker as retention_worker
from signalbox.webapp.retention.worker import RetentionWorker

DONE = NewEvent(event_type="runner_exit", payload={"exit_code": 0})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'signalbox.db'}")
    yield opened
    opened.close()


@asynccontextmanager
async def worker(store: Store, rules: str = "", *, days: float = 0, **settings: Any) -> AsyncIterator[RetentionWorker]:
    """A worker whose clock is some days ahead, which runs only when the test says so."""
    file = RetentionFile(rules, **settings)
    made = RetentionWorker(store, file, Loops(), clock=SteadyClock(lambda: datetime.now(UTC) + timedelta(days=days)))
    try:
        yield made
    finally:
        await made.stop()


def ended(store: Store, task_id: str, kind: str = "build", lines: int = 3) -> None:
    store.create_task(task_id, kind=kind)
    store.append(task_id, [NewEvent(event_type="log", payload={"message": "x" * 200})] * lines)
    store.append(task_id, DONE)


async def names(store: Store) -> set[str]:
    async with store.read() as view:
        return {task.task_id for task in (await view.tasks(TaskQuery())).tasks}


async def test_tasks_that_ended_long_ago_are_deleted_by_the_rule_of_their_kind(store: Store) -> None:
    for task_id, kind in (("a", "lint"), ("b", "build"), ("c", "release"), ("held", "lint")):
        ended(store, task_id, kind)
    store.append("active", NewEvent(event_type="runner_spawn"))
    await store.ahold_task("held", "evidence", actor="ada")
    rules = json.dumps({"rules": [{"kind": "lint", "delete_after": 7}, {"kind": "release", "delete_after": "never"}]})
    async with worker(store, rules, days=8, delete_after=30) as retention:
        await retention.run_pass()
        assert await names(store) == {"b", "c", "held", "active"}
        assert (retention.state.deleted, retention.state.waiting) == (1, 0)
    async with worker(store, rules, days=31, delete_after=30) as retention:
        await retention.run_pass()
        assert await names(store) == {"c", "held", "active"}
    async with store.read() as view:
        (audit,) = await view.audits("a")
        (other,) = await view.audits("b")
    assert (audit["action"], audit["actor"], audit["detail"]["rule"]) == (
        *("task_deleted", "supervisor"),
        "rule 1 (kind lint)",
    )
    assert other["detail"]["rule"] == "the setting delete_after"


async def test_a_task_with_a_late_event_and_an_imported_one_count_from_then_on(store: Store) -> None:
    ended(store, "old")
    async with worker(store, delete_after=2) as retention:
        await retention.run_pass()
    async with store.read() as view:
        (found,) = await view.ended_tasks("9999", ("", ""), 10)
        task, events = await view.task("old"), await view.events("old")
    assert found.ended_at == task.updated_at
    assert found.bytes > 4 * 250
    from signalbox.store.contract import TaskRecord

    record = TaskRecord(task_id="imported", created_at="2020-01-01T00:00:00.000000Z")
    import msgspec

    old = [msgspec.structs.replace(event, created_at="2020-01-01T00:00:00.000000Z") for event in events]
    await store.aimport_task(record, old)
    async with worker(store, days=1, delete_after=2) as retention:
        await retention.run_pass()
        assert await names(store) == {"old", "imported"}
    async with worker(store, days=4, delete_after=2) as retention:
        await retention.run_pass()
        assert await names(store) == set()


async def test_the_oldest_tasks_go_when_a_size_is_exceeded(store: Store) -> None:
    for number in range(5):
        ended(store, f"t{number}", "build", lines=20)
        await asyncio.sleep(0.002)
    ended(store, "other", "lint", lines=20)
    await store.ahold_task("t0", "evidence", actor="ada")
    rules = json.dumps({"rules": [{"kind": "build", "max_bytes": "25 KB"}]})
    async with worker(store, rules) as retention:
        await retention.run_pass()
        left = await names(store)
        async with store.read() as view:
            kinds = {one.kind: one for one in await view.space_by_kind()}
        assert kinds["build"].bytes <= 25_000
        assert {"t0", "t4", "other"} <= left
        assert "t1" not in left
        assert retention.state.exceeded == []
    async with worker(store, max_store_bytes=1) as retention:
        await retention.run_pass()
        assert await names(store) == {"t0"}
        assert retention.state.exceeded == ["the setting max_store_bytes"]
        assert [problem.code for problem in retention.problems()] == ["retention_limit"]


async def test_a_rule_deletes_the_file_of_a_task_in_cold_storage(store: Store, tmp_path: Path) -> None:
    ended(store, "a")
    moved = await store.cold.amove("a")
    file = tmp_path / "signalbox.db.cold" / moved.name
    assert file.exists()
    async with worker(store, days=2, delete_after=1) as retention:
        await retention.run_pass()
    assert await names(store) == set()
    assert not file.exists()


async def test_a_failed_deletion_is_reported_and_stops_no_other(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ended(store, "bad")
    ended(store, "good")
    delete = store.space.delete_by_rule

    async def fail(task: Any, rule: str) -> bool:
        if task.task_id == "bad":
            raise OSError("the file is gone")
        return await delete(task, rule)

    monkeypatch.setattr(store.space, "delete_by_rule", fail)
    async with worker(store, days=2, delete_after=1) as retention:
        await retention.run_pass()
        assert await names(store) == {"bad"}
        assert retention.state.failed == {"bad": "the file is gone"}
        assert [problem.code for problem in retention.problems()] == ["retention_failed"]


async def test_a_bad_file_of_rules_is_reported_and_the_last_good_rules_stay(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from signalbox.store.retention import rules_file

    monkeypatch.setattr(rules_file, "CHECK_SECONDS", 0)
    path = tmp_path / "rules.json"
    path.write_text('{"rules": [{"delete_after": 1}]}')
    ended(store, "old")
    async with worker(store, str(path), days=2) as retention:
        path.write_text("no rules at all")
        await retention.run_pass()
        assert [problem.code for problem in retention.problems()] == ["retention_rules_invalid"]
        assert await names(store) == set()


async def test_a_deleted_log_is_cleared_and_its_pages_go_back_to_the_file_system(store: Store) -> None:
    ended(store, "large", lines=8000)
    async with store.read() as view:
        before = await view.database_space()
    assert before.returns
    await store.adelete_task("large", later=True)
    async with worker(store) as retention:
        await retention._read_state()
        assert retention.removals == 1
        await retention.clear()
    async with store.read() as view:
        after = await view.database_space()
        assert await view.removals() == 0
    assert after.bytes < before.bytes / 2


@pytest.mark.parametrize(("seconds", "pages"), [(60.0, PAGES_PER_STEP), (0.0, 1)], ids=["fast", "slow"])
async def test_a_step_returns_many_pages_but_ends_in_time(
    store: Store, monkeypatch: pytest.MonkeyPatch, seconds: float, pages: int
) -> None:
    monkeypatch.setattr("signalbox.store.sqlite.free_pages.STEP_SECONDS", seconds)
    ended(store, "large", lines=8000)
    await store.adelete_task("large")
    async with store.read() as view:
        before = await view.database_space()
    assert await store.space.return_pages()
    async with store.read() as view:
        after = await view.database_space()
    assert before.free - after.free == pages * 4096


async def test_the_passes_of_two_processes_count_all_deletions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ended(store, "a")
    async with worker(store, days=8, delete_after=7) as first, worker(store, days=8, delete_after=7) as second:
        await asyncio.sleep(0)
        monkeypatch.setattr(retention_worker, "TICK", 0)

        async def acquire(report: object) -> None:
            """Get the lease after the other process has made a pass."""
            await first.run_pass()
            ended(store, "b")

        async def release() -> None: ...

        monkeypatch.setattr(second, "_leadership", SimpleNamespace(acquire=acquire, release=release))
        await second._turn()
        assert await names(store) == set()
        assert second.state.deleted == 2


async def test_the_day_has_one_sample(store: Store) -> None:
    ended(store, "a")
    async with worker(store) as retention:
        await retention.run_pass()
        await retention.run_pass()
    async with store.read() as view:
        ((day, _),) = await view.space_samples()
    assert day == datetime.now(UTC).date().isoformat()


def samples(*totals: int) -> list[SpaceSample]:
    return [SpaceSample(at=f"2026-01-{day:02}T12:00:00+00:00", database=total) for day, total in enumerate(totals, 1)]


def test_the_growth_needs_samples_of_several_days() -> None:
    assert growth([]) is growth(samples(1)) is growth(samples(1, 2)) is None
    found = growth(samples(100, 200, 300, 400))
    assert found == Growth(pytest.approx(100), pytest.approx(3))
    assert days_until_full(found, 1000) == pytest.approx(10)
    assert days_until_full(growth(samples(3, 2, 1)), 1000) is None
    assert days_until_full(None, 1000) is None


class Machine:
    """A machine whose wall clock can be set."""

    def __init__(self) -> None:
        self.running, self.offset = 0.0, timedelta(0)

    def monotonic(self) -> float:
        return self.running

    def time(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.running) + self.offset


@pytest.mark.parametrize("fault", ["damaged", "away"])
async def test_a_task_whose_cold_file_cannot_be_read_delays_no_other(store: Store, tmp_path: Path, fault: str) -> None:
    for task_id in ("cold", "old"):
        ended(store, task_id)
    moved = await store.cold.amove("cold")
    files = tmp_path / "signalbox.db.cold"
    if fault == "away":
        files.rename(tmp_path / "away")
        files.write_text("not a directory")
    else:
        with (files / moved.name).open("r+b") as file:
            file.seek(40)
            file.write(b"damaged")
    async with worker(store, days=31, delete_after=30) as retention:
        await retention.run_pass()
        assert await names(store) == {"cold"}


async def test_a_clock_that_steps_forward_by_a_year_deletes_nothing_before_it_stayed_there(store: Store) -> None:
    ended(store, "a")
    machine = Machine()
    rules = RetentionFile("", delete_after=90)
    made = RetentionWorker(store, rules, Loops(), clock=SteadyClock(machine.time, machine.monotonic))
    try:
        await made.run_pass()
        machine.offset = timedelta(days=365)
        for _ in range(3):
            machine.running += 60
            await made.run_pass()
        assert [problem.code for problem in made.problems()] == ["retention_clock_stepped"]
        assert "stepped forward by 8,760.0 h; nothing is deleted or moved" in made.problems()[0].message
        machine.offset = timedelta(0)
        await made.run_pass()
        assert (made.problems(), await names(store)) == ([], {"a"})
        machine.offset = timedelta(days=365)
        await made.run_pass()
        machine.running += 3599
        await made.run_pass()
        assert await names(store) == {"a"}
        machine.running += 2
        await made.run_pass()
        assert (made.problems(), await names(store)) == ([], set())
    finally:
        await made.stop()


def test_small_steps_and_steps_back_are_believed_at_once() -> None:
    machine = Machine()
    clock = SteadyClock(machine.time, machine.monotonic)
    for offset in (timedelta(minutes=9), timedelta(minutes=-500), timedelta(minutes=-491)):
        machine.offset = offset
        assert abs(clock.now() - machine.time()) < timedelta(seconds=5)
        assert not clock.step
