"""`signalbox hook AGENT`: the command that a coding agent runs as a hook.

It sends the agent's JSON from standard input to `POST /api/hooks/AGENT`, and prints the answer. If Signalbox is away
(no connection, no answer, an error of the server, a name that does not resolve), it prints nothing and exits with 0
within `LIMIT_S` after its own start, so the agent goes on as if it had no hook.

An agent waits for this command before and after each of its tool calls. So it imports little: no package outside the
standard library, and neither `json`, `re` nor `http.client` unless they are needed.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NoReturn

DEFAULT_SERVER = "http://127.0.0.1:8000"
LIMIT_S = 0.15
"""Seconds from the start of this process until the first byte of a response."""

LEAST_S = 0.04
"""Seconds for the response even if the process itself took long to start."""

SILENCE_S = 5.0
"""Seconds without a byte after which a server that asks a person counts as gone. It sends one each second."""

WAIT_S = 300.0
"""Seconds to wait for the answer of a person, unless the settings of the agent say otherwise."""

MAX_INPUT = 16 * 1024 * 1024
MAX_ANSWER = 4 * 1024 * 1024
PATH_KEYS = (b'"file_path"', b'"notebook_path"', b'"absolute_path"', b'"dir_path"', b'"path"', b"*** Begin Patch")

USAGE = "usage: signalbox hook AGENT [--server URL] [--token TEXT] [--project ID] [--wait SECONDS] [--limit SECONDS]"
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


class HookOptions:
    """The options of the command. Raises ValueError."""

    def __init__(self, arguments: Sequence[str]) -> None:
        given = {"server": os.environ.get("SIGNALBOX_SERVER") or DEFAULT_SERVER, "token": "", "project": ""}
        given |= {"wait": str(WAIT_S), "limit": ""}
        rest, agent = list(arguments), ""
        while rest:
            one = rest.pop(0)
            name, equals, value = one.removeprefix("--").partition("=")
            if not one.startswith("--"):
                if agent:
                    raise ValueError(f"unexpected argument {one!r}")
                agent = one
            elif name not in given or (not equals and not rest):
                raise ValueError(f"{one} is unknown or has no value")
            else:
                given[name] = value if equals else rest.pop(0)
        if not agent or not agent.replace("-", "").isalnum():
            raise ValueError("name the coding agent, such as claude-code")
        self.agent, self.server, self.project = agent, given["server"].rstrip("/"), given["project"]
        self.wait = float(given["wait"])
        self.limit = float(given["limit"]) if given["limit"] else None
        self.token = given["token"] or os.environ.get("SIGNALBOX_TOKEN") or saved_token(self.server)


class Response:
    """A response as it arrives: `status`, and the pieces of its body."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._buffer = connection, b""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        self.status = int(head[0].split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self._length = int(headers["content-length"]) if "content-length" in headers else None

    def pieces(self) -> Iterator[bytes]:
        """Yield the body. Raises OSError or ValueError if it ends too early."""
        if self._chunked:
            while size := int(self._until(b"\r\n").split(b";")[0], 16):
                yield self._exactly(size)
                self._until(b"\r\n")
        elif self._length is not None:
            yield self._exactly(self._length)
        else:
            while piece := self._buffer or self._connection.recv(65536):
                self._buffer = b""
                yield piece

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._receive()
        line, _, self._buffer = self._buffer.partition(end)
        return line

    def _exactly(self, size: int) -> bytes:
        if size > MAX_ANSWER:
            raise ValueError("the answer is too long")
        while len(self._buffer) < size:
            self._receive()
        piece, self._buffer = self._buffer[:size], self._buffer[size:]
        return piece

    def _receive(self) -> None:
        if len(self._buffer) > MAX_ANSWER or not (more := self._connection.recv(65536)):
            raise ValueError("the response ended early or is too long")
        self._buffer += more


class Exchange(threading.Thread):
    """Sends the call and reads the answer in a thread: resolving a name cannot be interrupted.

    `began` is set when the response begins, `ended` when it is complete or failed. Then `answer` is the JSON, or
    `refusal` the reason why the server refused the call.
    """

    def __init__(self, options: HookOptions, body: bytes) -> None:
        super().__init__(daemon=True)
        self.began, self.ended = threading.Event(), threading.Event()
        self.answer, self.refusal = b"", b""
        self._options, self._body = options, body

    def run(self) -> None:
        try:
            self._exchange()
        except (OSError, ValueError, IndexError):
            self.answer = b""
        finally:
            self.began.set()
            self.ended.set()

    def _exchange(self) -> None:
        options = self._options
        scheme, host, port, prefix = split_url(options.server)
        with socket.create_connection((host, port), timeout=SILENCE_S) as plain:
            connection = plain
            if scheme == "https":
                import ssl

                connection = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
            connection.sendall(_request(options, host, port, prefix, self._body) + self._body)
            response = Response(connection)
            self.began.set()
            received = b""
            for piece in response.pieces():
                received = (received + piece).lstrip()
            if 400 <= response.status < 500:
                self.refusal = received
            elif response.status == 200:
                self.answer = received.strip()


