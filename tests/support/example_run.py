"""A run with an example of everything, for tests that request every route."""

from __future__ import annotations

from io import BytesIO

from signalbox.store import NewEvent
from signalbox.store.sqlite import SqliteStore


def fill(store: SqliteStore, project_id: str | None = None) -> None:
    """Create the task `run` with a phase, three permission requests, a checkpoint, its evidence, a line and a file."""
    store.create_task("run", kind="build", project_id=project_id, metadata={"a": [1]})
    store.append("run", NewEvent(event_type="phase_enter", phase="executing", span_id="s1"))
    store.append("run", [NewEvent(event_type="permission_request", payload={"request_id": f"r{n}"}) for n in range(3)])
    store.append("run", NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": "c1"}))
    store.append("run", NewEvent(event_type="evidence_collected", payload={"checkpoint_id": "c1", "evidence_id": "e"}))
    store.append("run", NewEvent(event_type="log", payload={"message": "hello"}))
    store.add_artifact("run", BytesIO(b"hello"), "hello.txt")
