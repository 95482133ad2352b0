"""Test that databases of earlier versions open with all their data.

Each file of `databases/` is the dump of one, named after the newest migration of the version that created it.
"""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from signalbox.store import NewEvent, StoreDamaged, StoreUnavailable, TaskQuery, open_store
from signalbox.store.contract import LogQuery
from signalbox.store.sqlite.doctor import examine
from signalbox.webapp.cli import run_command_line

DUMPS = sorted((Path(__file__).parent / "databases").glob("*.sql"))


@pytest.fixture(params=DUMPS, ids=lambda dump: dump.stem)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "signalbox.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(request.param.read_text())
        db.execute("PRAGMA journal_mode = WAL")
    return path


def overwrite(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)


async def test_an_old_database_opens_with_all_its_data(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    async with store.read() as view:
        tasks = {task.task_id: task for task in (await view.tasks(TaskQuery())).tasks}
        assert {name: (task.status, task.latest_seq, task.heartbeats) for name, task in tasks.items()} == {
            "nightly": ("done", 17, 0),
            "beats": ("running", 6, 5),
            "asking": ("waiting", 3, 0),
            "empty": ("queued", 0, 0),
        }
        assert len({task.identity for task in tasks.values()}) == 4
        assert [event.seq for event in await view.rows_after("beats", 0)] == [4]
        assert (await view.search("nightly", LogQuery(text="red line"))).total == 1
        assert [phase.phase for phase in await view.phases("nightly")] == ["planning", "executing"]
        assert [permission.state for permission in await view.permissions("asking", open_only=False)] == [
            "approved",
            "open",
        ]
        assert [audit["seq"] for audit in await view.audits("asking")] == [3]
    assert [account.email for account in await store.people.accounts()] == ["ann@example.org"]
    assert store.append("nightly", NewEvent(event_type="log"))[0].seq == 18
    assert store.append("asking", NewEvent(event_type="permission_request", key="k1"))[0].seq == 1
    await store.aclose()
    assert list(examine(path)) == []


async def test_a_database_is_migrated_once(path: Path) -> None:
    open_store(f"sqlite:///{path}").close()
    applied = "SELECT name, applied_at FROM migrations ORDER BY name"
    with closing(sqlite3.connect(path)) as db:
        before = db.execute(applied).fetchall()
    open_store(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(applied).fetchall() == before


@pytest.mark.long
def test_a_damaged_old_database_is_migrated_or_left_as_it_is(path: Path, tmp_path: Path) -> None:
    sound, damaged = path.read_bytes(), tmp_path / "damaged.db"
    refused = 0
    for start in range(0, len(sound), 4096):
        content = sound[:start] + b"\xff" * 4096 + sound[start + 4096 :]
        damaged.write_bytes(content)
        reason = None
        try:
            open_store(f"sqlite:///{damaged}").close()
        except StoreDamaged as error:
            reason = str(error)
        if reason is not None:
            refused += 1
            assert "signalbox doctor" in reason
            assert damaged.read_bytes() == content, f"page {start // 4096 + 1} stopped the migration half-way"
        found = {finding.code for finding in examine(damaged)}
        assert "damaged" in found if reason else "old" not in found
        for file in tmp_path.glob("damaged.db*"):
            file.unlink()
    assert 0 < refused < len(sound) // 4096 / 2


@pytest.mark.parametrize("path", [DUMPS[-1]], indirect=True, ids=lambda dump: dump.stem)
async def test_an_index_that_cannot_be_made_does_not_stop_the_migration(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'task_events'").fetchone()
    overwrite(path, page)
    store = open_store(f"sqlite:///{path}")
    async with store.read() as view:
        assert len((await view.tasks(TaskQuery())).tasks) == 4
    await store.aclose()
    messages = {finding.message for finding in examine(path) if finding.code == "no_index"}
    indexes = ("task_events_occurred", "task_events_types")
    assert messages == {f"the index {index} is missing, so some pages are slow" for index in indexes}


def test_rows_of_a_lost_task_do_not_stop_the_migration(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM tasks WHERE task_id = 'beats'")
        assert db.execute("SELECT 1 FROM task_events WHERE task_id = 'beats'").fetchone()
    store = open_store(f"sqlite:///{path}")
    assert store.append("nightly", NewEvent(event_type="log"))[0].seq == 18
    store.close()
    assert {finding.code for finding in examine(path)} == {"loose_row"}


def test_the_command_says_in_one_line_why_it_cannot_migrate(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'store_facts'").fetchone()
    overwrite(path, page)
    assert run_command_line(["user", "list", "--store", f"sqlite:///{path}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "written by an older Signalbox" in line
    assert "nothing was changed" in line
    assert run_command_line(["doctor", "--store", f"sqlite:///{path}"]) == 1
    assert "put a backup in its place" in capsys.readouterr().out


def test_the_database_of_before_is_kept_beside_the_migrated_one(path: Path) -> None:
    with closing(sqlite3.connect(path)) as old:
        before = sorted(old.execute("SELECT name FROM migrations"))
    for _ in range(2):
        open_store(f"sqlite:///{path}").close()
    (kept,) = path.parent.glob("signalbox.db.before-*")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with closing(sqlite3.connect(kept)) as copy:
        assert sorted(copy.execute("SELECT name FROM migrations")) == before
        assert copy.execute("SELECT count(*) FROM tasks").fetchone() == (4,)


def test_without_a_copy_nothing_is_migrated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(path)) as old:
        before = list(old.iterdump())

    def refuse(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("signalbox.store.sqlite.copies.os.open", refuse)
    with pytest.raises(StoreUnavailable, match=r"no copy of it can be kept: .*No space left"):
        open_store(f"sqlite:///{path}")
    monkeypatch.undo()
    with closing(sqlite3.connect(path)) as old:
        assert list(old.iterdump()) == before


def test_a_new_database_has_no_copy(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/new.db").close()
    assert [file.name for file in tmp_path.iterdir()] == ["new.db"]
