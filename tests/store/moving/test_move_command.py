"""Test `signalbox migrate-store`: signals, commands that run meanwhile, and passwords in messages."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from signalbox.store import NewEvent, Store, StoreError, StoreMoved, UnknownTask, open_store
from signalbox.store.kinds import sqlite_path
from tests.store.moving.conftest import OTHER_KINDS, POSTGRESQL
from tests.support import postgres
from tests.support.command import signalbox, start
from tests.support.log import cancel, log_of
from tests.support.raw_rows import rows_of
from tests.support.waiting import wait_until

LINE = NewEvent(event_type="log", payload={"message": "hello"})
TASKS, EVENTS_PER_TASK = 25, 1000
PASSWORD = "pa:ss@w0rd"


@pytest.mark.long
@pytest.mark.parametrize("pair", OTHER_KINDS)
def test_a_move_that_a_signal_stops_changes_nothing_and_continues(urls: tuple[str, str]) -> None:
    source, target = urls
    with closing(open_store(source)) as store:
        for number in range(TASKS):
            store.append(f"t{number}", [LINE] * EVENTS_PER_TASK)
    for number in (signal.SIGINT, signal.SIGTERM):
        stopped, messages = stop_while_copying(source, target, number)
        assert stopped == 128 + number
        assert messages == "signalbox: stopped; programs still use FROM. Run the same command again to continue"
        with closing(open_store(source)) as store:
            store.append("between", LINE)
        with pytest.raises(StoreError, match="unfinished move"):
            open_store(target)
    moved = signalbox("migrate-store", source, target)
    assert moved.returncode == 0, moved.stderr
    assert rows_of(target) == rows_of(source)
    copied = [int(count.replace(",", "")) for count in re.findall(r"([\d,]+) events copied", moved.stderr)]
    assert 2 <= copied[-1] < TASKS * EVENTS_PER_TASK, "what the stopped runs had copied was kept"


def stop_while_copying(source: str, target: str, number: signal.Signals) -> tuple[int, str]:
    """Run the command, and send it a signal when it has copied something. Return its exit code and its last line."""
    process = start("migrate-store", source, target)
    assert process.stderr is not None
    assert next(process.stderr).startswith("signalbox: copying")
    process.send_signal(number)
    code = process.wait(60)
    return code, process.stderr.read().splitlines()[-1]


@pytest.mark.parametrize("pair", OTHER_KINDS)
def test_a_command_that_runs_during_the_move_is_recorded_to_its_end(urls: tuple[str, str], tmp_path: Path) -> None:
    source, target = urls
    script = f"echo before; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo after; sleep 60"
    (tmp_path / "report.txt").write_text("kept")
    options = ("--task", "t", "--heartbeat", "0.2", "--artifact", f"{tmp_path}/report.txt")
    run = start("run", "--store", source, *options, "--", "sh", "-c", script)
    with closing(wait_until(lambda: store_with(source, "before"))):
        pass
    assert signalbox("migrate-store", source, target).returncode == 0
    with closing(open_store(target)) as store:
        moved_at = len(log_of(store, "t"))
        wait_until(lambda: len(log_of(store, "t")) > moved_at, message="a command that prints nothing has no heartbeat")
        (tmp_path / "go").touch()
        wait_until(lambda: "after" in lines_of(store))
        cancel(store, "t")
        assert run.wait(30) == 128 + signal.SIGINT
        assert lines_of(store) == ["before", "after"]
        events = log_of(store, "t")
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert events[-2].payload["status"] == "cancelled"
        assert events[-1].event_type == "artifact_stored"
    assert run.stderr is not None
    messages = run.stderr.read()
    assert messages.count("the store was moved to") == 1, messages
    assert "incomplete" not in messages


def store_with(url: str, line: str) -> Store | None:
    """Return the store once the task has this line."""
    store = open_store(url)
    with suppress(UnknownTask):
        if line in lines_of(store):
            return store
    store.close()
    return None


def lines_of(store: Store) -> list[str]:
    return [event.payload["message"] for event in log_of(store, "t") if event.event_type == "log"]


@pytest.mark.long
@pytest.mark.programs
@pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)
def test_no_message_contains_a_password(new_url: Callable[[str], str]) -> None:
    source, target, other = new_url("sqlite"), new_url(POSTGRESQL), new_url(POSTGRESQL)
    with closing(open_store(source)) as store:
        store.append("t", LINE)
    with closing(open_store(other)) as store:
        store.append("mine", LINE)
    secret = with_password(target)
    away = urlsplit(secret)._replace(netloc=f"ann:{PASSWORD.replace('@', '%40')}@localhost:1").geturl()
    in_query = f"{target}?password={PASSWORD.replace('@', '%40')}"
    messages = [
        message("is not empty", source, with_password(other)),
        message("cannot be reached", source, away),
        message("cannot be reached", away, source),
        message("does not exist", source, f"{secret}_nowhere"),
        message("port must be a number", source, secret.replace("%40", "/")),
        message("same store", with_password(other), other),
        message("not a Signalbox database", secret, new_url("sqlite")),
        message("looks like", source, f"mysql://ann:{PASSWORD}@host/x"),
        message("", source, secret, "--json"),
        message("already moved", source, in_query),
        message("the store was moved to", source, with_password(new_url(POSTGRESQL))),
        message("FROM did not come from it", with_password(other), source),
        message("moved:", secret, source),
    ]
    for word in ("pa:ss", "w0rd"):
        assert not [text for text in messages if word in text]


def with_password(url: str) -> str:
    """Return the URL with a password. The test server trusts everybody, so it accepts any."""
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    user = login.partition(":")[0]
    return parts._replace(netloc=f"{user}:{PASSWORD.replace('@', '%40')}@{host}").geturl()


def message(expected: str, *arguments: str) -> str:
    """Return what the command prints, which must contain `expected`."""
    ended = signalbox("migrate-store", *arguments)
    printed = ended.stdout + ended.stderr
    assert expected in printed, printed
    assert "Traceback" not in printed
    return printed


@pytest.mark.programs
@pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)
@pytest.mark.parametrize(("mode", "kept"), [(0o600, True), (0o644, False)])
def test_a_file_that_others_can_read_does_not_get_the_password(
    new_url: Callable[[str], str], mode: int, kept: bool
) -> None:
    source, target = new_url("sqlite"), with_password(new_url(POSTGRESQL))
    open_store(source).close()
    path = sqlite_path(source)
    assert path is not None
    path.chmod(mode)
    assert signalbox("migrate-store", source, target).returncode == 0
    with pytest.raises(StoreMoved) as moved:
        open_store(source)
    assert (moved.value.url == target) is kept
    assert ("w0rd" in moved.value.url) is kept
    assert b"w0rd" not in path.read_bytes() or kept
    assert "w0rd" not in str(moved.value)