def main(arguments: Sequence[str]) -> int:
    """Run the hook. 1 means that the command or its token is wrong, which agents report and do not obey."""
    try:
        options = HookOptions(arguments)
        if sys.stdin.isatty():
            raise ValueError("the JSON of the hook comes from standard input")
        split_url(options.server)
    except ValueError as error:
        sys.stderr.write(f"signalbox: {error}\n{USAGE}\n")
        return 1
    body = sys.stdin.buffer.read(MAX_INPUT)
    exchange = Exchange(options, body)
    exchange.start()
    limit = max(LIMIT_S - age_of_process(), LEAST_S) if options.limit is None else options.limit
    if exchange.began.wait(limit):
        exchange.ended.wait(options.wait + SILENCE_S)
    if exchange.ended.is_set() and exchange.refusal:
        sys.stderr.write(f"signalbox: {options.server} refuses the hook: {_message(exchange.refusal)}\n")
        return 1
    if exchange.ended.is_set() and exchange.answer not in (b"", b"{}"):
        sys.stdout.buffer.write(exchange.answer + b"\n")
    return 0


def run(arguments: Sequence[str]) -> NoReturn:
    """Run the hook and end the process at once, also while a name is still being resolved."""
    code = 0
    try:
        code = main(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, KeyboardInterrupt):
        pass
    finally:
        os._exit(code)


def split_url(url: str) -> tuple[str, str, int, str]:
    """Return the scheme, host, port and path of an address. Raises ValueError."""
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    host, colon, port = place.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = place, {"http": "80", "https": "443"}.get(scheme, "")
    if scheme not in ("http", "https") or not host or "@" in place or not port.isdigit():
        raise ValueError(f"--server must be an address such as {DEFAULT_SERVER}, not {url!r}")
    return scheme, host.strip("[]"), int(port), (slash + path).rstrip("/")


def tokens_path() -> str:
    """Return the file in which `signalbox hooks install --token` keeps tokens: a line `URL TOKEN` for each server."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(base, "signalbox", "tokens")


def saved_token(server: str) -> str:
    """Return the saved token of a server, or ""."""
    try:
        with open(tokens_path(), encoding="utf-8") as lines:
            return dict(line.split(None, 1) for line in lines if len(line.split()) == 2).get(server, "").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def branch_of(folder: str) -> str:
    """Return the git branch that is checked out in a folder, or ""."""
    for _ in range(50):
        git = os.path.join(folder, ".git")
        try:
            if os.path.isfile(git):
                # A worktree: the file names the folder with its HEAD.
                with open(git, encoding="utf-8") as link:
                    git = os.path.join(folder, link.read(4096).partition("gitdir:")[2].strip())
            with open(os.path.join(git, "HEAD"), encoding="utf-8") as head:
                return head.read(1024).partition("ref: refs/heads/")[2].strip()[:250]
        except (OSError, UnicodeDecodeError):
            parent = os.path.dirname(folder)
            if parent == folder:
                break
            folder = parent
    return ""


def age_of_process() -> float:
    """Return the seconds since this process started, as Linux knows it; elsewhere a guess."""
    try:
        with open("/proc/self/stat", "rb") as stat:
            ticks = int(stat.read().rpartition(b")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return 0.07


def _request(options: HookOptions, host: str, port: int, prefix: str, body: bytes) -> bytes:
    facts = [("at", f"{time.time():.3f}"), ("wait", f"{options.wait:g}"), ("project", options.project)]
    try:
        folder = os.getcwd()
        facts += [("branch", branch_of(folder)), ("folder", os.path.realpath(folder)[:4096])]
        facts += [("path", path) for path in _paths(body, folder)]
    except OSError:
        pass
    query = "&".join(f"{name}={_quoted(value)}" for name, value in facts if value)
    named = f"[{host}]" if ":" in host else host
    lines = [
        f"POST {_quoted(prefix)}/api/hooks/{options.agent}?{query} HTTP/1.1",
        f"Host: {named}:{port}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if options.token:
        lines.append(f"Authorization: Bearer {_one_line(options.token)}")
    return "\r\n".join([*lines, "", ""]).encode()


def _paths(body: bytes, folder: str) -> list[str]:
    """Return the paths that a call of a tool names, with all links followed. The server may be another machine."""
    if not any(key in body for key in PATH_KEYS) or b'"tool_input"' not in body:
        return []
    import json

    try:
        arguments = json.loads(body).get("tool_input")
    except (ValueError, AttributeError, RecursionError):
        return []
    if not isinstance(arguments, dict):
        return []
    found = [one for key, one in arguments.items() if f'"{key}"'.encode() in PATH_KEYS and isinstance(one, str)]
    for value in arguments.values():
        if isinstance(value, str) and value.lstrip().startswith("*** Begin Patch"):
            marks = ("*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: ")
            found += [line.partition(": ")[2].strip() for line in value.splitlines() if line.startswith(marks)]
    return [os.path.realpath(os.path.join(folder, path))[:4096] for path in found[:20] if path]


def _message(refusal: bytes) -> str:
    import json

    try:
        return str(json.loads(refusal)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return refusal[:200].decode("utf-8", "replace")


def _quoted(text: str) -> str:
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))


def _one_line(text: str) -> str:
    return "".join(text.split())
