"""Test the start of the server in this process, and that it notices a signal at once."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Callable

import pytest
import uvicorn
from quart import Quart

from signalbox.webapp import server as server_module
from signalbox.webapp.http.process_info import ProcessInfo
from signalbox.webapp.server import Ending, Server


def new_server(
    on_ready: Callable[[], None] = lambda: None, ending: Callable[[], Ending | None] = lambda: "stopped"
) -> Server:
    config = uvicorn.Config(Quart(__name__), log_config=None, lifespan="off")
    config.load()
    server = Server(config, Quart(__name__), drain_delay=0, on_ready=on_ready, ending=ending)
    server.lifespan = config.lifespan_class(config)
    return server


async def test_collections_skip_the_objects_of_the_start() -> None:
    frozen = list[int]()
    server = new_server(lambda: frozen.append(gc.get_freeze_count()))
    gc.unfreeze()
    try:
        await server.startup(sockets=[])
    finally:
        gc.unfreeze()
    assert frozen
    assert frozen[0] > 10_000


async def test_a_signal_ends_a_server_between_two_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "TICK_S", 3600)
    server = new_server()
    before = signal.signal(signal.SIGTERM, server.handle_exit)
    try:
        serving = asyncio.create_task(server.main_loop())
        await asyncio.sleep(0)  # the first tick
        assert not serving.done()
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(serving, 60)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert b"date" in dict(server.server_state.default_headers)


class NoStreams:
    """A hub without streams."""

    async def close(self) -> None: ...


@pytest.mark.parametrize(
    ("told", "stops"), [([None, "stopped"], True), ([None, "replaced"], False), ([None], False)], ids=str
)
async def test_a_worker_waits_to_be_told_why_it_ends(
    monkeypatch: pytest.MonkeyPatch, told: list[Ending | None], stops: bool
) -> None:
    for name in ("TOLD_S", "LINGER_S"):
        monkeypatch.setattr(server_module, name, 0.1)
    answers = iter(told)
    server = new_server(ending=lambda: next(answers, told[-1]))
    process = ProcessInfo(1)
    server._app.extensions.update(process_info=process, hub=NoStreams())
    with contextlib.ExitStack() as after:
        after.callback(gc.unfreeze)
        await server.startup(sockets=[])
        await server.shutdown(sockets=[])
    assert process.draining == stops
