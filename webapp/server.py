"""The launcher: uvicorn started by ourselves, because a server that waits for open streams would never stop.

On SIGTERM or SIGINT every stream is told and ends, then the server exits; with streams open that takes well under
three seconds.
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
from signalbox.webapp.http.socket_limits import LONGEST_MESSAGE, LimitedSocketProtocol
from signalbox.webapp.settings import Settings

TCP_USER_TIMEOUT = 18
"""Linux's socket option (tcp(7)): ends a connection whose peer has acknowledged nothing for so many milliseconds."""

HALF_OPEN_MS = 20_000

OTHER_FILES = 512
"""Open files beside the streams: the database, ordinary requests, the socket itself."""

log = structlog.get_logger("signalbox.server")


class Server(uvicorn.Server):
    """uvicorn, saying when it is ready and saying farewell before it waits."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if not self.should_exit and sockets:
            # In one write, or a line of the log could come between the address and its end.
            print(f"Signalbox listens on {address(sockets[0])}{self._settings.root_path}\n", end="", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Before uvicorn waits for the connections; the end of the app's lifespan comes after them.
        hub = self.config.app.extensions.get("hub")  # type: ignore[union-attr]
        if hub is not None:
            await hub.close()
        await super().shutdown(sockets=sockets)


def serve(settings: Settings, beside: AbstractContextManager[None] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the answer is the exit code. Prints one line with the address when ready.

    `beside` is entered when the port is ours and left when the server has stopped.
    """
    logs.configure(settings)
    allow_open_files(settings.max_streams + OTHER_FILES)
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
        ws_max_size=LONGEST_MESSAGE,
        ws_per_message_deflate=False,
    )
    server = Server(config, settings)
    with beside or nullcontext():
        server.run(sockets=[listening])
    return 0 if server.started else 1


def allow_open_files(wanted: int) -> None:
    """Ask for room for `wanted` open files. Every stream is one; most systems give a process 256 or 1,024 of them."""
    if sys.platform == "win32":
        return
    import resource

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < wanted:
        log.warning("fewer open files are allowed than the streams may need", allowed=most, wanted=wanted)
        wanted = most
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that gives up on peers whose network vanished. Raises OSError."""
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
    """The URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
