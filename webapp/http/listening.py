"""The listening socket of a server, and the limit of its open files."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence

import structlog

from signalbox.webapp.settings import Settings

TCP_USER_TIMEOUT = 18
"""Linux's socket option (tcp(7)) that ends a connection if the peer acknowledges no data for some milliseconds."""

HALF_OPEN_MS = 20_000

FILES_BESIDES_STREAMS = 512
"""Open files that are not streams: the database, other requests, the listening socket."""

log = structlog.get_logger("signalbox.server")


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


def listen_all(settings: Settings) -> list[socket.socket]:
    """Return the listening sockets of `port` and, if it is set, of `otlp_port`. Raises OSError."""
    found = [listen(settings.host, settings.port)]
    if settings.otlp_port:
        try:
            found.append(listen(settings.host, settings.otlp_port))
        except OSError:
            found[0].close()
            raise
    return found


def address(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def announce(listening: Sequence[socket.socket], root_path: str) -> None:
    """Print the lines that say that the server answers, and where."""
    also = "".join(f"OTLP is received on {address(one)}\n" for one in listening[1:])
    # Print the line breaks in the same write; otherwise a log line could come before them.
    print(f"Signalbox listens on {address(listening[0])}{root_path}\n{also}", end="", flush=True)


def raise_file_limit(max_streams: int) -> None:
    """Raise the process's limit of open files. Each stream needs one; the usual limit is 256 or 1,024."""
    if sys.platform == "win32":
        return
    import resource

    wanted = max_streams + FILES_BESIDES_STREAMS
    soft_limit, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard_limit != resource.RLIM_INFINITY and hard_limit < wanted:
        log.warning("the limit of open files is too low for max_streams", allowed=hard_limit, wanted=wanted)
        wanted = hard_limit
    if soft_limit != resource.RLIM_INFINITY and soft_limit < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard_limit))
