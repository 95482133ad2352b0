"""Test the bars of tqdm and rich: progress at most four times a second, and always the last state."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from signalbox.integrations.reporting.background import background_writer
from signalbox.integrations.reporting.progress import INTERVAL_S
from signalbox.integrations.reporting.target import target
from signalbox.integrations.rich import SignalboxColumn, SignalboxProgress
from signalbox.integrations.tqdm import tqdm, trange
from signalbox.store import Event
from tests.support.reporting import events_in, run_program, tasks_in

MAX_EVENTS = 1 / INTERVAL_S


def work() -> None:
    time.sleep(0.01)


async def events_of(url: str, task_id: str) -> list[Event]:
    assert background_writer(target(url)).flush()
    return await events_in(url, task_id)


def progress_of(events: list[Event], event_type: str = "work_item_progress") -> list[tuple[float, float | None]]:
    found = [event.payload["progress"] for event in events if event.event_type == event_type]
    return [(progress["current"], progress.get("total")) for progress in found]


async def test_a_bar_of_tqdm_is_a_work_item_with_its_progress(url: str) -> None:
    began = time.monotonic()
    for _ in tqdm(range(60), desc="copying", file=io.StringIO(), mininterval=0, store=url, task="copy"):
        work()
    seconds = time.monotonic() - began
    events = await events_of(url, "copy")
    types = [event.event_type for event in events]
    assert (types[0], types[-1]) == ("work_item_start", "work_item_complete")
    assert events[0].payload == {"work_item_id": "copying", "work_type": "progress"}
    found = progress_of(events)
    assert found[-1] == (60, 60)
    assert found == sorted(set(found))
    assert progress_of(events, "progress_update") == found
    updates = [name for name in types if name in ("work_item_progress", "progress_update")]
    assert len(updates) <= MAX_EVENTS * seconds + 4
    assert len(found) >= 2


async def test_nested_bars_and_bars_that_stop_early_send_their_last_state(url: str) -> None:
    def loops() -> None:
        with trange(3, desc="outer", file=io.StringIO(), store=url, task="nested") as outer:
            for number in outer:
                with tqdm(total=10, desc="inner", file=io.StringIO(), store=url, task="nested") as inner:
                    inner.update(7)
                if number == 1:
                    raise ValueError("disk full")

    with pytest.raises(ValueError):
        loops()
    events = await events_of(url, "nested")
    inner_ends = [event for event in events if event.payload.get("work_item_id") == "inner"]
    assert progress_of(inner_ends)[-1] == (7, 10)
    assert [event.event_type for event in inner_ends].count("work_item_complete") == 2
    last = events[-1]
    assert (last.event_type, last.payload["error_code"], last.payload["message"]) == (
        "work_item_failed",
        "ValueError",
        "disk full",
    )


async def test_a_bar_that_is_hidden_without_a_terminal_is_reported(tmp_path: Path, url: str) -> None:
    done = run_program(
        """
        from signalbox.integrations.tqdm import tqdm
        for _ in tqdm(range(5), desc="hidden", disable=None): pass
        for _ in tqdm(range(5), desc="off", disable=True): pass
        """,
        cwd=tmp_path,
        SIGNALBOX_STORE_URL=url,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (task,) = await tasks_in(url)
    events = await events_in(url, task.task_id)
    assert {event.payload.get("work_item_id") for event in events} == {None, "hidden"}
    assert task.status == "done"


async def test_bars_of_rich_are_work_items_also_without_a_terminal(url: str) -> None:
    with SignalboxProgress(console=Console(file=io.StringIO()), store=url, task="rich") as progress:
        for _ in progress.track(range(40), description="[bold]copying"):
            work()
        open_ended = progress.add_task("waiting", total=None)
        progress.update(open_ended, completed=3)
    events = await events_of(url, "rich")
    copying = [event for event in events if event.payload.get("work_item_id") == "copying"]
    assert progress_of(copying)[-1] == (40, 40)
    assert copying[-1].event_type == "work_item_complete"
    waiting = [event for event in events if event.payload.get("work_item_id") == "waiting"]
    assert progress_of(waiting)[-1] == (3, None)


async def test_a_column_reports_the_bars_of_any_progress(url: str) -> None:
    column = SignalboxColumn(store=url, task="column")
    console = Console(file=io.StringIO(), force_terminal=True)
    with Progress(*Progress.get_default_columns(), column, console=console) as progress:
        for _ in progress.track(range(10), description="copying"):
            work()
        progress.add_task("unfinished", total=5, completed=2)
    column.close()
    events = await events_of(url, "column")
    assert progress_of(events)[-1] == (2, 5)
    assert [event.event_type for event in events].count("work_item_complete") == 2
