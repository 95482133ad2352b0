"""Starts uvicorn, and ends all streams before uvicorn waits for its connections; otherwise it would never stop.

On SIGTERM or SIGINT each stream sends a farewell and ends, then the server exits. Without `drain_delay` that takes less
than three seconds. Requests that take longer are cut off: their connections close, and their routes are cancelled, as
if the clients had disconnected. A second signal ends the server at once.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Literal

import structlog
import uvicorn
from quart import Quart

from signalbox.store.loops import shared_pause
from signalbox.webapp.app import create_app
from signalbox.webapp.http.draining import DrainingState
from signalbox.webapp.http.header_limits import LimitedHttpProtocol
from signalbox.webapp.http.listening import announce, raise_file_limit
from signalbox.webapp.http.process_info import ProcessInfo
from signalbox.webapp.http.socket_limits import MAX_FRAME_BYTES, LimitedSocketProtocol
from signalbox.webapp.settings import Settings

Ending = Literal["stopped", "replaced", "orphaned"]
"""Why a process ends: the whole server stops, another worker takes the place of this one, or its parent is dead."""

GRACE_S, REPLACED_GRACE_S = 1, 30
"""Seconds for which requests may continue when the server stops, and when other workers serve all new ones."""

CUT_OFF_S = 1
"""Seconds in which requests that were cut off must end. After that they no longer delay the stop."""

KEEP_ALIVE_S = 130
"""Seconds after which an idle connection is closed: later than proxies close theirs, or a request could meet the close.

Caddy keeps idle connections for two minutes, Traefik for 90 seconds:
https://caddyserver.com/docs/caddyfile/directives/reverse_proxy#the-http-transport
"""

TOLD_S = 1.0
"""Seconds that a worker waits for its parent to say why it ends. The message may be behind the signal."""

LINGER_S = 1.0
"""Seconds for which a replaced worker answers requests on connections that it had accepted."""

TICK_S = 1.0
"""Seconds between two updates of the `Date` header."""

log = structlog.get_logger("signalbox.server")


class Server(uvicorn.Server):
    """uvicorn's server. It calls `on_ready` once it answers, and closes the hub before it waits for connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: Quart,
        *,
        drain_delay: float,
        on_ready: Callable[[], None],
        ending: Callable[[], Ending | None],
    ) -> None:
        super().__init__(config)
        self.server_state = self._state = DrainingState()
        self._app, self._drain_delay, self._on_ready, self._ending = app, drain_delay, on_ready, ending
        self._wake: Callable[[], object] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if not self.should_exit:
            # What the start has created lives as long as the process. Without this each full collection visits it all,
            # and stops the streams for more than twice as long.
            gc.freeze()
            gc.enable()
            self._on_ready()

    async def main_loop(self) -> None:
        """Serve until a signal. uvicorn's own loop wakes ten times a second to notice one."""
        loop, signalled = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(signalled.set)
        # uvicorn counts tenths of a second, and updates the header at each multiple of ten.
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(shared_pause(TICK_S)):
                    await signalled.wait()

    def handle_exit(self, sig: int, frame: Any) -> None:
        self.force_exit = self.should_exit
        super().handle_exit(sig, frame)
        self._wake()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        process: ProcessInfo = self._app.extensions["process_info"]
        hub, ending = self._app.extensions["hub"], await self._known_ending()
        process.draining = ending != "replaced"
        # Close the hub before uvicorn waits for connections. The app's own shutdown would run after that wait.
        if ending == "stopped":
            await self._unless_forced(asyncio.sleep(self._drain_delay))
            await self._unless_forced(hub.close())
        else:
            self._stop_accepting(sockets or [])
            if ending == "replaced":
                await self._unless_forced(_both(hub.close(), asyncio.sleep(LINGER_S)))
            else:
                await hub.close()
        await self._wait_for_requests(REPLACED_GRACE_S if ending == "replaced" else GRACE_S, sockets)

    async def _known_ending(self) -> Ending:
        """Return why the process ends. If nobody says so, another one takes its place, because its parent lives."""
        wait_until = time.monotonic() + TOLD_S
        while (ending := self._ending()) is None and time.monotonic() < wait_until:  # noqa: ASYNC110 (a thread sets it)
            await asyncio.sleep(0.01)
        return ending or "replaced"

    async def _wait_for_requests(self, grace: int, sockets: list[socket.socket] | None) -> None:
        """Let requests continue for `grace` seconds, cut off those that remain, and close the app."""
        self.config.timeout_graceful_shutdown = grace + CUT_OFF_S
        cut_off = asyncio.get_running_loop().call_later(grace, self._cut_off_requests)
        await super().shutdown(sockets=sockets)
        cut_off.cancel()
        if self.force_exit:
            self._cut_off_requests()
            if self.server_state.tasks:
                await asyncio.wait(self.server_state.tasks, timeout=CUT_OFF_S)

    def _cut_off_requests(self) -> None:
        """Close all connections, which ends their requests as if the clients had disconnected.

        uvicorn itself would cancel the requests from outside, log a traceback for each, and leave the routes running.
        """
        connections = list(self.server_state.connections)
        if connections:
            log.warning("requests were cut off because the server stops", connections=len(connections))
        for connection in connections:
            connection.transport.abort()

    def _stop_accepting(self, sockets: list[socket.socket]) -> None:
        """Leave new connections to the other workers, and close each open one after its next response."""
        self._state.draining = True
        for server in self.servers:
            server.close()
        for listening in sockets:
            listening.close()

    async def _unless_forced(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for `work`, but not after a second signal."""
        task = asyncio.create_task(work)
        while not task.done() and not self.force_exit:
            await asyncio.wait({task}, timeout=0.1)
        task.cancel()


async def _both(one: Coroutine[Any, Any, None], other: Coroutine[Any, Any, None]) -> None:
    await asyncio.gather(one, other)


def serve(settings: Settings, listening: Sequence[socket.socket]) -> int:
    """Serve in this process until SIGTERM or SIGINT, and return the exit code. Prints the address when ready."""
    served = run(settings, listening, ProcessInfo(), lambda: announce(listening, settings.root_path), lambda: "stopped")
    return 0 if served else 1


def run(
    settings: Settings,
    listening: Sequence[socket.socket],
    process: ProcessInfo,
    on_ready: Callable[[], None],
    ending: Callable[[], Ending | None],
    wrap: Callable[[Any], Any] = lambda app: app,
) -> bool:
    """Serve on open sockets until SIGTERM or SIGINT. Return whether the app started.

    `ending` returns why the process ends, or None if that is not known yet. `wrap` may return an ASGI app around the
    server's.
    """
    raise_file_limit(settings.max_streams)
    app = create_app(settings, process)
    config = uvicorn.Config(
        wrap(app),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE_S,
        http=LimitedHttpProtocol,
        ws=LimitedSocketProtocol,
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,
    )
    server = Server(config, app, drain_delay=settings.drain_delay, on_ready=on_ready, ending=ending)
    server.run(sockets=list(listening))
    return server.started
