"""Workers that cannot start, or that end again and again."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from signalbox.webapp.workers import slot as slots
from signalbox.webapp.workers.child import StartFailed
from signalbox.webapp.workers.slot import Slot
from tests.support.server import READY, Server
from tests.support.waiting import wait_until
from tests.support.workers import pids, worker_ids

BREAKABLE = """
import os, sys
if "signalbox.webapp.workers.worker" in sys.orig_argv and os.path.exists({flag!r}):
    sys.exit("the new version is broken")
"""


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """Return the path of a file that prevents workers from starting while it exists."""
    (tmp_path / "sitecustomize.py").write_text(BREAKABLE.format(flag=str(tmp_path / "broken")))
    return tmp_path / "broken"


def breakable(flag: Path, **settings: Any) -> Server:
    return Server(flag.parent, variables={"PYTHONPATH": str(flag.parent)}, **settings)


@pytest.mark.long
def test_a_server_whose_workers_cannot_start_ends_and_says_why(flag: Path) -> None:
    flag.touch()
    server = breakable(flag, workers=2)
    with pytest.raises(AssertionError, match="no worker could start: it ended before it was ready: exit code 1"):
        server.start()
    assert "the new version is broken" in server.log
    server.close()


@pytest.mark.long
def test_a_restart_with_a_broken_version_leaves_the_workers_as_they_are(flag: Path) -> None:
    server = breakable(flag, workers=2)
    try:
        server.start()
        before = worker_ids(server, 2)
        flag.touch()
        os.kill(server.pid, signal.SIGHUP)
        wait_until(lambda: "the restart stops here" in server.log)
        assert worker_ids(server, 2) == before
        flag.unlink()
        os.kill(server.pid, signal.SIGHUP)
        wait_until(lambda: "all workers were replaced" in server.log, 240)
        assert not before & worker_ids(server, 2)
    finally:
        server.close()


@pytest.mark.long
def test_a_worker_that_cannot_restart_is_retried_while_the_other_serves(flag: Path) -> None:
    server = breakable(flag, workers=2)
    try:
        server.start()
        before = pids(server, 2)
        flag.touch()
        os.kill(before[1], signal.SIGKILL)
        wait_until(lambda: server.log.count("a worker cannot start") >= 2)
        assert server.get("/readyz").status_code == 200
        flag.unlink()
        wait_until(lambda: pids(server, 2)[1] != before[1])
        assert len(worker_ids(server, 2)) == 2
    finally:
        server.close()


class FakeChild:
    """A worker that ends as soon as it is ready, or that cannot start."""

    pid, age = 1, 0.0

    def __init__(self, starts: bool) -> None:
        self._starts = starts

    async def ready(self) -> None:
        if not self._starts:
            raise StartFailed("it is broken")

    async def ended(self) -> str:
        return "exit code 1"


@pytest.mark.parametrize("starts", [True, False])
async def test_the_pauses_between_starts_grow(monkeypatch: pytest.MonkeyPatch, starts: bool) -> None:
    pauses: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await real_sleep(0)

    async def start(number: int) -> Any:
        await real_sleep(0)
        return FakeChild(starts)

    monkeypatch.setattr(slots.asyncio, "sleep", sleep)
    keeping = asyncio.create_task(Slot(1, start, lambda: None, 1.0).keep())
    while len(pauses) < 9:
        await real_sleep(0)
    keeping.cancel()
    assert pauses[:9] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


class FakeWorker(FakeChild):
    """A worker that is ready at once, and ends when `end` is set. A request to stop does not end it."""

    def __init__(self) -> None:
        super().__init__(starts=True)
        self.end = asyncio.Event()

    async def ended(self) -> str:
        await self.end.wait()
        return "exit code 1"

    async def stop(self, timeout: float, *, stopping: bool) -> None:
        await self.end.wait()


async def test_a_new_worker_that_dies_is_replaced_while_the_old_one_finishes_its_requests() -> None:
    started: list[FakeWorker] = []
    present: asyncio.Queue[Any] = asyncio.Queue()

    async def start(number: int) -> Any:
        started.append(FakeWorker())
        return started[-1]

    slot = Slot(1, start, lambda: present.put_nowait(slot.child), 1.0)
    keeping = asyncio.create_task(slot.keep())
    async with asyncio.timeout(60):
        old = await present.get()
        replacing = asyncio.create_task(slot.replace())
        new = await present.get()
        assert started == [old, new]
        new.end.set()
        assert await present.get() is None
        third = await present.get()
        assert slot.child is third is started[2]
        assert slot.processes == {old, third}
        assert not replacing.done()
        old.end.set()
        await replacing
    assert slot.processes == {third}
    keeping.cancel()


@pytest.mark.long
def test_a_server_ends_when_its_terminal_is_closed(tmp_path: Path) -> None:
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "signalbox", "serve", "--port", "0", "--workers", "2"],
        env=os.environ | {"SIGNALBOX_STORE_URL": f"sqlite:///{tmp_path}/signalbox.db"},
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(terminal)
    try:
        assert process.stdout
        assert any(READY.search(line) for line in process.stdout)
        os.close(main)
        assert process.wait(60) == -signal.SIGHUP
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def _take_terminal() -> None:
    """Make stdin the controlling terminal. `nohup` may have made the tests ignore SIGHUP."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
