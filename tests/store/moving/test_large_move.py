"""Move a large store while a program writes to it. Takes minutes."""

from __future__ import annotations

import multiprocessing
import resource
import threading
from contextlib import closing

import pytest

from signalbox.store import NewEvent, StoreMoved, open_store
from signalbox.store.moving.move import MoveResult, move_store
from tests.store.moving.conftest import OTHER_KINDS

TASKS, EVENTS_PER_TASK = 5000, 200
MAX_GROWTH_KIB = 160 * 1024
LINES = [NewEvent(event_type="log", payload={"message": "x" * 120, "n": n}) for n in range(EVENTS_PER_TASK)]


@pytest.mark.soak
@pytest.mark.parametrize("pair", OTHER_KINDS)
def test_a_million_events_move_with_writers_waiting_for_seconds_at_most(urls: tuple[str, str]) -> None:
    source, target = urls
    with closing(open_store(source)) as store:
        for number in range(TASKS):
            store.append(f"t{number}", LINES)
    written: list[int] = []
    writer = threading.Thread(target=write, args=(source, written))
    writer.start()
    # In a process of its own, because its memory is measured.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result, growth = pool.apply(moved, (source, target))
    writer.join(60)
    assert result.tasks == TASKS + 1
    assert result.events == TASKS * EVENTS_PER_TASK + len(written)
    assert result.waited is not None
    assert result.waited < 5
    assert growth < MAX_GROWTH_KIB


def moved(source: str, target: str) -> tuple[MoveResult, int]:
    """Move a store. Return the result, and by how many KiB the memory of this process grew."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = move_store(source, target)
    return result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def write(url: str, written: list[int]) -> None:
    """Append events until the store moves."""
    with closing(open_store(url)) as store:
        while True:
            try:
                written.append(store.append("live", LINES[0])[0].seq)
            except StoreMoved:
                return
            threading.Event().wait(0.005)
