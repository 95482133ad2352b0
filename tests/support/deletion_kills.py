"""Kills processes that delete tasks, and checks after each kill that each task is there as a whole or not at all."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import NewEvent, UnknownTask, indexing, open_store
from signalbox.store.artifacts import PIECE_BYTES
from signalbox.store.cold.file import ColdFile
from signalbox.store.cold.places.directory import ColdDirectory
from signalbox.store.indexing import SearchIndexer
from signalbox.store.loops import Loops
from signalbox.store.retention import Retention, RetentionFile
from signalbox.store.search import SearchQuery
from signalbox.store.sql import artifacts, removal
from signalbox.store.sql.cold_tasks import stages
from signalbox.store.sql.database_store import DatabaseStore
from signalbox.webapp.acts.cold_moves import ColdMoves
from signalbox.webapp.retention import worker
from signalbox.webapp.retention.applying import apply_rules
from signalbox.webapp.retention.measuring import measure
from signalbox.webapp.retention.worker import RetentionWorker
from tests.support.forked_functions import processes
from tests.support.varied_log import varied_log

SIZE = 150
ROUND_SECONDS = 60.0
SHARED = b"the same content in each task " * 400
OWN_PIECES = 3
"""Pieces of the content that only one task has."""

RULES = Retention(json.dumps({"rules": [{"kind": "old*", "delete_after": 0.5}, {"kind": "large", "max_bytes": 1}]}))

TASKS = {
    "unloved": ("plain", False),
    "unloved-cold": ("plain", True),
    "old": ("old", False),
    "old-cold": ("old-cold", True),
    "large": ("large", False),
    "kept": ("kept", False),
    "kept-cold": ("kept", True),
}
"""The kind of each task, and whether it is in cold storage."""

ACTS = ("delete unloved", "delete unloved-cold", "delete unloved-cold later", "delete unloved later", "apply the rules")


def later() -> datetime:
    """Return a time at which a task with the kind of a rule for its age is too old."""
    return datetime.now(UTC) + timedelta(days=1)


def work(url: str, files: str, seed: int, report: Connection) -> None:
    """Delete tasks in a random order until this process is killed. Report each act, and each that returned."""
    choose = random.Random(seed)
    # Each step removes little, so that kills hit the moments between two steps.
    removal.remove_some.__defaults__ = (removal.PARTS, 0.0)
    artifacts.DELETED_PIECES = 1
    store = open_store(url, cold_storage=files)

    async def acts() -> None:
        for act in choose.sample(ACTS, len(ACTS)):
            report.send((act, False))
            try:
                await do(act)
            except UnknownTask:
                continue
            report.send((act, True))
        report.send(("rows", False))
        await store.aremove_deleted()
        report.send(("rows", True))
        await store.cold.afinish()
        report.send(("files", True))
        await asyncio.sleep(60)

    async def do(act: str) -> None:
        verb, *names = act.split()
        if verb == "delete":
            await store.adelete_task(names[0], actor="ann", source="api", later=len(names) > 1)
        else:
            await apply_rules(store, RULES, later(), seconds=60)

    asyncio.run(acts())


class DeletionKills:
    """A store whose processes are killed while they delete tasks."""

    def __init__(self, url: str, files: Path, seed: int, patch: pytest.MonkeyPatch) -> None:
        self.url, self.files, self._choose = url, files, random.Random(seed)
        self.done: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        patch.setattr(stages, "HOLD_SECONDS", -1.0)  # This process takes over at once what a killed one held.
        for module, name in ((worker, "TICK"), (indexing, "GATHERING"), (indexing, "SWEEP_PAUSE")):
            patch.setattr(module, name, 0.02)
        self._expected: dict[str, dict[str, Any]] = {}
        self._deletions: Counter[str] = Counter()
        self._begun: set[str] = set()
        self._acknowledged: set[str] = set()
        self._longest_life = 1.0

    def _open(self) -> DatabaseStore:
        store = open_store(self.url, cold_storage=str(self.files))
        assert isinstance(store, DatabaseStore)
        return store

    def kill_one(self) -> None:
        """Start a process on a complete store, kill it at a random moment, and check before and after a round."""
        store = self._open()
        asyncio.run(self._complete(store))
        store.close()
        receive, send = processes.Pipe(duplex=False)
        process = processes.Process(target=work, args=(self.url, str(self.files), self._choose.randrange(2**32), send))
        process.start()
        send.close()
        assert receive.poll(60), "the process did not begin"
        begun = time.monotonic()
        self._begun, self._acknowledged = set(), set()
        life = self._choose.uniform(0.0, self._longest_life)
        while time.monotonic() - begun < life and receive.poll(life - (time.monotonic() - begun)):
            if self._read_one(receive) == ("files", True):
                # All is done, so later processes live at most this long.
                self._longest_life = min(self._longest_life, time.monotonic() - begun)
                break
        process.kill()
        process.join(60)
        while receive.poll(0.1) and self._read_one(receive) is not None:
            pass
        receive.close()
        self._check()

    def _read_one(self, receive: Connection) -> tuple[str, bool] | None:
        try:
            act, returned = receive.recv()
        except EOFError:
            return None
        names = {act.split()[1]} if act.startswith("delete") else set()
        if act == "apply the rules":
            names = {task_id for task_id, (kind, _) in TASKS.items() if kind.startswith("old") or kind == "large"}
        (self._acknowledged if returned else self._begun).update(names)
        self.done[act] += returned
        return act, returned

    async def _complete(self, store: DatabaseStore) -> None:
        """Add the tasks that are not there."""
        for number, (task_id, (kind, cold)) in enumerate(TASKS.items()):
            try:
                async with store.read() as view:
                    await view.head(task_id)
                continue
            except UnknownTask:
                await store.acreate_task(task_id, kind=kind)
            await store.aappend(task_id, [*_events(task_id, number)])
            await store.aadd_artifact(task_id, BytesIO(SHARED), "shared.txt")
            await store.aadd_artifact(task_id, BytesIO(_own_content(task_id)), "own.bin")
            await store.aappend(task_id, NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
            if cold:
                await store.cold.amove(task_id)
            self._expected[task_id] = await self._task(store, task_id)
        await measure(store, later().isoformat(), seconds=60)

    def _check(self) -> None:
        store = self._open()
        try:
            gone = asyncio.run(self._check_tasks(store))
            self.left["rows"] += bool(asyncio.run(_count(store, "task_removals")))
            self.left["files"] += len(list(self.files.glob("*.cold"))) > sum(
                cold for task_id, (_, cold) in TASKS.items() if task_id not in gone
            )
            asyncio.run(_next_round(store, lambda: self._is_done(store)))
            assert asyncio.run(self._check_tasks(store)) == gone
            asyncio.run(self._check_rest(store, gone))
            self._deletions.update(gone)
            asyncio.run(self._check_audits(store))
        finally:
            store.close()

    async def _check_tasks(self, store: DatabaseStore) -> set[str]:
        """Return the tasks that are gone. Each of the others is there as a whole."""
        gone = set()
        for task_id in TASKS:
            try:
                found = await self._task(store, task_id)
            except UnknownTask:
                assert task_id in self._begun, f"{task_id} is lost"
                gone.add(task_id)
            else:
                assert task_id not in self._acknowledged, f"{task_id} is there after its deletion"
                for what, value in self._expected[task_id].items():
                    assert found[what] == value, f"{task_id} has other {what}"
        async with store.read() as view:
            events = [event.task_id for event in await view.events_after(0, 10 * SIZE * len(TASKS))]
            hits = [
                hit.event.task_id
                for hit in (await view.search_all(SearchQuery("the marker of", limit=100), seconds=30)).hits
            ]
        assert set(hits) == set(TASKS) - gone, "the search finds a deleted task, or lacks one"
        assert len(hits) == len(set(hits)), "the search finds an event twice"
        assert not gone & set(events), "the log of all tasks has events of a deleted task"
        return gone

    async def _task(self, store: DatabaseStore, task_id: str) -> dict[str, Any]:
        """Return what a page of a task shows. Raises UnknownTask."""
        async with store.read() as view:
            task = await view.task(task_id)
            cold = await view.cold_task(task_id)
            events = await view.events(task_id, 0, 2 * SIZE)
            spans = await view.spans(task_id, limit=500)
            permissions = await view.permissions(task_id)
        contents = []
        for _, sha256 in sorted(
            await _rows(store, f"SELECT seq, sha256 FROM task_artifacts WHERE task_id = '{task_id}'")
        ):
            pieces = await _rows(
                store, f"SELECT content FROM artifact_pieces WHERE sha256 = '{sha256}' ORDER BY number"
            )
            contents.append(b"".join(bytes(piece[0]) for piece in pieces))
        if cold is not None:
            await store.cold.averify(task_id)
            file = ColdFile.open(ColdDirectory(self.files), cold.name)
            contents = [file.piece(sha256, 0) or b"" for sha256, _ in sorted(file.contents())]
            file.close()
        return {"events": events, "spans": spans, "permissions": permissions, "state": task, "contents": contents}

    async def _is_done(self, store: DatabaseStore) -> bool:
        async with store.read() as view:
            index = await view.index_work(1)
            parts = await view.index_parts(0, 1000)
        if await _count(store, "task_removals") or not index.on or index.next_block < index.end_block or index.changed:
            return False
        # A part with events in cold storage keeps the documents of deleted events.
        if any(part.changed and not part.is_cold for part in parts):
            return False
        return await self._left_of_contents(store) == set() and await self._files(store) == set()

    async def _left_of_contents(self, store: DatabaseStore) -> set[str]:
        """Return the contents in the database to which no artifact refers."""
        referred = {row[0] for row in await _rows(store, "SELECT sha256 FROM task_artifacts")}
        tables = ("artifact_contents", "artifact_pieces")
        found = [row[0] for table in tables for row in await _rows(store, f"SELECT sha256 FROM {table}")]
        return set(found) - referred

    async def _files(self, store: DatabaseStore) -> set[str]:
        """Return the files without a task, and the names of files that are missing."""
        names = {row[0] for row in await _rows(store, "SELECT name FROM cold_tasks")}
        return {path.name for path in self.files.glob("*.cold")} ^ names

    async def _check_rest(self, store: DatabaseStore, gone: set[str]) -> None:
        """Check that nothing is left of the tasks that are gone."""
        for table in (*(part.table for part in removal.PARTS), *removal.SMALL, "tasks", "task_event_seq_counters"):
            for (task_id,) in await _rows(store, f"SELECT DISTINCT task_id FROM {table}"):
                assert task_id not in gone, f"rows of {task_id} are left in {table}"
        assert await _count(store, "task_removals") == 0
        assert await self._left_of_contents(store) == set(), "contents without an artifact are left"
        assert await self._files(store) == set(), "a file without a task is left, or a file is missing"

    async def _check_audits(self, store: DatabaseStore) -> None:
        sql = "SELECT task_id FROM task_audits WHERE action = 'task_deleted'"
        found = Counter(row[0] for row in await _rows(store, sql))
        assert found == self._deletions, "a deletion has no audit, or two"


def _events(task_id: str, number: int) -> Iterator[NewEvent]:
    for event in varied_log(task_id, SIZE, number, ended=False):
        yield NewEvent(
            event_type=event.event_type,
            payload=event.payload,
            phase=event.phase,
            actor=event.actor,
            span_id=event.span_id,
            parent_span_id=event.parent_span_id,
        )
    yield NewEvent(event_type="log", payload={"message": f"the marker of {task_id}"})


def _own_content(task_id: str) -> bytes:
    return task_id.encode() * (OWN_PIECES * PIECE_BYTES // len(task_id))


async def _next_round(store: DatabaseStore, is_done: Callable[[], Awaitable[bool]]) -> None:
    """Start the background work of a server, with cold storage off, and wait until it has done everything."""
    loops = Loops()
    started = (
        RetentionWorker(store, RetentionFile(), loops),
        ColdMoves(store, Retention, loops, first_pause=0.0, idle_pause=0.02),
        SearchIndexer(store, loops),
    )
    try:
        until = time.monotonic() + ROUND_SECONDS
        # What is left then is named by the checks.
        while True:
            if await is_done() or time.monotonic() > until:
                break
            await asyncio.sleep(0.02)
    finally:
        for one in started:
            await one.stop()


async def _rows(store: DatabaseStore, sql: str) -> list[Any]:
    return await store.raw_rows.rows(sql)


async def _count(store: DatabaseStore, table: str) -> int:
    return int((await _rows(store, f"SELECT count(*) FROM {table}"))[0][0])
