"""`signalbox doctor` finds damage and inconsistencies, and says for each what to do."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path
from subprocess import Popen

import msgspec
import pytest
from click.testing import CliRunner

from signalbox.store import NewEvent, open_store
from signalbox.store.sql.findings import Finding
from signalbox.store.sqlite.doctor import examine
from signalbox.webapp.cli import cli
from tests.support.damaged_database import BIG, create_database_with_damaged_list, create_database_with_damaged_log


def finding_codes(path: Path) -> list[str]:
    return [finding.code for finding in examine(path)]


def create_used_database(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    store.append("run", [NewEvent(event_type="phase_enter", phase="planning"), BIG, BIG])
    store.append("run", NewEvent(event_type="work_item_start", span_id="w", payload={"work_item_id": "1"}))
    store.append("run", NewEvent(event_type="permission_request", payload={"request_id": "r", "tool_name": "t"}))
    store.append("run", NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": "c"}))
    store.append("run", NewEvent(event_type="runner_heartbeat"))
    store.append("run", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    store.create_task("empty")
    store.close()


@pytest.mark.parametrize(
    ("sql", "code", "words"),
    [
        ("UPDATE task_event_seq_counters SET last_seq = 99 WHERE task_id = 'run'", "counter", "99"),
        ("DELETE FROM task_events WHERE seq = 2", "counter", "#1 to"),
        ("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'task_events'", "counter", "event id"),
        (
            "UPDATE tasks SET state = json_set(state, '$.status', 'running') WHERE task_id = 'run'",
            "projection",
            "status",
        ),
        ("UPDATE tasks SET state = 'no JSON' WHERE task_id = 'run'", "projection", "cannot be read"),
        ("DELETE FROM task_spans WHERE span_id = 'w'", "projection", "spans"),
        ("DELETE FROM task_permissions", "projection", "permissions"),
        ("UPDATE task_checkpoints SET task_id = 'nobody'", "loose_row", "task_checkpoints"),
        ("INSERT INTO migrations VALUES ('999_future', '2030-01-01')", "too_new", "999_future"),
        ("DELETE FROM migrations WHERE name LIKE '005%'", "old", "005"),
    ],
)
def test_the_doctor_finds_inconsistencies(tmp_path: Path, sql: str, code: str, words: str) -> None:
    path = tmp_path / "signalbox.db"
    create_used_database(path)
    assert list(examine(path)) == []
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute(sql)
    raw.close()
    findings = list(examine(path))
    assert any(finding.code == code and words in finding.message for finding in findings), findings
    assert all(finding.advice for finding in findings)


def test_the_doctor_finds_damage_and_files_that_are_no_database(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    assert finding_codes(path) == ["missing"]
    create_database_with_damaged_log(path)
    assert "damaged" in finding_codes(path)
    path.write_text("this is no database\n" * 500)
    assert finding_codes(path) == ["damaged"]
    path.write_bytes(b"")
    assert finding_codes(path) == ["foreign"]


def test_the_doctor_names_each_unreadable_task(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    create_database_with_damaged_list(path)
    messages = [finding.message for finding in examine(path) if finding.code == "damaged"]
    for name in ("torn-1", "torn-2", "torn-3"):
        assert any(name in message for message in messages), messages
    assert not any("sound" in message for message in messages)


def test_the_doctor_names_processes_that_hold_a_deleted_file(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    create_used_database(path)
    code = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('SELECT 1 FROM tasks').fetchall();"
    with Popen(
        [sys.executable, "-c", code + "print(); sys.stdout.flush(); input()", str(path)], stdin=-1, stdout=-1
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        path.unlink()
        findings = list(examine(path))
        holder.communicate(b"\n")
    assert [finding.code for finding in findings] == ["deleted_file", "missing"]
    assert str(holder.pid) in findings[0].message


def test_the_command_doctor_prints_its_findings_and_exits_with_1(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    create_used_database(path)
    ask = ["doctor", "--store", f"sqlite:///{path}"]
    well = CliRunner().invoke(cli, ask, standalone_mode=False)
    assert (well.return_value, well.output) == (0, f"{path}: no problems found\n")
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE task_event_seq_counters SET last_seq = 99 WHERE task_id = 'run'")
    raw.close()
    ill = CliRunner().invoke(cli, [*ask, "--json"], standalone_mode=False)
    assert ill.return_value == 1
    assert Finding(**msgspec.json.decode(ill.output)[0]).code == "counter"


def test_a_log_that_was_changed_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    create_used_database(path)
    runner, arguments = CliRunner(), ["doctor", "--json", "--store", f"sqlite:///{path}"]
    assert runner.invoke(cli, arguments, standalone_mode=False).return_value == 0
    with sqlite3.connect(path) as db:
        db.execute("UPDATE task_events SET actor = 'someone' WHERE seq = 2")
    db.close()
    for option in ([], ["--logs"]):
        found = runner.invoke(cli, [*arguments, *option], standalone_mode=False)
        (finding,) = [one for one in msgspec.json.decode(found.stdout) if one["code"] == "log"]
        assert "#2 was changed" in finding["message"]


def test_the_doctor_does_not_take_a_file_that_it_may_not_read_for_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "signalbox.db"
    create_used_database(path)
    connect = sqlite3.connect
    # A path with a folder that does not exist gives the error of a file without the right to read it, also for root.
    monkeypatch.setattr(sqlite3, "connect", lambda _, **options: connect(f"file:{tmp_path}/no/x?mode=ro", **options))
    (finding,) = examine(path)
    assert finding.code == "unreadable"
    assert "unable to open database file" in finding.message
    assert "as a user who may read the file" in finding.advice


def test_the_doctor_says_that_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "signalbox.db"
    create_used_database(path)
    disk = os.statvfs(path)
    full = os.statvfs_result((*disk[:3], 0, 0, *disk[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    assert [(finding.code, "has 0 bytes left" in finding.message) for finding in examine(path)] == [("disk_full", True)]
