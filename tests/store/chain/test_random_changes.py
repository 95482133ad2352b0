"""Test that `signalbox verify` detects every random change to a log, and reports none in an unchanged one."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.random_run import run
from signalbox.store import NewEvent, open_store
from signalbox.store.chain.findings import LogReport
from signalbox.store.verification import open_source, verify_task
from tests.support.log_changes import change

EVENTS = "event_id, task_id, seq, event_type, phase, actor, span_id, parent_span_id, payload, created_at, key, origin,"
EVENTS += " occurred_at, quiet, plain, link"


class ChangedLog:
    """A stored log that can be changed and restored."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        store = open_store(self.url)
        store.append("run", list(run(seed=3, length=160)))
        store.append("run", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
        store.close()
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute(f"CREATE TEMP TABLE kept_events AS SELECT {EVENTS} FROM task_events")
        self.db.execute("CREATE TEMP TABLE kept_heads AS SELECT * FROM signed_heads")

    def restore(self) -> None:
        """Undo the change."""
        self.db.execute("BEGIN")
        self.db.execute("DELETE FROM task_events")
        self.db.execute(f"INSERT INTO task_events ({EVENTS}) SELECT * FROM kept_events")
        self.db.execute("DELETE FROM signed_heads")
        self.db.execute("INSERT INTO signed_heads SELECT * FROM kept_heads")
        self.db.execute("COMMIT")

    def verify(self) -> LogReport:
        """Return the report of the log."""
        with open_source(self.url) as source:
            return verify_task(source, "run")

    def undetected(self, changes: int) -> list[str]:
        """Make random changes, one at a time. Return those that the verification did not report."""
        dice, missed = random.Random(changes), []
        for _ in range(changes):
            self.db.execute("BEGIN")
            made = change(self.db, dice, "run")
            self.db.execute("COMMIT")
            if self.verify().intact:
                missed.append(made)
            self.restore()
            assert self.verify().intact
        return missed


@pytest.fixture
def changed_log(tmp_path: Path) -> Iterator[ChangedLog]:
    found = ChangedLog(tmp_path / "log.db")
    yield found
    found.db.close()


@pytest.mark.long
def test_random_changes_to_a_log_are_detected(changed_log: ChangedLog) -> None:
    assert changed_log.undetected(60) == []


@pytest.mark.soak
def test_each_of_a_thousand_random_changes_to_a_log_is_detected(changed_log: ChangedLog) -> None:
    assert changed_log.undetected(1000) == []
