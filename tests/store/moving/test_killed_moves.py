"""Test that a move that is killed at any point continues, and that writers lose nothing by the switch."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from signalbox.store import NewEvent, Store, StoreError, StoreMoved, open_store
from signalbox.store.moving import copying, switching
from signalbox.store.moving.move import MoveProgress, move_store
from tests.store.moving.conftest import OTHER_KINDS
from tests.support.forked_functions import processes
from tests.support.full_store import fill
from tests.support.raw_rows import rows_of


def move_and_die(source: str, target: str, phase: str) -> None:
    """Move a store in this process, which kills itself in a phase, or between the last two commits."""
    copying.BATCH_EVENTS = 50

    def die(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def report(progress: MoveProgress) -> None:
        if progress.phase == phase:
            die()

    if phase == "marked":
        switching.finish = die
    if phase == "locked":
        switching.match = die
    move_store(source, target, report=report)


@pytest.mark.long
@pytest.mark.parametrize("pair", OTHER_KINDS)
def test_a_move_that_is_killed_in_each_phase_continues(urls: tuple[str, str]) -> None:
    source, target = urls
    store = open_store(source)
    fill(store)
    for phase in ("copy", "compare", "follow", "switch", "locked"):
        run_to_death(source, target, phase)
        store.append("between", NewEvent(event_type="log", payload={"message": phase}))
        with pytest.raises(StoreError, match="unfinished move"):
            open_store(target)
    run_to_death(source, target, "marked")
    with pytest.raises(StoreMoved):
        store.append("between", NewEvent(event_type="log"))
    with pytest.raises(StoreError, match="unfinished move"):
        open_store(target)
    assert move_store(source, target).waited is None
    assert rows_of(target) == rows_of(source)
    store.close()


def run_to_death(source: str, target: str, phase: str) -> None:
    process = processes.Process(target=move_and_die, args=(source, target, phase))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.long
@pytest.mark.parametrize("pair", OTHER_KINDS)
def test_writers_lose_nothing_by_the_switch(urls: tuple[str, str]) -> None:
    source, target = urls
    with closing(open_store(source)) as store:
        fill(store)
    acknowledged: dict[str, list[int]] = {}
    writers = [threading.Thread(target=write, args=(source, f"writer-{n}", acknowledged)) for n in range(3)]
    started: list[Callable[[], None]] = [writer.start for writer in writers]

    def start_once(progress: MoveProgress) -> None:
        while started:
            started.pop()()

    move_store(source, target, report=start_once)
    for writer in writers:
        writer.join(60)
    expected = {name: list(range(1, 301)) for name in ("writer-0", "writer-1", "writer-2")}
    assert acknowledged == expected, "each append was stored once, in the old store or in the new one"


def write(url: str, task_id: str, acknowledged: dict[str, list[int]]) -> None:
    """Append 300 events, and follow the store when it moves."""
    store = open_store(url)
    seqs = acknowledged[task_id] = []
    while len(seqs) < 300:
        try:
            event = NewEvent(event_type="log", key=f"key-{len(seqs)}", payload={"message": "hello"})
            seqs.append(store.append(task_id, event)[0].seq)
        except StoreMoved as moved:
            store.close()
            store = reopened(moved.url)
    store.close()


def reopened(url: str) -> Store:
    while True:
        try:
            return open_store(url)
        except StoreError:
            threading.Event().wait(0.05)
