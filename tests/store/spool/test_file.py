"""Test the file of a spool: its order and bound, several processes, kills, torn ends, and files it cannot use."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from signalbox.store import NewEvent
from signalbox.store.log import with_keys
from signalbox.store.spool import Spool, SpoolUnusable
from signalbox.store.spool.file import SpoolFile
from signalbox.store.spool.place import BYTES_VARIABLE, FOLDER_VARIABLE, folder_for
from signalbox.store.spool.records import Dropped, Record, event_records, notice_event
from signalbox.store.spool.sender import batches, locked

URL = "https://signalbox.example"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spools" / "one" / "spool.db"


@pytest.fixture
def file(path: Path) -> Iterator[SpoolFile]:
    opened = SpoolFile(path, URL, 100_000)
    yield opened
    opened.close()


def records(*events: NewEvent | str, task: str = "t") -> list[Record]:
    given = [NewEvent(event_type="log", payload={"message": e}) if isinstance(e, str) else e for e in events]
    return event_records(task, None, with_keys(given))


def texts(found: list[Record]) -> list[str]:
    """Return what the records say: the message of a log line, the type of another event, the text of a notice."""
    shown = []
    for record in found:
        event = (
            notice_event(msgspec.json.decode(record.body, type=Dropped))
            if record.kind == "notice"
            else msgspec.json.decode(record.body, type=NewEvent)
        )
        shown.append(event.payload.get("message", event.event_type))
    return shown


def test_records_are_read_in_the_order_in_which_they_were_kept(file: SpoolFile, path: Path) -> None:
    assert not file.has_records()
    assert not path.exists()
    file.keep(records("one", "two"))
    file.keep(records("three", task="other"))
    again = SpoolFile(path, URL, 100_000)
    assert again.has_records()
    assert texts(again.window()) == ["one", "two", "three"]
    again.remove(again.window()[:2])
    assert texts(file.window()) == ["three"]
    assert file.contents()[:2] == (URL, 1)
    again.close()


def test_only_the_user_can_read_a_spool(file: SpoolFile, path: Path) -> None:
    file.keep(records("secret"))
    modes = {entry.name: entry.stat().st_mode & 0o777 for entry in (path.parent, *path.parent.iterdir())}
    assert modes == {"one": 0o700, "spool.db": 0o600, "spool.db-wal": 0o600, "spool.db-shm": 0o600}


def test_an_event_keeps_the_time_at_which_it_was_kept() -> None:
    given = NewEvent(event_type="log", key="k", occurred_at="2026-01-01T00:00:00Z")
    (timed,), (plain,) = event_records("t", None, [given]), records("now")
    assert msgspec.json.decode(timed.body, type=NewEvent) == given
    assert msgspec.json.decode(plain.body, type=NewEvent).occurred_at is not None


def test_a_full_spool_drops_the_oldest_log_lines_and_says_how_many(file: SpoolFile) -> None:
    file.keep(records(NewEvent(event_type="runner_spawn"), "first"))
    file.keep(records("other task", task="other"))
    for number in range(600):
        file.keep(records(f"line {number}"))
    file.keep(records(NewEvent(event_type="runner_exit"), task="t"))
    found = file.window()
    shown = texts([record for record in found if record.task_id == "t"])
    dropped = 602 - (len(shown) - 2)
    kept = [f"line {number}" for number in range(dropped - 1, 600)]
    assert shown == [
        "runner_spawn",
        f"{dropped:,} log lines were dropped while the server was away",
        *kept,
        "runner_exit",
    ]
    assert texts([record for record in found if record.task_id == "other"]) == [
        "1 log line was dropped while the server was away"
    ]
    assert file.contents().bytes <= 100_000
    assert file.contents().dropped == dropped + 1


def test_ends_of_spans_and_permissions_are_dropped_after_everything_else(file: SpoolFile) -> None:
    names = ("work_item_complete", "own_type", "permission_request", "log", "status", "runner_exit")
    for _ in range(30):
        file.keep(records(*(NewEvent(event_type=name, payload={"text": "x" * 600}) for name in names)))
    kept = [msgspec.json.decode(one.body)["event_type"] for one in file.window() if one.kind == "event"]
    assert kept.count("work_item_complete") == kept.count("permission_request") == kept.count("runner_exit") == 30
    assert kept.count("log") == 0
    assert kept.count("own_type") + kept.count("status") < 30
    (notice,) = (one for one in file.window() if one.kind == "notice")
    assert texts([notice])[0].startswith("30 log lines and ")


def test_a_spool_of_important_events_only_is_bounded_too(file: SpoolFile) -> None:
    for number in range(1000):
        file.keep(records(NewEvent(event_type="runner_exit", payload={"exit_code": number})))
    assert file.contents().bytes <= 100_000
    assert msgspec.json.decode(file.window()[-1].body)["payload"] == {"exit_code": 999}


def test_the_notices_of_many_tasks_are_bounded_too(path: Path) -> None:
    small = SpoolFile(path, URL, 20_000)
    for number in range(500):
        small.keep(records("line", task=f"task-{number}"))
    assert small.contents().bytes <= 20_000
    assert small.window()[-1].task_id == "task-499"
    small.close()


def test_records_that_are_being_sent_are_not_dropped(file: SpoolFile) -> None:
    file.keep(records("one", "two"))
    sending = file.window()
    for number in range(600):
        file.keep(records(f"line {number}"))
    file.remove(sending)
    assert texts(file.window())[0].endswith("log lines were dropped while the server was away")
    assert file.contents().dropped == 600 - (len(file.window()) - 1)


def test_refused_records_are_set_aside_and_can_be_sent_again(file: SpoolFile) -> None:
    file.keep(records("one", "two", "three"))
    file.refuse(file.window()[:2], "the task was deleted")
    assert texts(file.window()) == ["three"]
    assert file.contents().refused == {"the task was deleted": 2}
    assert file.restore_refused() == 2
    assert texts(file.window()) == ["one", "two", "three"]
    assert file.discard(refused_only=False) == 3
    assert file.contents()[1:3] == (0, 0)


def test_requests_have_records_of_one_task_in_order() -> None:
    given = [
        *(record._replace(number=number) for number in range(3) for record in records(f"a{number}", task="a")),
        *records("b", task="b"),
        *(record._replace(identity="later") for record in records("a3", task="a")),
        *(records("x") * 700),
    ]
    found = [(group[0].task_id, group[0].identity, len(group)) for group in batches(given)]
    assert found == [("a", "", 3), ("a", "later", 1), ("b", "", 1), ("t", "", 500), ("t", "", 200)]


WRITER = """
import sys
from pathlib import Path
from signalbox.store.spool.file import SpoolFile
from tests.store.spool.test_file import records
file = SpoolFile(Path(sys.argv[1]), "https://signalbox.example", 10**9)
number = int(sys.argv[2])
while True:
    file.keep(records(str(number)))
    print(number, flush=True)
    number += 1
