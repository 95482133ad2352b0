"""Starts uvicorn, and ends all streams before uvicorn waits for its connections; otherwise it would never stop.

On SIGTERM or SIGINT each stream sends a farewell and ends, then the server exits. That takes less than three seconds.
"""

from __future__ import annotations

import socket
import sys
from contextlib import AbstractContextManager, nullcontext

import structlog
import uvicorn

from signalbox.webapp import logs
from signalbox.webapp.app import create_app
from signalbox.webapp.http.header_limits import LimitedHttpProtocol
from signalbox.webapp.http.socket_limits import MAX_FRAME_BYTES, LimitedSocketProtocol
from signalbox.webapp.settings import Settings

TCP_USER_TIMEOUT = 18
"""Linux's socket option (tcp(7)) that ends a connection if the peer acknowledges no data for some milliseconds."""

HALF_OPEN_MS = 20_000

FILES_BESIDES_STREAMS = 512
"""Open files that are not streams: the database, other requests, the listening socket."""

log = structlog.get_logger("signalbox.server")


class Server(uvicorn.Server):
    """uvicorn's server. It prints its address when ready, and closes the hub before it waits for connections."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if not self.should_exit and sockets:
            # Print the line break in the same write; otherwise a log line could come before it.
            print(f"Signalbox listens on {address(sockets[0])}{self._settings.root_path}\n", end="", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Close the hub before uvicorn waits for connections. The app's own shutdown would run after that wait.
        hub = self.config.app.extensions.get("hub")  # type: ignore[union-attr]
        if hub is not None:
            await hub.close()
        await super().shutdown(sockets=sockets)


def serve(settings: Settings, background: AbstractContextManager[None] | None = None) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit code. Prints one line with the address when ready.

    `background` is entered once the port is bound and left when the server has stopped.
    """
    logs.configure(settings)
    raise_file_limit(settings.max_streams + FILES_BESIDES_STREAMS)
    try:
        listening = listen(settings.host, settings.port)
    except OSError as error:
        print(f"signalbox: cannot listen on {settings.host}:{settings.port}: {error.strerror}", file=sys.stderr)
        return 1
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        http=LimitedHttpProtocol,
        ws=LimitedSocketProtocol,
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,
    )
    server = Server(config, settings)
    with background or nullcontext():
        server.run(sockets=[listening])
    return 0 if server.started else 1


def raise_file_limit(wanted: int) -> None:
    """Raise the process's limit of open files to `wanted`. Each stream needs one; the usual limit is 256 or 1,024."""
    if sys.platform == "win32":
        return
    import resource

    soft_limit, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard_limit != resource.RLIM_INFINITY and hard_limit < wanted:
        log.warning("the limit of open files is too low for max_streams", allowed=hard_limit, wanted=wanted)
        wanted = hard_limit
    if soft_limit != resource.RLIM_INFINITY and soft_limit < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard_limit))


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket whose connections end when the peer's network is gone. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sys.platform == "linux":
        listening.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, HALF_OPEN_MS)
    try:
        listening.bind((host, port))
        listening.listen(4096)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def address(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
