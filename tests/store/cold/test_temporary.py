"""Test that the temporary files of killed processes are removed, and those in use are kept."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from signalbox.store import open_store
from signalbox.store.cold.temporary import ABANDONED_SECONDS, remove_abandoned, temporary_file, temporary_folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty directory for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def grow_old(path: Path) -> None:
    at = time.time() - ABANDONED_SECONDS - 1
    os.utime(path, (at, at))


def left_by_a_killed_process() -> tuple[Path, Path]:
    """Return an unfinished folder and an unfinished image."""
    with temporary_folder() as folder:
        pass
    folder.mkdir()
    (folder / "image").write_bytes(b"unfinished")
    descriptor, image = temporary_file()
    os.close(descriptor)
    return folder, image


def test_old_files_and_folders_are_removed(temporary: Path) -> None:
    for path in left_by_a_killed_process():
        grow_old(path)
    remove_abandoned()
    assert list(temporary.iterdir()) == []


def test_files_in_use_and_those_of_other_programs_are_kept(temporary: Path) -> None:
    new = left_by_a_killed_process()
    other = temporary / "other-cold-file"
    other.touch()
    grow_old(other)
    with temporary_folder() as in_use:
        grow_old(in_use)
        remove_abandoned()
        assert set(temporary.iterdir()) == {*new, other, in_use}
    assert not in_use.exists()


async def test_finishing_moves_removes_the_temporary_files(temporary: Path, tmp_path: Path) -> None:
    for path in left_by_a_killed_process():
        grow_old(path)
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    await store.cold.afinish()
    assert os.listdir(temporary) == []
    await store.aclose()
