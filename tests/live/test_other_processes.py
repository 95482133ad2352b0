"""Processes on one store find each other again after they were suspended."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

from signalbox.store import Store
from signalbox.store.loops import Loop
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.live.other_processes import STREAMS, OtherProcesses


async def test_processes_that_were_suspended_count_each_other_again(store: SqliteStore) -> None:
    one = OtherProcesses(store, lambda: {STREAMS: 2}, Loop("one"))
    two = OtherProcesses(store, lambda: {STREAMS: 3}, Loop("two"))
    try:
        await wait_until_both_know_each_other(store, one, two)
        # A process that was suspended finds that the reports of all processes are old.
        with closing(sqlite3.connect(store.path)) as db:
            db.execute("UPDATE server_processes SET seen_at = seen_at - 30")
            db.commit()
        await wait_until_both_know_each_other(store, one, two)
    finally:
        await one.stop()
        await two.stop()


async def wait_until_both_know_each_other(store: Store, one: OtherProcesses, two: OtherProcesses) -> None:
    async with asyncio.timeout(60):
        while True:
            running = (await store.processes.others("", ())).processes
            if (running, one.count(STREAMS), two.count(STREAMS)) == (2, 3, 2):
                return
            await asyncio.sleep(0.05)
