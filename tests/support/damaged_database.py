"""Create databases with overwritten pages."""

from __future__ import annotations

import random
from pathlib import Path

from signalbox.store import NewEvent, open_store

PAGE_BYTES = 4096
NOISE = "".join(random.Random(1).choices([chr(code) for code in range(33, 127) if chr(code) not in '"\\'], k=2900))
"""A text that is too random to be stored compressed."""

BIG = NewEvent(event_type="log", payload={"message": NOISE})


def overwrite_pages(path: Path, *parts: str, without: str | None = None) -> int:
    """Overwrite the pages of a closed database that contain all `parts` and not `without`. Return their number."""
    data, damaged_pages = bytearray(path.read_bytes()), 0
    for start in range(PAGE_BYTES, len(data), PAGE_BYTES):
        page = data[start : start + PAGE_BYTES]
        if all(part.encode() in page for part in parts) and not (without and without.encode() in page):
            data[start : start + PAGE_BYTES] = b"\xff" * PAGE_BYTES
            damaged_pages += 1
    path.write_bytes(data)
    return damaged_pages


def create_database_with_damaged_log(path: Path) -> None:
    """Create a database in which events of the task `torn` cannot be read and those of `sound` can."""
    store = open_store(f"sqlite:///{path}")
    store.append("sound", [BIG] * 20)
    torn = NewEvent(event_type="log", payload={"message": f"torn-marker torn-marker {NOISE}"})
    store.append("torn", [torn] * 20)
    store.append("sound", [BIG] * 20)
    store.close()
    assert overwrite_pages(path, "torn-marker torn-marker")


def create_database_with_damaged_list(path: Path) -> None:
    """Create a database in which the `tasks` rows of `torn-…` cannot be read and those of `sound-…` can."""
    store = open_store(f"sqlite:///{path}")
    asks = NewEvent(event_type="permission_request", payload={"request_id": "q", "expires_at": "2026-01-01T00:00:00Z"})
    alive = NewEvent(event_type="runner_heartbeat", payload={"heartbeat_interval": 0.1})
    for name in ("sound-1", "sound-2", "torn-1", "torn-2", "torn-3", "sound-3", "sound-4"):
        long = "torn-marker " * 250 if name.startswith("torn") else "x" * 3000
        store.append(name, [NewEvent(event_type="log"), asks, alive])
        store.append(name, NewEvent(event_type="status", payload={"status": "running", "message": long}))
    store.close()
    assert overwrite_pages(path, "torn-marker", '"main_span_id"')


def create_database_with_damaged_counter(path: Path) -> None:
    """Create a database in which the counter of the task `torn` cannot be read."""
    store = open_store(f"sqlite:///{path}")
    names = ["a-sound", *(f"task-{n:03}" for n in range(200)), "torn"]
    identities = {name: store.create_task(name)[0].identity for name in names}
    store.append("a-sound", NewEvent(event_type="log"))
    store.close()
    assert overwrite_pages(path, identities["torn"], without='"main_span_id"') == 1
