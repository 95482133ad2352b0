"""Test that every read of a task in cold storage returns the same values as when the task was in the database."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest

from signalbox.store import Store, open_store
from signalbox.store.cold import pack, view
from tests.store.cold.conftest import ARTIFACT
from tests.store.contract.conftest import KINDS
from tests.support.every_read import reads_of_lists, reads_of_task, value_of
from tests.support.varied_log import record, varied_log

SIZES = (500, 900, 60)


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with ended tasks. Their files have small blocks, so that reads need several of them."""
    monkeypatch.setattr(pack, "MAX_EVENTS", 37)
    monkeypatch.setattr(view, "CHUNK", 3)
    monkeypatch.setattr("signalbox.store.cold.state_keeper.STEP", 900)
    create: Callable[[Path], str] = request.param
    opened = open_store(create(tmp_path), cold_storage=str(tmp_path / "cold"))
    opened.people.add_project("other", "Other")
    for number, size in enumerate(SIZES):
        opened.import_task(record(f"t{number}", number), varied_log(f"t{number}", size, number), None)
        opened.add_artifact(f"t{number}", BytesIO(ARTIFACT), "big.bin")
    opened.archive_task("t1", True, actor="ada")
    opened.import_task(record("hot", 7), varied_log("hot", 80, 7), "other")
    yield opened
    opened.close()


def compared(name: str, value: str) -> str:
    """Return a value without what a move changes: the newest event id, audits of the move, and `cold_since`."""
    if name.startswith(("tasks ", "of error ")):
        return str(json.loads(value)[:-1])
    if name == "latest_event_id":
        return ""
    # Decoding a stored state makes this number a float, also in the cache of a history.
    value = value.replace('"heartbeat_interval": 30.0', '"heartbeat_interval": 30')
    value = value.replace('"cold": true', '"cold": false')
    return re.sub(r'"cold_since": "[^"]*"', '"cold_since": null', value)


@pytest.mark.long
async def test_every_read_returns_the_same_values(store: Store) -> None:
    task_ids = [f"t{number}" for number in range(len(SIZES))]
    reads = [
        *reads_of_lists([*task_ids, "hot"]),
        *(read for task_id in ("t0", "t1") for read in reads_of_task(task_id)),
        *((f"events_after {at}", lambda v, at=at: v.events_after(at, 400)) for at in (0, 100, 555, 10**6)),
    ]
    async with store.read() as view:
        expected = [compared(name, await value_of(view, read)) for name, read in reads]
    for task_id in task_ids:
        await store.cold.amove(task_id)
    async with store.read() as view:
        for (name, read), wanted in zip(reads, expected, strict=True):
            assert compared(name, await value_of(view, read)) == wanted, name
        assert (await view.task("t0")).cold_since is not None
        assert (await view.task("hot")).cold_since is None
