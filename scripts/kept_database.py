"""Keep a database of the present schema, for the tests of upgrades: `python -m scripts.kept_database`.

The database goes to `tests/store/databases/NEWEST.db.xz`, where NEWEST is the newest migration of its schema. Run this
after the last change of a migration, and commit the file. The databases of earlier versions were made in the same way
with the code of those versions, and are never made again.
"""

from __future__ import annotations

import lzma
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

from signalbox.store import NewEvent, open_store

FOLDER = Path(__file__).parent.parent / "tests" / "store" / "databases"

LONG = {
    "tool_name": "Read",
    "result": "def main() -> None:\n    print('Öresund')\n" * 200,
    "n": 123456789012345678901234567890,
}
"""A payload that is stored compressed since 034_compressed."""


def events() -> Iterator[NewEvent]:
    """Yield the log of a run with phases, spans, work, a checkpoint, output and a failure."""

    def event(event_type: str, **fields: Any) -> NewEvent:
        return NewEvent(event_type=event_type, **fields)

    yield event("runner_spawn", span_id="main", payload={"runner_pid": 4711, "heartbeat_interval": 5})
    yield event("phase_enter", phase="planning")
    yield event("log", phase="planning", payload={"message": "\x1b[31mred\x1b[0m line, a NUL \x00 and Öresund"})
    yield event("phase_enter", phase="executing", payload={"total": 2})
    for number in (1, 2):
        item = {"work_item_id": f"w{number}", "work_type": "build"}
        yield event("work_item_start", phase="executing", span_id=f"w{number}", parent_span_id="main", payload=item)
        yield event("tool_result", phase="executing", span_id=f"w{number}", payload=LONG)
        end = "work_item_end" if number == 1 else "work_item_failed"
        yield event(end, phase="executing", span_id=f"w{number}", payload={**item, "message": "no space left"})
    yield event("runner_heartbeat", payload={"heartbeat_interval": 5})
    yield event("progress_update", payload={"progress": {"current": 1, "total": 2}})
    yield event("checkpoint_commit", payload={"checkpoint_id": "c1", "message": "half", "evidence_refs": ["a"]})
    yield event("log", payload={"message": "disk full", "level": "error", "stream": "stderr"}, key="error-1")
    yield event("status", payload={"status": "failed", "message": "the build failed"})
    yield event("runner_exit", payload={"exit_code": 1})


def fill(store: Any) -> None:
    """Write the tasks, people and saved views of a kept database with the calls that every version has."""
    store.create_task("nightly", title="Nightly build", kind="build", metadata={"tags": {"branch": "main"}, "z": [1]})
    for event in events():
        store.append("nightly", event)
    store.append("beats", NewEvent(event_type="runner_spawn", span_id="main"))
    store.append("beats", [NewEvent(event_type="runner_heartbeat")] * 5)
    ask = {"request_id": "q", "tool_name": "deploy", "arguments": {"to": "production"}, "reason": "a release"}
    store.append("asking", NewEvent(event_type="permission_request", payload=ask, key="q"))
    store.create_task("empty")


def fill_more(store: Any) -> None:
    """Write what the present version has besides."""
    chat = {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 3}
    store.append("nightly", NewEvent(event_type="log", payload={"message": "late"}, occurred_at="2026-11-20T12:00:00Z"))
    store.append("chat", NewEvent(event_type="span_start", span_id="s", payload={"name": "chat m", "attributes": chat}))
    store.append("chat", NewEvent(event_type="span_end", span_id="s", payload={"attributes": chat}))
    store.add_artifact("chat", BytesIO(b"a report"), "report.txt")
    store.archive_task("chat", True, actor="ann")
    store.save_view("Failed", "status=failed", actor="ann")
    store.people.add_account("ann@example.org", "hash")


def keep(path: Path) -> Path:
    """Pack a closed database into `FOLDER`, and return the file."""
    with closing(sqlite3.connect(path)) as database:
        (newest,) = database.execute("SELECT max(name) FROM migrations").fetchone()
        database.execute("PRAGMA journal_mode = DELETE").fetchall()
        database.execute("VACUUM")
    kept = FOLDER / f"{newest}.db.xz"
    kept.write_bytes(lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME))
    return kept


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kept.db"
        store = open_store(f"sqlite:///{path}")
        fill(store)
        fill_more(store)
        store.close()
        print(keep(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