"""


@pytest.mark.long
@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.soak)])
def test_what_was_kept_survives_a_kill_at_any_point(path: Path, kills: int) -> None:
    kept: list[str] = []
    for _ in range(kills):
        command = [sys.executable, "-c", WRITER, str(path), str(len(kept))]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        kept.append(writer.stdout.readline().strip())
        time.sleep(random.uniform(0, 0.05))
        writer.send_signal(signal.SIGKILL)
        kept += writer.stdout.read().split()
        writer.wait()
        file = SpoolFile(path, URL, 10**9)
        found = all_texts(file)
        # The last one may have been kept without the writer having said so.
        assert found[: len(kept)] == kept
        assert len(found) <= len(kept) + 1
        kept = found
        file.close()


def all_texts(file: SpoolFile) -> list[str]:
    return [msgspec.json.decode(body)["payload"]["message"] for (body,) in file._read("SELECT body FROM records")]


def test_a_torn_end_of_the_file_takes_only_the_last_records(file: SpoolFile, path: Path, tmp_path: Path) -> None:
    for number in range(100):
        file.keep(records(str(number)))
    log = path.with_name("spool.db-wal")
    for size in random.sample(range(log.stat().st_size), 10):
        torn = tmp_path / "torn" / "spool.db"
        shutil.rmtree(torn.parent, ignore_errors=True)
        torn.parent.mkdir()
        shutil.copy(path, torn)
        (torn.parent / log.name).write_bytes(log.read_bytes()[:size])
        opened = SpoolFile(torn, URL, 10**9)
        found = all_texts(opened)
        assert found == [str(number) for number in range(len(found))]
        opened.keep(records("next"))
        assert all_texts(opened)[-1] == "next"
        opened.close()


def test_one_process_sends_at_a_time_and_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    lock = tmp_path / "sending.lock"
    code = (
        "import sys, time; from pathlib import Path; from signalbox.store.spool.sender import locked\n"
        "with locked(Path(sys.argv[1])) as held: print(held, flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    with locked(lock) as held:
        assert not held
    holder.kill()
    holder.wait()
    with locked(lock) as held:
        assert held


def refuse_to_send(sent: object) -> None:
    raise AssertionError("nothing is sent")


def test_a_spool_that_cannot_be_written_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "file" / "spools"))
    notices: list[str] = []
    spool = Spool(URL, None, refuse_to_send)
    spool.notice = notices.append
    for _ in range(2):
        with pytest.raises(SpoolUnusable, match="Not a directory"):
            spool.keep(records("one"))
    assert not spool.in_use()
    assert len(notices) == 1


def test_a_damaged_spool_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    folder = folder_for(URL, None)
    folder.mkdir()
    (folder / "spool.db").write_bytes(b"not a database" * 1000)
    notices: list[str] = []
    spool = Spool(URL, None, refuse_to_send)
    spool.notice = notices.append
    assert not spool.in_use()
    with pytest.raises(SpoolUnusable, match=r"spool\.db cannot be used: file is not a database"):
        spool.keep(records("one"))
    assert len(notices) == 1


def test_a_full_disk_says_so_and_loses_nothing(tmp_path: Path) -> None:
    code = """
import resource, signal, sys
from signalbox.store.spool import Spool, SpoolUnusable
from tests.store.spool.test_file import URL, all_texts, records, refuse_to_send
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
spool = Spool(URL, None, refuse_to_send)
spool.notice = lambda text: None
number = 0
try:
    while True:
        spool.keep(records(str(number) * 50))
        number += 1
except SpoolUnusable as error:
    print(error)
print(all_texts(spool.file) == [str(n) * 50 for n in range(number)])
"""
    variables = os.environ | {FOLDER_VARIABLE: str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
    assert "cannot be used: " in done.stdout, done.stderr
    assert done.stdout.endswith("True\n")


@pytest.mark.parametrize("text", ["many", "-1", "1.5"])
def test_a_bad_bound_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(BYTES_VARIABLE, text)
    with pytest.raises(ValueError, match="SIGNALBOX_SPOOL_BYTES must be a number of bytes"):
        Spool(URL, None, refuse_to_send)


def test_a_folder_name_has_neither_password_nor_token() -> None:
    name = folder_for("https://ann:s3cret@signalbox.example:8443/prefix", "sbx_token").name
    assert name.startswith("signalbox.example_8443_prefix-")
    assert name != folder_for("https://ann:s3cret@signalbox.example:8443/prefix", "sbx_other").name
    assert "s3cret" not in name
    assert "token" not in name
