"""Test moves of stores whose events are erased, or go to cold storage and back, after they were copied."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from signalbox.store import NewEvent, Store, StoreError, open_store
from signalbox.store.cold.moves.move import Move
from signalbox.store.moving import copying, move
from signalbox.store.moving.errors import MoveStopped
from signalbox.store.moving.move import MoveProgress, move_store
from signalbox.store.sql.database import Database
from tests.store.moving.conftest import OTHER_KINDS
from tests.support.log import append_audited
from tests.support.raw_rows import rows_of
from tests.support.varied_log import record, varied_log

SIZE = 120


@pytest.fixture
def store(urls: tuple[str, str], tmp_path: Path) -> Iterator[Store]:
    """The store to move: three tasks that have ended, of which `t1` is in cold storage."""
    with closing(open_store(urls[0], cold_storage=str(tmp_path / "files"))) as opened:
        for number in range(3):
            opened.import_task(record(f"t{number}", number), varied_log(f"t{number}", SIZE, number))
        asyncio.run(opened.cold.amove("t1"))
        yield opened


def during(**steps: Callable[[], object]) -> Callable[[MoveProgress], None]:
    """Return the `report` of a move that takes each step when its phase is first reported."""

    def report(progress: MoveProgress) -> None:
        if progress.phase in steps:
            steps.pop(progress.phase)()

    return report


@pytest.mark.parametrize("pair", OTHER_KINDS)
@pytest.mark.parametrize("phase", ["compare", "switch"])
def test_events_that_are_erased_during_a_move_are_erased_in_the_copy(
    urls: tuple[str, str], store: Store, phase: str
) -> None:
    said = append_audited(store, "t0", "annotation", "ann@example.org", message="a secret").seq

    def erase() -> None:
        assert store.erase_events("t0", [2, said], actor="ann", reason="asked for") == [2, said]

    move_store(*urls, report=during(**{phase: erase}))
    assert rows_of(urls[1]) == rows_of(urls[0])


@pytest.mark.long
@pytest.mark.parametrize("pair", OTHER_KINDS)
@pytest.mark.parametrize("phase", ["compare", "switch"])
def test_logs_that_go_to_cold_storage_and_back_during_a_move_arrive(
    urls: tuple[str, str], store: Store, phase: str
) -> None:
    def change() -> None:
        asyncio.run(store.cold.amove("t2"))
        asyncio.run(store.cold.arestore("t1"))

    move_store(*urls, report=during(**{phase: change}))
    assert rows_of(urls[1]) == rows_of(urls[0])


@pytest.mark.parametrize("pair", OTHER_KINDS)
def test_a_log_that_is_on_its_way_to_cold_storage_is_left_to_its_file(
    urls: tuple[str, str], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(*_: object) -> bool:
        raise StoreError("stopped")

    def let_go(db: Database) -> None:
        db.execute("UPDATE cold_tasks SET held_until = NULL")

    monkeypatch.setattr(Move, "clear", stop)
    with suppress(StoreError):
        asyncio.run(store.cold.amove("t0"))
    monkeypatch.undo()
    store._writer.run(let_go)  # type: ignore[attr-defined]

    def finish() -> None:
        assert asyncio.run(store.cold.afinish()).tasks == ["t0"]

    move_store(*urls, report=during(compare=finish))
    assert rows_of(urls[1]) == rows_of(urls[0])


@pytest.mark.long
@pytest.mark.parametrize("pair", OTHER_KINDS)
def test_a_log_that_was_in_cold_storage_while_the_copy_passed_it_arrives(
    urls: tuple[str, str], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (copying, move):
        monkeypatch.setattr(module, "BATCH_EVENTS", 50)
    steps = iter((store.cold.amove, store.cold.arestore))

    def change(progress: MoveProgress) -> None:
        if progress.phase == "copy" and (step := next(steps, None)) is not None:
            asyncio.run(step("t0"))

    move_store(*urls, report=change)
    assert next(steps, None) is None
    assert rows_of(urls[1]) == rows_of(urls[0])


@pytest.mark.parametrize("pair", OTHER_KINDS)
def test_a_log_that_went_and_came_back_between_two_of_its_events_arrives(
    urls: tuple[str, str], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (copying, move):
        monkeypatch.setattr(module, "BATCH_EVENTS", SIZE // 2)
    reports = 0

    def change(progress: MoveProgress) -> None:
        nonlocal reports
        reports += 1
        if reports == 2:  # The whole log of `t0` is copied.
            assert progress[:2] == ("copy", SIZE)
            store.append("t0", NewEvent(event_type="log", actor="supervisor"))
            store.append("t2", [NewEvent(event_type="log", actor="supervisor")] * SIZE)
            asyncio.run(store.cold.amove("t0"))
        if reports == 5:  # The copy has passed the last event of `t0`.
            asyncio.run(store.cold.arestore("t0"))

    move_store(*urls, report=change)
    assert rows_of(urls[1]) == rows_of(urls[0])


@pytest.mark.parametrize("pair", OTHER_KINDS)
def test_a_log_that_went_and_came_back_while_its_move_was_stopped_arrives(
    urls: tuple[str, str], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (copying, move):
        monkeypatch.setattr(module, "BATCH_EVENTS", SIZE // 2)

    def stop(progress: MoveProgress) -> None:
        assert progress.copied == SIZE // 2
        raise MoveStopped

    with pytest.raises(MoveStopped):
        move_store(*urls, report=stop)
    asyncio.run(store.cold.amove("t0"))
    move_store(*urls, report=during(copy=lambda: asyncio.run(store.cold.arestore("t0"))))
    assert rows_of(urls[1]) == rows_of(urls[0])
