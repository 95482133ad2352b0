"""Two versions of Signalbox on one database, as during a rolling update."""

from __future__ import annotations

import subprocess
import sys

import pytest

from signalbox.store import NewEvent, SchemaTooNew, Store, open_store
from signalbox.store.postgresql import migrations as of_postgresql
from signalbox.store.sqlite import migrations as of_sqlite
from tests.support.log import log_of

NEXT_VERSION = """
import sys
from signalbox.store import NewEvent, open_store
from signalbox.store.postgresql import migrations as of_postgresql
from signalbox.store.sqlite import migrations as of_sqlite

url, newest = sys.argv[1:]
steps = (of_postgresql if url.startswith("postgresql:") else of_sqlite).known()
steps.append(("900_next", f"-- compatible-from: {newest}\\n"
    "ALTER TABLE tasks ADD COLUMN next_column TEXT;\\n"
    "ALTER TABLE task_events ADD COLUMN next_column TEXT;\\n"
    "CREATE TABLE next_things (name TEXT PRIMARY KEY);\\n"))
of_postgresql.known = of_sqlite.known = lambda: steps
store = open_store(url)
for number in range(50):
    store.append("run", NewEvent(event_type="log", actor="next", payload={"n": number}))
store.close()
"""


def newest_migration(url: str) -> str:
    steps = (of_postgresql if url.startswith("postgresql:") else of_sqlite).known()
    return steps[-1][0]


def add_migration(store: Store, name: str, mark: str | None) -> None:
    """Record a migration of a later version."""

    def work(db: object) -> None:
        db.execute("INSERT INTO migrations VALUES (?, 'later')", (name,))  # type: ignore[attr-defined]
        db.execute("INSERT INTO migration_marks VALUES (?, ?)", (name, mark))  # type: ignore[attr-defined]

    store._writer.run(work)  # type: ignore[attr-defined]


@pytest.mark.long
def test_the_next_version_migrates_the_database_while_this_one_writes(store: Store, url: str) -> None:
    store.append("run", NewEvent(event_type="log", actor="this", payload={"n": 0}))
    later = subprocess.Popen([sys.executable, "-c", NEXT_VERSION, url, newest_migration(url)])
    number = 0
    while later.poll() is None or number < 50:
        number += 1
        store.append("run", NewEvent(event_type="log", actor="this", payload={"n": number}))
    assert later.returncode == 0
    again = open_store(url)
    again.append("run", NewEvent(event_type="log", actor="this", payload={"n": number + 1}))
    again.close()
    events = log_of(store, "run")
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.payload["n"] for event in events if event.actor == "next"] == list(range(50))
    assert [event.payload["n"] for event in events if event.actor == "this"] == list(range(number + 2))


def test_a_schema_that_needs_a_newer_program_is_refused(store: Store, url: str) -> None:
    add_migration(store, "900_next", newest_migration(url))
    add_migration(store, "901_later", "900_next")
    with pytest.raises(SchemaTooNew) as refused:
        open_store(url)
    assert "['901_later']" in str(refused.value)
    assert newest_migration(url) in str(refused.value)


def test_a_migration_without_a_mark_is_refused(store: Store, url: str) -> None:
    add_migration(store, "900_next", None)
    with pytest.raises(SchemaTooNew, match="900_next"):
        open_store(url)
