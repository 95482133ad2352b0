"""Test `signalbox cold`."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from signalbox.store import NewEvent, Store, open_store
from tests.support.command import signalbox

ENDED = NewEvent(event_type="status", payload={"status": "done"})


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/store.db"
    with closing(open_store(url)) as store:
        for task_id, kind in (("a", "build"), ("b", "build"), ("c", None)):
            store.create_task(task_id, kind=kind)
            store.append(task_id, NewEvent(event_type="log", payload={"message": "hello"}))
        store.append("a", ENDED)
        store.append("c", ENDED)
    return url


async def audited(store: Store, task_id: str) -> list[tuple[str, str]]:
    async with store.read() as view:
        return [(audit["action"], audit["source"]) for audit in await view.audits(task_id)]


def test_tasks_move_are_verified_and_come_back(url: str, tmp_path: Path) -> None:
    files = tmp_path / "store.db.cold"
    planned = signalbox("cold", "move", "--kind", "build", "--dry-run", "--store", url)
    assert (planned.returncode, planned.stdout) == (0, "a: would move\n"), planned.stderr
    assert not files.exists()
    moved = signalbox("cold", "move", "--older-than", "0", "--json", "--store", url)
    assert moved.returncode == 0, moved.stderr
    assert [(one["task"], one["ok"]) for one in msgspec.json.decode(moved.stdout)] == [("a", True), ("c", True)]
    assert len(list(files.iterdir())) == 2
    listed = msgspec.json.decode(signalbox("cold", "list", "--kind", "build", "--json", "--store", url).stdout)
    assert [(one["task_id"], one["events"], one["stage"]) for one in listed] == [("a", 2, "cold")]
    assert "a: complete (2 events" in signalbox("cold", "verify", "--store", url).stdout
    (files / listed[0]["name"]).unlink()
    damaged = signalbox("cold", "verify", "--store", url)
    assert damaged.returncode == 1
    assert f"the cold file {listed[0]['name']} is missing" in damaged.stderr
    assert "c: complete" in damaged.stdout
    restored = signalbox("cold", "restore", "a", "c", "b", "--store", url)
    assert restored.returncode == 1
    assert "a: the cold file" in restored.stderr
    assert restored.stdout == "c: restored\nb: is in the database already\n"
    with closing(open_store(url)) as store:
        assert asyncio.run(audited(store, "c")) == [
            ("task_restored_from_cold_storage", "command"),
            ("task_moved_to_cold_storage", "command"),
        ]


def test_a_task_that_cannot_move_is_named_and_the_others_move(url: str) -> None:
    moved = signalbox("cold", "move", "b", "a", "nothing", "--store", url)
    assert moved.returncode == 1
    assert "b: the task 'b' is running; only tasks that ended can move" in moved.stderr
    assert "nothing: there is no task 'nothing'" in moved.stderr
    assert moved.stdout.startswith("a: moved to ")


def test_wrong_use_says_what_to_do(url: str) -> None:
    nothing = signalbox("cold", "move", "--store", url)
    assert (nothing.returncode, "--older-than" in nothing.stderr) == (2, True)
    server = signalbox("cold", "list", "--store", "https://signalbox.example.org")
    assert (server.returncode, "cold storage needs the database" in server.stderr) == (2, True)


@pytest.mark.parametrize("task", [[], ["a"]], ids=["in all tasks", "in one task"])
def test_the_events_by_a_person_are_erased_in_cold_storage_too(url: str, task: list[str]) -> None:
    with closing(open_store(url)) as store:
        store.append("a", NewEvent(event_type="message_sent", actor="ann", payload={"text": "secret"}))
    assert signalbox("cold", "move", "a", "--store", url).returncode == 0
    erased = signalbox("erase", *task, "--person", "ann", "--reason", "left", "--json", "--store", url)
    assert msgspec.json.decode(erased.stdout) == [{"task_id": "a", "erased": [3]}], erased.stderr
    verified = signalbox("verify", "a", "--store", url)
    assert (verified.returncode, "erased: #3" in verified.stdout) == (0, True), verified.stdout


def test_several_logs_are_verified_and_the_worst_one_decides(url: str, tmp_path: Path) -> None:
    def verify(*what: str) -> tuple[int, str, str]:
        done = signalbox("verify", *what, "--store", url)
        return done.returncode, done.stdout, done.stderr

    assert signalbox("cold", "move", "a", "--store", url).returncode == 0
    (cold_file,) = (tmp_path / "store.db.cold").iterdir()
    renamed = tmp_path / "copy.bin"
    renamed.write_bytes(cold_file.read_bytes())
    code, output, _ = verify(str(renamed))
    assert (code, output.splitlines()[0]) == (0, "a: 2 events verified")
    code, output, _ = verify("a", "b", str(renamed))
    assert code == 0
    lines = [line for line in output.splitlines() if not line.startswith(" ")]
    verified = ["a: 2 events verified", "b: 1 event verified", f"{renamed}: a: 2 events verified"]
    assert lines == [*verified, "3 logs verified: nothing wrong"]
    other = tmp_path / "other.txt"
    other.write_text("no export")
    code, output, errors = verify(str(other), "nobody", "b")
    assert (code, "1 log verified: nothing wrong; 2 cannot be read" in output) == (2, True)
    assert f"{other}: " in errors
    assert "nobody: there is no task 'nobody'" in errors
    cold_file.unlink()
    code, output, _ = verify("nobody", "a", "b")
    assert (code, "a: 1 fault" in output, "b: 1 event verified" in output) == (1, True, True)
    found = signalbox("verify", "b", str(renamed), "--json", "--store", url)
    assert [msgspec.json.decode(line)["file"] for line in found.stdout.splitlines()] == [None, str(renamed)]
