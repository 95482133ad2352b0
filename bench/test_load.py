"""Test that the load client reports every fault of a stream, because the bench's figures depend on it."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import pytest

from bench.load.client import build

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
PYTHON_CLIENT = [sys.executable, "-m", "bench.load.protocol_client"]
Script = Callable[[bytes], Iterable[bytes]]


@pytest.fixture(params=["compiled", "python"])
def client(request: pytest.FixtureRequest) -> list[str]:
    """Return the command of each kind of load client."""
    if request.param == "python":
        return PYTHON_CLIENT
    if build() == PYTHON_CLIENT:
        pytest.skip("no C compiler here")
    return build()


@contextlib.contextmanager
def serving(script: Script) -> Iterator[int]:
    """Run a server that answers each request with the pieces from `script`, each in its own TCP segment."""
    listener = socket.create_server(("127.0.0.1", 0))

    def respond(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError), connection:
            for piece in script(connection.recv(4096)):
                connection.sendall(piece)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=respond, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with listener:
        yield listener.getsockname()[1]


def message(seq: int, *, seq_inside: int | None = None) -> bytes:
    t_us = time.time_ns() // 1000
    return b'id: %d\ndata: {"seq":%d,"payload":{"t_us":%d}}\n\n' % (seq, seq_inside or seq, t_us)


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def run(client: list[str], script: Script, *options: str) -> dict[str, Any]:
    """Run the client against `script` to its end, and return its totals."""
    with serving(script) as port:
        command = [*client, "--port", str(port), "--path", "/stream/{i}", "--duration", "5", *options]
        process = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60, check=True)
    totals: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    assert totals["total"]
    return totals


def stream_of(seqs: Iterable[int]) -> Script:
    return lambda _: [HEAD, *(chunk(message(seq)) for seq in seqs), END]


def always(pieces: Iterable[bytes], _: bytes) -> Iterable[bytes]:
    return pieces


def test_a_complete_stream_is_reported_without_errors(client: list[str]) -> None:
    totals = run(client, stream_of(range(1, 501)), "--streams", "4")
    assert (totals["connected"], totals["events"], totals["samples"]) == (4, 2000, 2000)
    assert (totals["min_id"], totals["max_id"], totals["chunks"]) == (500, 500, 2000)
    assert (totals["gaps"], totals["duplicates"], totals["reordered"], totals["errors"]) == (0, 0, 0, 0)
    assert 0 <= totals["p50_ms"] <= totals["p99_ms"] <= totals["max_ms"] < 5000


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_any_chunk_and_segment_boundaries_are_accepted(client: list[str], size: int) -> None:
    body = b": keepalive\n\n" + b"".join(message(seq) for seq in range(1, 21)) + b"event: heartbeat\ndata: 1\n\n"
    in_chunks = HEAD + b"".join(chunk(body[at : at + size]) for at in range(0, len(body), size)) + END
    byte_by_byte = [in_chunks[at : at + 1] for at in range(len(in_chunks))]
    for script in ([in_chunks], byte_by_byte):
        totals = run(client, partial(always, script))
        assert (totals["events"], totals["samples"], totals["max_id"], totals["ended"]) == (20, 20, 20, 1)
        assert (totals["keepalives"], totals["control"], totals["gaps"], totals["errors"]) == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("seqs", "gaps", "missing", "duplicates", "reordered"),
    [
        ([1, 2, 4, 5], 1, 1, 0, 0),
        ([3, 4], 1, 2, 0, 0),
        ([1, 5, 9], 2, 6, 0, 0),
        ([1, 2, 2, 3], 0, 0, 1, 0),
        ([1, 2, 3, 1, 2, 3, 4], 0, 0, 3, 0),
        ([1, 3, 2, 4], 1, 0, 0, 1),
    ],
)
def test_a_wrong_order_is_reported(
    client: list[str], seqs: list[int], gaps: int, missing: int, duplicates: int, reordered: int
) -> None:
    totals = run(client, stream_of(seqs))
    assert (totals["gaps"], totals["missing"]) == (gaps, missing)
    assert (totals["duplicates"], totals["reordered"]) == (duplicates, reordered)


def test_the_order_is_checked_starting_at_the_given_seq(client: list[str]) -> None:
    assert run(client, stream_of([8, 9]), "--since", "7")["gaps"] == 0
    assert run(client, stream_of([8, 9]), "--since", "6")["gaps"] == 1
    assert run(client, stream_of([8, 9]), "--since", "any")["gaps"] == 0


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"], "status"),
        ([HEAD.replace(b"text/event-stream", b"text/html"), END], "framing"),
        ([HEAD, b"zz\r\n"], "framing"),
        ([HEAD, chunk(message(1)).replace(b"\r\n", b"\n")], "framing"),
        ([HEAD, chunk(message(1))[:-2] + b"xx", END], "framing"),
        ([HEAD, chunk(message(1).replace(b"\n", b"\r\n")), END], "sse"),
        ([HEAD, chunk(b"data: without an id\n\n"), END], "sse"),
        ([HEAD, chunk(b"id: one\ndata: {}\n\n"), END], "sse"),
        ([HEAD, chunk(message(1)[:-1]), END], "sse"),
        ([HEAD, chunk(message(1, seq_inside=2)), END], "mismatch"),
        ([HEAD, chunk(message(1))], "cut"),
    ],
)
def test_an_invalid_event_stream_is_an_error(client: list[str], pieces: list[bytes], kind: str) -> None:
    assert run(client, lambda _: pieces)["error_kinds"][kind] >= 1


def test_an_ended_stream_is_resumed_from_its_last_id(client: list[str]) -> None:
    def two_a_time(request: bytes) -> Iterable[bytes]:
        last = int(request.partition(b"Last-Event-ID: ")[2].partition(b"\r\n")[0] or 0)
        return [
            HEAD,
            *(chunk(message(seq)) for seq in (last + 1, last + 2)),
            chunk(b"event: reconnect\ndata: {}\n\n"),
            END,
        ]

    totals = run(client, two_a_time, "--reconnect", "--until-seq", "8", "--streams", "3")
    assert (totals["complete"], totals["min_id"], totals["reconnects"]) == (3, 8, 9)
    assert (totals["gaps"], totals["duplicates"], totals["errors"]) == (0, 0, 0)


def test_stalled_streams_read_nothing_after_the_head(client: list[str]) -> None:
    sent: list[int] = []

    def without_end(_: bytes) -> Iterator[bytes]:
        yield HEAD
        for seq in range(1, 1_000_000):
            sent.append(seq)
            yield chunk(message(seq) * 1000)

    totals = run(client, without_end, "--streams", "2", "--stalled", "2", "--duration", "0.3")
    assert (totals["stalled"], totals["connected"], totals["errors"]) == (2, 2, 0)
    assert totals["bytes"] < 2_000_000 < len(sent) * 40_000


def test_marks_divide_the_figures_into_phases(client: list[str]) -> None:
    more = threading.Event()

    def in_two_parts(_: bytes) -> Iterator[bytes]:
        yield HEAD + chunk(message(1))
        more.wait(60)
        yield chunk(message(2)) + chunk(message(3)) + END

    with serving(in_two_parts) as port:
        argv = [*client, "--port", str(port), "--path", "/"]
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdin
        assert child.stdout
        with child:
            while "ready" not in child.stdout.readline():
                pass
            child.stdin.write("mark second\n")
            child.stdin.flush()
            assert json.loads(child.stdout.readline())["phase"] == "main"
            more.set()
            totals = json.loads(child.stdout.readline())
    second = totals["phases"][-1]
    assert (second["phase"], second["events"], totals["events"]) == ("second", 2, 3)
