"""Third-party SSE clients with simpler parsers lose no event, wherever a stream is cut."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import httpx
import msgspec
import pytest

from signalbox.store import Event
from signalbox.store.line_breaks import one_line
from signalbox.store.remote.sse import SseParser
from signalbox.webapp.api import feed
from signalbox.webapp.dialects import run, session
from signalbox.webapp.live import sse
from tests.support.server import Server
from tests.support.sse import open_stream

BREAKS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
TEXT = "a".join(BREAKS) + "\r\nend"


def event_of(seq: int, event_type: str = "log") -> Event:
    return Event(
        event_id=seq,
        task_id="run",
        seq=seq,
        event_type=event_type,
        phase=None,
        actor="runner",
        span_id="main",
        parent_span_id=None,
        payload_json=msgspec.Raw(msgspec.json.encode({"message": f"{seq} {TEXT}"})),
        created_at="2026-11-21T14:02:07.123456Z",
    )


STREAMS = {
    "task": [sse.json_event(event_of(seq)) for seq in range(1, 5)],
    "feed": [feed.message(event_of(seq)) for seq in range(1, 5)],
    "page": [sse.html_message(seq, f"<p>\n{TEXT}</p>") for seq in range(1, 5)],
    "session": [session.session_event(event_of(seq, "tool_status")) for seq in range(1, 5)],
    "run": [run.log_message(event_of(seq)) for seq in range(1, 5)],
}


def parse_line_by_line(received: str, last: str) -> tuple[list[str], str]:
    """Parse like a client that uses `splitlines` and stores an id as soon as its line is complete.

    Return the data of each message and the last id.
    """
    lines = received.splitlines(keepends=True)
    data, taken = list[str](), list[str]()
    for line in lines:
        if line[-1] not in "\r\n" + BREAKS:
            break
        name, _, value = line.splitlines()[0].partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
        elif name == "id":
            last = value.removeprefix(" ")
        elif not name and data:
            taken.append("\n".join(data))
            data = []
    return taken, last


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_client_that_stores_ids_line_by_line_loses_no_event(stream: list[bytes]) -> None:
    whole, _ = parse_line_by_line(b"".join(stream).decode(), "0")
    assert len(whole) == len(stream)
    assert whole == [message.data for message in SseParser().feed(b"".join(stream))]
    size, lossy = len(b"".join(stream)), 0
    for cut in range(size + 1):
        first, last = parse_line_by_line(b"".join(stream)[:cut].decode(errors="ignore"), "0")
        rest, _ = parse_line_by_line(b"".join(stream[int(last) :]).decode(), last)
        if first + rest != whole:
            lossy += 1
            assert b"".join(stream)[cut - 1 : cut + 1] == b"\n\n"
    # A cut between the id line and the blank line loses an event in such a client, whatever the order of the fields.
    assert lossy <= len(stream)


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_the_bundled_parser_loses_no_event_at_any_cut(stream: list[bytes]) -> None:
    expected = [message.data for message in SseParser().feed(b"".join(stream))]
    assert len(expected) == len(stream)
    for cut in range(len(b"".join(stream)) + 1):
        first = list(SseParser().feed(b"".join(stream)[:cut]))
        rest = SseParser().feed(b"".join(stream[int(first[-1].last_event_id) if first else 0 :]))
        assert [message.data for message in [*first, *rest]] == expected


def in_chunks(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    begin = 0
    for cut in (*cuts, len(data)):
        yield data[begin:cut]
        begin = cut


@pytest.mark.parametrize("ends", [("\n",), ("\r\n",), ("\r",), ("\r\n", "\r"), ("\n", "\r", "\r\n")])
def test_every_line_ending_is_parsed_in_any_chunks(ends: tuple[str, ...]) -> None:
    lines = ["retry: 700", "event: log", "data: é one", "data", "id: 1", "", ": idle", "data:two", "id:2", ""]
    text = "\ufeff" + "".join(line + ends[n % len(ends)] for n, line in enumerate(lines))
    expected = [("log", "é one\n", "1"), ("message", "two", "2")]
    data = text.encode()
    assert [(m.event, m.data, m.last_event_id) for m in SseParser().feed(data)] == expected
    for cut in range(len(data)):
        parser = SseParser()
        messages = [m for piece in in_chunks(data, [cut]) for m in parser.feed(piece)]
        assert [(m.event, m.data, m.last_event_id) for m in messages] == expected
    parser = SseParser()
    messages = [m for piece in in_chunks(data, range(len(data))) for m in parser.feed(piece)]
    assert [(m.event, m.data, m.last_event_id) for m in messages] == expected


def test_json_on_one_line_decodes_to_the_same_value() -> None:
    value = {"\u2028": [TEXT, "\\u2028", "\\"]}
    line = one_line(msgspec.json.encode(value))
    assert json.loads(line) == value
    assert len(line.decode().splitlines()) == 1


def test_a_last_event_id_in_the_query_counts_like_the_header(server: Server) -> None:
    server.emit("ids", *["a line"] * 6)
    newest = server.get("/api/tasks/ids/events").json()["events"][-1]["event_id"]
    stream = {"Accept": "text/event-stream"}
    for name in ("lastEventId", "last_event_id"):
        with open_stream(f"{server.url}/sse/tasks/ids/events?since_seq=0&{name}=5") as found:
            assert [next(found).id, next(found).id] == [None, "6"]
        with open_stream(f"{server.url}/sse/events?{name}={newest - 1}&task=ids") as found:
            assert [next(found).id, next(found).id] == [None, str(newest)]
        with open_stream(f"{server.url}/sse/tasks/ids/events?{name}=2", headers={"Last-Event-ID": "5"}) as found:
            assert [next(found).id, next(found).id] == [None, "6"]
        for path in (
            "/sse/tasks/ids/events?",
            "/sse/events?",
            "/tasks/ids/stream?",
            "/tasks/ids/timeline?part=frames&",
            "/live/tasks?",
            "/live/permissions?",
            "/api/sse/events/ids?",
        ):
            refused = server.get(f"{path}{name}=five", headers=stream)
            assert (refused.status_code, refused.json()["error"]["field"]) == (400, name), path
            refused = server.get(path, headers=stream | {"Last-Event-ID": "five"})
            assert (refused.status_code, refused.json()["error"]["field"]) == (400, "Last-Event-ID"), path


def test_a_reset_makes_a_client_forget_its_position(server: Server) -> None:
    server.emit("forget", "one")
    for path in (
        "/sse/tasks/forget/events?since_seq=9",
        "/sse/events?since_event_id=99999",
        "/tasks/forget/stream?since=9",
    ):
        with open_stream(server.url + path) as stream:
            message = list(stream)[-1]
        assert (message.event, message.id) == ("reset", "")
        assert message.retry in range(500, 1501)


def test_a_snapshot_lists_open_spans_as_ids_and_as_objects(server: Server) -> None:
    server.emit("spans", "one")
    snapshot = server.get("/api/tasks/spans/events/snapshot").json()
    assert snapshot["active_spans"] == [span["span_id"] for span in snapshot["open_spans"]]
    assert all(isinstance(span_id, str) for span_id in snapshot["active_spans"])


def test_a_head_request_opens_no_stream(server: Server) -> None:
    server.emit("head", "one")
    before = server.get("/sse/health").json()["streams"]
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for path in ("/sse/tasks/head/events", "/sse/events", "/tasks/head/stream", "/api/sse/events/head"):
            response = client.head(path)
            assert (response.status_code, response.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
            # The connection is free for the next request.
            assert client.get("/api/tasks/head").status_code == 200
    assert server.get("/sse/health").json()["streams"] == before
