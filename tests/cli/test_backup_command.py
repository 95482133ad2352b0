"""Test `signalbox backup`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec

from signalbox.store import NewEvent, open_store
from tests.support.command import signalbox


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


def test_a_server_cannot_be_backed_up_from_outside(tmp_path: Path) -> None:
    refused = signalbox("backup", "create", str(tmp_path / "backup.db"), "--store", "https://signalbox.example.org")
    assert refused.returncode != 0
    assert "a backup needs the database" in refused.stderr
    assert not list(tmp_path.iterdir())
