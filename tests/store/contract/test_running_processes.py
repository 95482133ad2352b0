"""Running processes share counts: each reports its own, and reads the sums of the others."""

from __future__ import annotations

from signalbox.store import Store
from signalbox.store.contract import SharedCounts

STREAMS, ANN, BOB = ("streams", ""), ("caller", "ann"), ("caller", "bob")
KINDS = ("streams", "caller")


def move_reports(store: Store, seconds: float, process_id: str) -> None:
    """Change the time of a process's last report, as if the clock had moved."""
    move = "UPDATE server_processes SET seen_at = seen_at + ? WHERE process_id = ?"
    store._writer.run(lambda db: db.execute(move, (seconds, process_id)).rowcount)  # type: ignore[attr-defined]


async def test_a_process_reads_the_sums_of_the_others(store: Store) -> None:
    await store.processes.report("one", {STREAMS: 9, ANN: 4})
    await store.processes.report("two", {STREAMS: 2, ANN: 1, BOB: 1, ("session", "s"): 5})
    await store.processes.report("three", {STREAMS: 3, ANN: 2})
    assert await store.processes.others("one", KINDS) == SharedCounts(2, {STREAMS: 5, ANN: 3, BOB: 1})
    assert await store.processes.others("one", ("streams",)) == SharedCounts(2, {STREAMS: 5})
    assert await store.processes.count_of_others("one", ANN) == 3
    assert await store.processes.count_of_others("one", ("session", "s")) == 5
    assert await store.processes.count_of_others("two", ("session", "s")) == 0


async def test_a_process_without_counts_is_still_counted(store: Store) -> None:
    await store.processes.report("one", {})
    assert await store.processes.others("two", KINDS) == SharedCounts(1, {})


async def test_a_report_changes_and_removes_single_counts(store: Store) -> None:
    await store.processes.report("one", {STREAMS: 2, ANN: 1, BOB: 1})
    await store.processes.report("one", {STREAMS: 3, BOB: 0})
    assert await store.processes.others("two", KINDS) == SharedCounts(1, {STREAMS: 3, ANN: 1})


async def test_a_complete_report_replaces_all_counts(store: Store) -> None:
    await store.processes.report("one", {STREAMS: 2, ANN: 1, BOB: 1})
    await store.processes.report("one", {ANN: 2}, complete=True)
    assert await store.processes.others("two", KINDS) == SharedCounts(1, {ANN: 2})
    await store.processes.report("one", {}, complete=True)
    assert await store.processes.others("two", KINDS) == SharedCounts(1, {})


async def test_a_removed_process_takes_its_counts_with_it(store: Store) -> None:
    await store.processes.report("one", {STREAMS: 2})
    await store.processes.remove("one")
    await store.processes.remove("one")
    assert await store.processes.others("two", KINDS) == SharedCounts(0, {})
    assert await store.processes.count_of_others("two", STREAMS) == 0


async def test_a_process_that_no_longer_reports_is_ignored_and_later_forgotten(store: Store) -> None:
    await store.processes.report("killed", {STREAMS: 2})
    move_reports(store, -9, "killed")
    assert await store.processes.others("other", KINDS) == SharedCounts(0, {})
    assert await store.processes.count_of_others("other", STREAMS) == 0
    move_reports(store, -60, "killed")
    await store.processes.report("other", {})
    # Its next report must be complete, because nothing of the earlier ones is left.
    await store.processes.report("killed", {ANN: 1})
    assert await store.processes.others("other", KINDS) == SharedCounts(1, {ANN: 1})


async def test_a_report_from_before_the_clock_was_set_back_is_ignored(store: Store) -> None:
    await store.processes.report("killed", {STREAMS: 2})
    move_reports(store, 300, "killed")
    assert await store.processes.others("other", KINDS) == SharedCounts(0, {})
