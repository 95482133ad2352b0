"""Test `signalbox backup`."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from signalbox.store import NewEvent, open_store
from signalbox.store.backup.file import written
from tests.support.command import environment, signalbox


def test_a_backup_is_made_and_restored_into_another_database(tmp_path: Path) -> None:
    url, copy = f"sqlite:///{tmp_path}/store.db", f"sqlite:///{tmp_path}/copy.db"
    with closing(open_store(url)) as store:
        store.append("t", [NewEvent(event_type="log")] * 3)
    made = signalbox("backup", "create", str(tmp_path / "backup.db"), "--store", url)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(f"{tmp_path}/backup.db: 1 task, 3 events, ")
    restored = signalbox("backup", "restore", str(tmp_path / "backup.db"), "--store", copy, "--json")
    assert restored.returncode == 0, restored.stderr
    assert msgspec.json.decode(restored.stdout)["events"] == 3
    again = signalbox("backup", "restore", str(tmp_path / "backup.db"), "--store", copy)
    assert again.returncode == 1
    assert "--replace" in again.stderr


@pytest.mark.long
@pytest.mark.parametrize("name", ["plain", "caf\udce9", "a%20b", "c?d#e"], ids=ascii)
def test_the_store_and_its_backup_are_found_whatever_their_directory_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()

    def run(*words: str) -> str:
        command = ["sh", "-c", 'cd "$0" && exec "$@"', str(folder), sys.executable, "-m", "signalbox", *words]
        done = subprocess.run(command, capture_output=True, text=True, errors="surrogateescape", env=environment())
        assert done.returncode == 0, done.stderr
        return done.stdout

    emit = f'"{sys.executable}" -m signalbox emit t log'
    run("run", "--task", "t", "--", "sh", "-c", f"cd / && {emit} && {emit}")
    logs = run("verify", "t")
    run("backup", "create", "backup.db")
    assert run("verify", "backup.db").splitlines()[0].startswith("t: ")
    run("backup", "restore", "backup.db", "--store", "sqlite:///copy.db")
    run("backup", "restore", "backup.db", "--store", "sqlite:///copy.db", "--replace")
    run("migrate-store", "sqlite:///copy.db", "sqlite:///moved.db")
    assert run("verify", "t", "--store", "sqlite:///moved.db") == logs
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_a_directory_is_no_backup() -> None:
    refused = signalbox("backup", "create", "/")
    assert (refused.returncode, refused.stderr) == (1, "signalbox: / is a directory\n")


def test_a_server_cannot_be_backed_up_from_outside(tmp_path: Path) -> None:
    refused = signalbox("backup", "create", str(tmp_path / "backup.db"), "--store", "https://signalbox.example.org")
    assert refused.returncode != 0
    assert "a backup needs the database" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_the_next_backup_removes_what_a_killed_one_has_left(tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path}/store.db", tmp_path / "backups"
    folder.mkdir()
    with closing(open_store(url)) as store:
        store.append("t", [NewEvent(event_type="log")])
    create = "from signalbox.store.backup import create, create_backup; create._copy_file = lambda *_: os.kill(0, 9)"
    program = (
        f"import os, pathlib; os.setsid(); {create}; create_backup({url!r}, pathlib.Path({str(folder / 'a.db')!r}))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    left = sorted(path.suffix for path in folder.iterdir())
    assert left == [".unfinished", ".unfinished-lock"]
    (folder / ".b.db.01M8GHH9JCEZCMP1H454C1A8M5.unfinished").touch()
    made = signalbox("backup", "create", str(folder / "a.db"), "--store", url)
    assert made.returncode == 0, made.stderr
    assert sorted(path.name for path in folder.iterdir()) == [".b.db.01M8GHH9JCEZCMP1H454C1A8M5.unfinished", "a.db"]


def test_two_processes_do_not_write_one_backup(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/store.db", tmp_path / "a.db"
    with closing(open_store(url)) as store:
        store.append("t", [NewEvent(event_type="log")])
    with written(file) as unfinished:
        unfinished.write_bytes(b"x")
        refused = signalbox("backup", "create", str(file), "--store", url)
        assert refused.returncode == 1
        assert f"another process writes {file} now" in refused.stderr
    assert file.read_bytes() == b"x"
