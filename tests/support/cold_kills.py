"""Kills processes that move, restore, delete and append to tasks, and checks after each kill that nothing is lost."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterable
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from signalbox.store import NewEvent, Store, StoreError, UnknownTask, open_store
from signalbox.store.cold.file import ColdFile
from signalbox.store.cold.moves.database import MOVED_PARTS
from signalbox.store.cold.moves.mover import ColdMover
from signalbox.store.cold.places.directory import ColdDirectory
from signalbox.store.moving.tables import EVENTS
from signalbox.store.sql.cold_tasks import stages
from signalbox.store.sql.database_store import DatabaseStore
from tests.support.forked_functions import processes
from tests.support.varied_log import record, varied_log

TASKS = 4
SIZE = 300
ARTIFACT = bytes(range(256)) * 40
MOVES_PER_LIFE = 4.0
"""A process lives at most this many times as long as a move and a restore take on this machine."""

ACTS = ("move", "move", "move", "restore", "append", "append", "delete", "artifact", "finish")

Row = tuple[Any, ...]


def add(store: Store, task_id: str) -> None:
    """Add a task with a log that depends only on its id."""
    number = int(task_id[1:])
    store.import_task(record(task_id, number), varied_log(task_id, SIZE, number))


def work(url: str, files: str, seed: int, report: Connection) -> None:
    """Do random things with random tasks until this process is killed. Report each, and each that is acknowledged."""
    choose = random.Random(seed)
    stages.HOLD_SECONDS = -1.0  # Every other process takes over at once.
    store = open_store(url, cold_storage=files)

    async def acts() -> None:
        while True:
            task_id, act, key = f"t{choose.randrange(TASKS)}", choose.choice(ACTS), f"key-{seed}-{choose.random()}"
            report.send((act, task_id, key, False))
            try:
                await do(act, task_id, key)
            except StoreError:
                continue
            report.send((act, task_id, key, True))

    async def do(act: str, task_id: str, key: str) -> None:
        if act == "move":
            await store.cold.amove(task_id)
        elif act == "restore":
            await store.cold.arestore(task_id)
        elif act == "append":
            await store.aappend(task_id, NewEvent(event_type="log", payload={"message": key}, key=key), identity=None)
        elif act == "artifact":
            await store.aadd_artifact(task_id, BytesIO(ARTIFACT), key, key=key)
        elif act == "finish":
            await store.cold.afinish()
        else:
            await store.adelete_task(task_id)
            await asyncio.to_thread(add, store, task_id)

    asyncio.run(acts())


class Kills:
    """A store whose processes are killed, and the events that they were told are stored."""

    def __init__(self, url: str, files: Path, seed: int) -> None:
        self.url, self.files, self._choose = url, files, random.Random(seed)
        self.done: Counter[str] = Counter()
        self.stages: Counter[str] = Counter()
        self._acknowledged: dict[str, set[str]] = {f"t{number}": set() for number in range(TASKS)}
        self._deleting: set[str] = set()
        store = self._open()
        for task_id in self._acknowledged:
            add(store, task_id)
        self._expected = {
            task_id: comparable(asyncio.run(in_database(store, task_id))) for task_id in self._acknowledged
        }
        self._parts = {task_id: asyncio.run(parts_of(store, task_id)) for task_id in self._acknowledged}
        begun = time.monotonic()
        asyncio.run(move_and_restore(store))
        self._longest_life = MOVES_PER_LIFE * (time.monotonic() - begun)
        store.close()

    def _open(self) -> DatabaseStore:
        store = open_store(self.url, cold_storage=str(self.files))
        assert isinstance(store, DatabaseStore)
        return store

    def kill_one(self) -> None:
        """Start a process, kill it at a random moment, and check the store before and after it is repaired."""
        receive, send = processes.Pipe(duplex=False)
        seed = self._choose.randrange(2**32)
        process = processes.Process(target=work, args=(self.url, str(self.files), seed, send))
        process.start()
        send.close()
        assert receive.poll(60), "the process did not begin"
        time.sleep(self._choose.uniform(0.0, self._longest_life))
        process.kill()
        process.join(60)
        self._read(receive)
        store = self._open()
        try:
            asyncio.run(self._check(store, repaired=False))
            for _ in range(3):
                asyncio.run(store.cold.afinish())
            store.remove_deleted()
            asyncio.run(self._check(store, repaired=True))
        finally:
            store.close()

    def _read(self, receive: Connection) -> None:
        """Read which events were acknowledged, and which tasks may be deleted."""
        self._deleting = set()
        while receive.poll(0.1):
            try:
                act, task_id, key, acknowledged = receive.recv()
            except EOFError:
                break
            if act == "delete":
                self._acknowledged[task_id] = set()
                (self._deleting.discard if acknowledged else self._deleting.add)(task_id)
            elif act in ("append", "artifact") and acknowledged:
                self._acknowledged[task_id].add(key)
            self.done[act] += acknowledged
        receive.close()

    async def _check(self, store: DatabaseStore, *, repaired: bool) -> None:
        names = set()
        for task_id in self._acknowledged:
            try:
                async with store.read() as view:
                    await view.head(task_id)
                    cold = await view.cold_task(task_id)
            except UnknownTask:
                assert task_id in self._deleting, f"{task_id} is lost"
                if repaired:
                    await asyncio.to_thread(add, store, task_id)
                continue
            rows = await in_database(store, task_id)
            if cold is not None:
                names.add(cold.name)
                self.stages[cold.stage] += not repaired
                assert not repaired or not rows, f"{task_id} is in two places"
                rows = in_file(self.files, cold.name)
            self._check_log(task_id, rows)
            if cold is None or repaired:
                await self._check_rest(store, task_id, cold.name if cold else None)
        await self._check_all_events(store)
        if repaired:
            assert {path.name for path in self.files.glob("*.cold")} == names, "a file without a task is left"

    async def _check_all_events(self, store: DatabaseStore) -> None:
        """Check that the log of all tasks has each event once, and that each log is complete."""
        found: list[tuple[int, str, int]] = []
        async with store.read() as view:
            while events := await view.events_after(found[-1][0] if found else 0, 150):
                found += [(event.event_id, event.task_id, event.seq) for event in events]
            present = [task_id for task_id in self._acknowledged if task_id in {one[1] for one in found}]
            logs = {task_id: await view.events(task_id, 0, 10 * SIZE) for task_id in present}
        assert [one[0] for one in found] == sorted({one[0] for one in found}), "an event is there twice"
        for task_id, events in logs.items():
            seqs = [seq for _, of_task, seq in found if of_task == task_id]
            assert seqs == list(range(1, len(events) + 1)), f"the log of all tasks lacks events of {task_id}"
            assert [event.seq for event in events] == seqs

    def _check_log(self, task_id: str, rows: list[Row]) -> None:
        assert [row[2] for row in rows] == list(range(1, len(rows) + 1)), f"{task_id} has gaps or repeats"
        assert comparable(rows[:SIZE]) == self._expected[task_id], f"{task_id} has other events"
        keys = Counter(row[EVENTS.names.index("key")] for row in rows[SIZE:])
        if task_id not in self._deleting:
            assert self._acknowledged[task_id] <= keys.keys(), f"{task_id} lost an event"
        assert max(keys.values(), default=1) == 1, f"{task_id} has an event twice"

    async def _check_rest(self, store: DatabaseStore, task_id: str, name: str | None) -> None:
        """Check the parts of a task that is in one place, and the contents of its artifacts."""
        if name is None:
            parts = await parts_of(store, task_id)
            assert parts["task_spans"] == self._parts[task_id]["task_spans"], f"{task_id} has other spans"
            assert parts["task_heartbeats"] == self._parts[task_id]["task_heartbeats"]
            for row in parts["task_artifacts"]:
                sql = "SELECT content FROM artifact_pieces WHERE sha256 = ? ORDER BY number"
                pieces = await store.raw_rows.rows(sql, row[2])
                assert b"".join(bytes(piece[0]) for piece in pieces) == ARTIFACT, f"{task_id} lost an artifact"
            return
        assert isinstance(store.cold, ColdMover)
        await store.cold.averify(task_id)
        file = ColdFile.open(ColdDirectory(self.files), name)
        for sha256, _ in file.contents():
            assert file.piece(sha256, 0) == ARTIFACT


async def move_and_restore(store: Store) -> None:
    """Move a task to cold storage and back, as a measure of the speed of this machine."""
    await store.cold.amove("t0")
    await store.cold.arestore("t0")


async def in_database(store: DatabaseStore, task_id: str) -> list[Row]:
    """Return the events of a task that the database has, also if they do not count."""
    text = store.raw_rows.dialect.text
    columns = ", ".join(text(name) if name in ("payload", "plain") else name for name in EVENTS.names)
    return await store.raw_rows.rows(f"SELECT {columns} FROM task_events WHERE task_id = ? ORDER BY seq", task_id)


def in_file(files: Path, name: str) -> list[Row]:
    """Return the events of a file."""
    file = ColdFile.open(ColdDirectory(files), name)
    rows = [row for block in file.events() for row in block]
    file.close()
    return rows


async def parts_of(store: DatabaseStore, task_id: str) -> dict[str, list[Row]]:
    """Return the rows of the parts of a task."""
    return {
        table.name: sorted(
            await store.raw_rows.rows(f"SELECT {', '.join(table.names)} FROM {table.name} WHERE task_id = ?", task_id)
        )
        for table in MOVED_PARTS
        if table.name in ("task_spans", "task_heartbeats", "task_artifacts")
    }


def comparable(rows: Iterable[Row]) -> list[Row]:
    """Return events without their event ids, which a new import of the task changes."""
    payload = EVENTS.names.index("payload")
    found = []
    for row in rows:
        values = list(row)
        text = values[payload]
        values[payload] = json.loads(text.decode() if isinstance(text, bytes) else text)
        found.append(tuple(v.replace("\U000f0000", "\0") if isinstance(v, str) else v for v in values[1:]))
    return found
