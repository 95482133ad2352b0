"""Test that a move copies a whole store as it is, with every kind of database on either side."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from signalbox.store import NewEvent, Store, StoreError, StoreMoved, StoreUnavailable, open_store
from signalbox.store.moving import copying, switching, tables
from signalbox.store.moving.errors import MoveRefused, StoresDiffer
from signalbox.store.moving.move import MoveProgress, move_store
from signalbox.store.people import digest_of
from tests.store.moving.conftest import KINDS, OTHER_KINDS, PAIRS
from tests.support.full_store import fill
from tests.support.raw_rows import TABLES, rows_of

LINE = NewEvent(event_type="log", payload={"message": "hello"})
Url = Callable[[str], str]


def open_filled(url: str) -> Store:
    store = open_store(url)
    fill(store)
    return store


def move_filled(source: str, target: str) -> None:
    open_filled(source).close()
    move_store(source, target)


@pytest.mark.long
@pytest.mark.parametrize("pair", PAIRS)
def test_every_row_arrives_as_it_was_and_also_on_the_way_back(urls: tuple[str, str]) -> None:
    source, target = urls
    with closing(open_filled(source)) as store:
        epoch = store.epoch
        expected = rows_of(source)
        assert all(expected[table] for table in TABLES), "each table has rows"
        result = move_store(source, target)
        assert rows_of(target) == expected
        assert rows_of(source) == expected, "the source stays as it was"
        assert result.events == len(expected["task_events"])
        assert result.tasks == len(expected["tasks"])
        with pytest.raises(StoreMoved) as refused:
            store.append("t1", LINE)
        assert refused.value.url == target
    with closing(open_store(target)) as moved:
        assert moved.epoch == epoch
        assert moved.append("odd", NewEvent(event_type="log", key="retry")) == moved.append(
            "odd", NewEvent(event_type="log", key="retry", payload={"message": "again"})
        ), "the idempotency keys arrived"
        moved.append("after", LINE)
    expected = rows_of(target)
    move_store(target, source)
    assert rows_of(source) == expected
    with closing(open_store(source)) as back:
        back.append("after", LINE)


@pytest.mark.parametrize("pair", OTHER_KINDS)
def test_new_ids_continue_after_those_that_were_ever_used(urls: tuple[str, str]) -> None:
    source, target = urls
    with closing(open_store(source)) as store:
        last = store.append("a", [LINE] * 3)[-1].event_id
        view = store.save_view("one", "status=done", actor="ada")
        store.delete_view(view.view_id, actor="ada")
        store.delete_task("a")
    move_store(source, target)
    with closing(open_store(target)) as moved:
        assert moved.append("a", LINE)[0].event_id > last + 1
        assert moved.save_view("two", "status=done", actor="ada").view_id > view.view_id


@pytest.mark.long
@pytest.mark.parametrize("pair", OTHER_KINDS)
def test_changes_during_the_move_arrive(urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "BATCH_EVENTS", 50)
    source, target = urls
    with closing(open_filled(source)) as store:
        steps = iter(changes(store))
        move_store(source, target, report=lambda progress: next(steps, None))
        assert next(steps, "done") == "done", "all changes were made during the move"
    assert rows_of(target) == rows_of(source)


def changes(store: Store):  # type: ignore[no-untyped-def]
    """Change what is already copied and what is not, one step for each report of the move."""
    yield store.append("new", [LINE] * 3)
    yield store.delete_task("t0", actor=None)
    yield store.append("t0", [NewEvent(event_type="log", payload={"message": "another task with this id"})] * 120)
    yield store.archive_task("t1", False, actor="ada")
    yield store.archive_task("empty", True, actor="ada")
    yield store.create_task("created", title="without events")
    yield store.delete_task("again")
    yield store.people.add_account("eve@example.org", "hash", project_id="other", role="viewer")
    yield store.people.end_session(digest_of("secret-3"))
    yield store.append("odd", NewEvent(event_type="permission_cleared", payload={"request_id": "nul \x00"}))
    yield store.append("odd", [NewEvent(event_type="runner_heartbeat")] * 2)
    yield store.set_unfinished("odd", [])
    yield store.save_view("late", "status=done", actor="ada")
    yield store.commit_position("reader", "holder", store.epoch, 9, 60)
    yield store.people.wait(store.people.aremove_account(account_of(store), actor="ada"))


def account_of(store: Store) -> str:
    accounts = asyncio.run(store.people.accounts())
    return next(account.account_id for account in accounts if account.email == "ada@example.org")


@pytest.mark.parametrize("kind", KINDS)
def test_every_table_and_column_is_moved_or_listed_as_not_moved(kind: str, new_url: Url) -> None:
    url = new_url(kind)
    open_store(url).close()
    found = columns_of(url)
    moved = {table.name: set(table.names) for table in tables.ALL}
    assert found.keys() - moved.keys() <= tables.NOT_MOVED.keys()
    computed = {"failure", "brief", "expires_at", "closed_at"}
    for table, columns in moved.items():
        more = {"identity", "last_seq"} if table == "tasks" else set()
        assert found[table] | more == columns | (found[table] & computed), table


def columns_of(url: str) -> dict[str, set[str]]:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
            names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {
                name: {row[1] for row in db.execute(f"PRAGMA table_xinfo({name})")}
                for name in names
                if not name.startswith("sqlite_")
            }
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns"
            " WHERE table_schema = 'public' GROUP BY table_name"
        ).fetchall()
    return {name: set(columns) for name, columns in rows}


@pytest.mark.long
@pytest.mark.parametrize("pair", OTHER_KINDS)
def test_a_difference_is_named_and_nothing_is_switched(urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = urls
    open_filled(source).close()

    def lose_an_event(copier: copying.Copier) -> None:
        rows = list(copier.target.select(tables.EVENTS, "WHERE task_id = 't1' AND seq = 5"))
        copier.target.delete(tables.EVENTS, [rows[0][:1]])
        match(copier)

    match = switching.match
    monkeypatch.setattr("signalbox.store.moving.move.match", lose_an_event)
    with pytest.raises(StoresDiffer, match=r"task t1 has in task_events 40 rows, in the copy 39") as differ:
        move_store(source, target)
    assert "--start-over" in str(differ.value)
    with closing(open_store(source)) as store:
        store.append("t1", LINE)
    with pytest.raises(StoreUnavailable, match="unfinished move"):
        open_store(target)
    monkeypatch.undo()
    with pytest.raises(StoresDiffer):
        move_store(source, target)
    move_store(source, target, start_over=True)
    assert rows_of(target) == rows_of(source)


@pytest.mark.long
@pytest.mark.parametrize("pair", OTHER_KINDS)
def test_a_switch_that_takes_too_long_is_undone(urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switching, "SWITCH_TIMEOUT", 2.0)
    source, target = urls
    phases: list[MoveProgress] = []
    slow = iter([True])
    with closing(open_filled(source)) as store:

        def match_slowly(copier: copying.Copier) -> None:
            match(copier)
            if next(slow, False):
                list(copier.source.rows(ENDLESS))

        match = switching.match
        monkeypatch.setattr(switching, "match", match_slowly)
        move_store(source, target, report=phases.append)
        assert [progress.phase for progress in phases].count("switch") == 2
        with pytest.raises(StoreMoved):
            store.append("t1", LINE)
    assert rows_of(target) == rows_of(source)


ENDLESS = (
    "WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < 400000000)"
    " SELECT count(*) FROM numbers"
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_with_content_is_refused(kind: str, new_url: Url) -> None:
    source, target = new_url("sqlite"), new_url(kind)
    open_filled(source).close()
    for write in (
        lambda store: store.append("mine", LINE),
        lambda store: store.people.add_token("mine", digest_of("mine"), scopes=("read",)),
    ):
        target = new_url(kind)
        with closing(open_store(target)) as store:
            write(store)
        before = rows_of(target)
        with pytest.raises(MoveRefused, match="not empty"):
            move_store(source, target)
        with pytest.raises(MoveRefused, match="not empty"):
            move_store(source, target, start_over=True)
        assert rows_of(target) == before
    with closing(open_store(source)) as store:
        store.append("t1", LINE)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_only_the_store_that_came_from_a_moved_one_moves_back_into_it(kind: str, new_url: Url) -> None:
    first, second, third = new_url("sqlite"), new_url(kind), new_url("sqlite")
    move_filled(first, second)
    move_store(second, third)
    with pytest.raises(MoveRefused, match="did not come from it"):
        move_store(third, first)
    with pytest.raises(StoreMoved) as moved:
        move_store(first, third)
    assert moved.value.url == second
    move_store(third, second)
    assert rows_of(second) == rows_of(third)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_database_and_a_second_move_are_refused(kind: str, new_url: Url) -> None:
    source, target = new_url(kind), new_url("sqlite")
    open_filled(source).close()
    with pytest.raises(MoveRefused, match="the same store"):
        move_store(source, source)
    refusals: dict[str, str] = {}

    def move_again(progress: MoveProgress) -> None:
        if progress.phase in refusals:
            return  # a round that takes long is followed by another one
        for pair in ((source, new_url("sqlite")), (new_url("sqlite"), target)):
            with pytest.raises(MoveRefused, match=r"another `signalbox migrate-store`|no database") as refused:
                move_store(*pair)
            refusals[progress.phase] = str(refused.value)

    move_store(source, target, report=move_again)
    assert refusals


def test_a_target_that_another_program_has_open_is_refused(new_url: Url) -> None:
    source, target = new_url("sqlite"), new_url("sqlite")
    open_filled(source).close()
    with closing(open_store(target)), pytest.raises(MoveRefused, match="in use by another program"):
        move_store(source, target)


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_of_another_version_is_refused(kind: str, new_url: Url) -> None:
    source, target = new_url(kind), new_url("sqlite")
    open_filled(source).close()
    run_sql(source, "INSERT INTO migrations VALUES ('999_future', '2030-01-01')")
    with pytest.raises(MoveRefused, match=r"FROM was written by a newer Signalbox \(999_future\)"):
        move_store(source, target)
    run_sql(source, "DELETE FROM migrations WHERE name LIKE '999%' OR name LIKE '%processes'")
    with pytest.raises(MoveRefused, match=r"FROM was written by an older Signalbox \(\d+_processes missing\)"):
        move_store(source, target)


def run_sql(url: str, sql: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as db:
            db.execute(sql)
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.encode())


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_cannot_be_read_are_named(kind: str, new_url: Url) -> None:
    source, target = new_url("sqlite"), new_url(kind)
    open_filled(source).close()
    run_sql(source, "UPDATE task_events SET payload = x'ff00' WHERE task_id = 't1' AND seq = 7")
    run_sql(source, "UPDATE task_spans SET state = CAST(x'c328' AS TEXT) WHERE task_id = 't0'")
    with pytest.raises(StoreError) as damaged:
        move_store(source, target)
    message = str(damaged.value)
    assert "task t1: task_events from #7 on: payload of a row of task_events is not text" in message
    assert "task t0: task_spans: a stored text is not valid UTF-8" in message
    run_sql(source, "UPDATE task_events SET payload = '{broken' WHERE task_id = 't1' AND seq = 7")
    with closing(open_store(source)) as store:
        store.delete_task("t0")
    move_store(source, target)
    assert rows_of(target) == rows_of(source), "text that is not JSON is moved as it is"


def test_a_source_that_is_not_a_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    source = tmp_path / "notes.txt"
    source.write_bytes(b"not a database " * 1000)
    for _ in range(2):
        with pytest.raises(StoreError, match="not a database"):
            move_store(f"sqlite:///{source}", f"sqlite:///{tmp_path}/b.db")
    assert list(tmp_path.iterdir()) == [source]
