"""The listening socket of a server, and the limit of its open files."""

from __future__ import annotations

import socket
import sys

import structlog

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


def address(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def announce(listening: socket.socket, root_path: str) -> None:
    """Print the line that says that the server answers, and where."""
    # Print the line break in the same write; otherwise a log line could come before it.
    print(f"Signalbox listens on {address(listening)}{root_path}\n", end="", flush=True)


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
