"""Unfinished lines of a run, such as progress bars: on the page, in the API and in `signalbox tail`."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from signalbox.store import NewEvent, Store, open_store
from signalbox.store.sqlite import SqliteStore
from signalbox.store.state import Unfinished
from signalbox.webapp.cli.tail_footer import unfinished_line
from tests.support.command import RUN, environment, start
from tests.support.log import log_of
from tests.support.server import Server
from tests.support.waiting import wait_until

BAR = "import sys, time\nprint('training starts', flush=True)\n" + (
    "for i in range(1, 2000):\n sys.stderr.write(f'\\repoch 1: {i}/60'); sys.stderr.flush(); time.sleep(0.05)\n"
)

WAITING_BAR = """
import os, sys, time
print('training starts', flush=True)
step = 0
while not os.path.exists(sys.argv[1]):
    step += 1
    print(f'\\repoch 1: {step % 60}/60', end='', file=sys.stderr, flush=True)
    time.sleep(0.05)
print('\\repoch 1: 60/60', file=sys.stderr, flush=True)
print('Apply? ', end='', flush=True)
while not os.path.exists(sys.argv[2]):
    time.sleep(0.05)
print('no')
"""
"""A program with a progress bar that moves until the first file exists, and a question until the second one does."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("unfinished"), heartbeat_timeout=1).start()
    yield started
    started.close()


def unfinished(server: Server, task_id: str) -> list[dict[str, str]]:
    response = httpx.get(f"{server.url}/api/tasks/{task_id}")
    return response.json()["unfinished"] if response.status_code == 200 else []  # type: ignore[no-any-return]


@pytest.mark.parametrize("where", ["store", "server"])
def test_a_progress_bar_is_shown_while_it_moves_and_logged_once(server: Server, where: str, tmp_path: Path) -> None:
    target = ("--store", server.store_url) if where == "store" else ("--server", server.url)
    seen, answered = tmp_path / "seen", tmp_path / "answered"
    running = start("run", *target, "--task", where, "--", sys.executable, "-c", WAITING_BAR, str(seen), str(answered))
    wait_until(lambda: "epoch 1:" in str(unfinished(server, where)))
    assert unfinished(server, where)[0]["stream"] == "stderr"
    page = httpx.get(f"{server.url}/tasks/{where}").text
    assert "epoch 1: " in page[page.index('id="log-unfinished"') :]
    snapshot = httpx.get(f"{server.url}/api/tasks/{where}/events/snapshot").json()
    assert "epoch 1:" in str(snapshot["unfinished"])
    past_page = httpx.get(f"{server.url}/tasks/{where}?at=1").text
    assert 'class="unfinished-line' not in past_page
    seen.touch()
    wait_until(lambda: unfinished(server, where) == [{"message": "Apply?", "stream": "stdout"}])
    answered.touch()
    assert running.wait(60) == 0
    running.communicate()
    lines = [event.payload["message"] for event in log_of(server.store, where) if event.event_type == "log"]
    assert lines == ["training starts", "epoch 1: 60/60", "Apply? no"]
    assert unfinished(server, where) == []


def test_an_open_page_follows_the_unfinished_line_without_an_event(server: Server) -> None:
    server.store.append("live", NewEvent(event_type="runner_spawn"))
    store = open_store(server.store_url)
    with closing(store), httpx.stream("GET", f"{server.url}/tasks/live/stream?since=1", timeout=60) as stream:
        chunks = stream.iter_text()
        next(chunks)
        for text in ("10%", "20%", ""):
            set_unfinished(store, "live", text)
            chunk = ""
            while 'id="log-unfinished"' not in chunk or text not in chunk:
                chunk = next(chunks)
    assert 'id="log-unfinished" class="unfinished" hidden' in chunk


def test_a_page_shows_only_the_last_of_many_unfinished_lines(server: Server) -> None:
    server.emit("screen", NewEvent(event_type="runner_spawn"))
    screen = "\n".join(f"line {number}" for number in range(1000))
    httpx.put(f"{server.url}/api/tasks/screen/unfinished", json=[{"message": screen}] * 2).raise_for_status()
    page = server.get("/tasks/screen").text
    assert (page.count("line 999<"), page.count("line 980<"), page.count("line 979<")) == (2, 2, 0)
    assert page.count("980 lines above") == 2


def test_the_unfinished_line_ends_with_a_killed_run(server: Server) -> None:
    running = start(
        "run", "--store", server.store_url, "--task", "k", "--heartbeat", "0.2", "--", sys.executable, "-c", BAR
    )
    wait_until(lambda: unfinished(server, "k"))
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    wait_until(lambda: httpx.get(f"{server.url}/api/tasks/k").json()["status"] == "interrupted")
    assert unfinished(server, "k") == []


def test_unfinished_lines_are_bounded_and_removed_with_the_end_of_the_task(url: str, store: SqliteStore) -> None:
    async def read() -> list[Unfinished]:
        async with store.read() as view:
            return await view.unfinished("t")

    store.append("t", NewEvent(event_type="runner_spawn"))
    asyncio.run(store.aset_unfinished("t", [Unfinished("x" * 100_000)] * 9))
    assert [len(line.message) for line in asyncio.run(read())] == [16 * 1024] * 4
    store.append("t", NewEvent(event_type="runner_exit"))
    assert asyncio.run(read()) == []
    asyncio.run(store.aset_unfinished("t", [Unfinished("late")]))
    assert asyncio.run(read()) == []


def test_tail_shows_the_unfinished_line_on_a_terminal(server: Server) -> None:
    server.store.append("tail", NewEvent(event_type="runner_spawn"))
    set_unfinished(server.store, "tail", "50%")
    main, terminal = pty.openpty()
    tail = subprocess.Popen(
        [*RUN, "tail", "--store", server.store_url, "tail"], stdout=terminal, stderr=terminal, env=environment()
    )
    os.close(terminal)
    seen = ""
    while "… 50%" not in seen:
        seen += os.read(main, 1000).decode()
    server.store.append("tail", NewEvent(event_type="runner_exit"))
    while "runner_exit" not in seen:
        seen += os.read(main, 1000).decode()
    assert tail.wait(60) == 0
    os.close(main)


def test_only_the_last_unfinished_line_is_shown_without_escape_sequences() -> None:
    assert unfinished_line([Unfinished("a\n\x1b[31mb\x1b[0m\x07\n")]) == "… b"
    assert unfinished_line([]) == ""


def set_unfinished(store: Store, task_id: str, text: str) -> None:
    asyncio.run(store.aset_unfinished(task_id, [Unfinished(text)] if text else []))
