"""Test the start of the server in this process."""

from __future__ import annotations

import gc

import uvicorn
from quart import Quart

from signalbox.webapp.server import Server


async def test_collections_skip_the_objects_of_the_start() -> None:
    frozen = list[int]()
    config = uvicorn.Config(Quart(__name__), log_config=None, lifespan="off")
    config.load()
    server = Server(
        config,
        Quart(__name__),
        drain_delay=0,
        on_ready=lambda: frozen.append(gc.get_freeze_count()),
        ending=lambda: "stopped",
    )
    server.lifespan = config.lifespan_class(config)
    gc.unfreeze()
    try:
        await server.startup(sockets=[])
    finally:
        gc.unfreeze()
    assert frozen
    assert frozen[0] > 10_000
