"""Parse one SSE response strictly, with the same checks as `stream.c`, for machines without a C compiler."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field

_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,10})(?:;[^\r\n]*)?\r")
_SENT = re.compile(rb'(?:"t_us": *|t_us=)(\d+)')
_SEQ = re.compile(rb'"seq": *(\d+)')


@dataclass
class Counters:
    """The counters of one phase; `latencies` in microseconds."""

    events: int = 0
    reads: int = 0
    chunks: int = 0
    bytes: int = 0
    keepalives: int = 0
    control: int = 0
    reconnects: int = 0
    gaps: int = 0
    missing: int = 0
    duplicates: int = 0
    reordered: int = 0
    errors: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("cut", "connect", "status", "framing", "sse", "mismatch"), 0)
    )
    latencies: array[int] = field(default_factory=lambda: array("q"))

    def add(self, other: Counters, *, volume: bool = True) -> None:
        """Add another phase's counters; without `volume` only its errors."""
        always = ("gaps", "missing", "duplicates", "reordered")
        for name, value in vars(other).items():
            if isinstance(value, int) and (volume or name in always):
                setattr(self, name, getattr(self, name) + value)
        for kind, count in other.errors.items():
            self.errors[kind] += count
        if volume:
            self.latencies.extend(other.latencies)


class Follower:
    """The position of one stream in its log. Each id must be the next one."""

    def __init__(self, number: int, since: int | None) -> None:
        self.number = number
        self.last_id = since or 0
        self.any_first_id = since is None
        self.seen = 0
        self._gap = range(0)

    def follow(self, event_id: int, count: Counters) -> None:
        """Record one id as the next one, a gap, a duplicate, or a late one that fills the latest gap."""
        if event_id == self.last_id + 1 or self.any_first_id:
            self.last_id, self.any_first_id = event_id, False
        elif event_id > self.last_id:
            count.gaps += 1
            count.missing += event_id - self.last_id - 1
            self._gap = range(self.last_id + 1, event_id)
            self.last_id = event_id
        elif event_id in self._gap:
            count.reordered += 1
            count.missing -= 1
            if event_id == self._gap.start:
                self._gap = self._gap[1:]
        else:
            count.duplicates += 1


class Response:
    """The parser of one response: head, chunks, lines, messages. `state` is head, size, body, ended or broken."""

    def __init__(self, follower: Follower, sample: int) -> None:
        self.follower = follower
        self.state = "head"
        self.status = 0
        self.retry_ms = 0
        self._sample = sample
        self._raw = bytearray()
        self._body = b""
        self._id: int | None = None
        self._data: bytes | None = None
        self._named = False

    def feed(self, received: bytes, count: Counters, now_us: int) -> None:
        """Parse bytes that arrived at `now_us` (microseconds since 1970)."""
        self._raw += received
        if self.state == "head":
            self._read_head(count)
        while self.state == "size" and self._read_chunk(count, now_us):
            pass
        if self.state == "ended" and (self._body or self._id is not None or self._data is not None):
            count.errors["sse"] += 1

    def _read_head(self, count: Counters) -> None:
        end = self._raw.find(b"\r\n\r\n")
        if end < 0:
            return
        first, *fields = bytes(self._raw[:end]).lower().split(b"\r\n")
        del self._raw[: end + 4]
        self.status = int(first[9:12]) if re.match(rb"http/1\.1 \d{3}", first) else -1
        is_stream = any(line.startswith(b"content-type: text/event-stream") for line in fields)
        self.state = "size" if b"transfer-encoding: chunked" in fields and is_stream else "broken"
        if self.status != 200:
            self.state = "broken"
            count.errors["status"] += 1
        elif self.state == "broken":
            count.errors["framing"] += 1

    def _read_chunk(self, count: Counters, now_us: int) -> bool:
        line_end = self._raw.find(b"\n")
        if line_end < 0:
            return False
        size_line = _CHUNK_SIZE.fullmatch(bytes(self._raw[:line_end]))
        if not size_line:
            return self._break(count)
        size, start = int(size_line[1], 16), line_end + 1
        if len(self._raw) < start + size + 2:
            return False
        body = bytes(self._raw[start : start + size])
        if self._raw[start + size : start + size + 2] != b"\r\n":
            return self._break(count)
        del self._raw[: start + size + 2]
        if size == 0:
            self.state = "ended"
            return False
        count.chunks += 1
        self._read_lines(body, count, now_us)
        return True

    def _break(self, count: Counters) -> bool:
        count.errors["framing"] += 1
        self.state = "broken"
        return False

    def _read_lines(self, body: bytes, count: Counters, now_us: int) -> None:
        if b"\r" in body:
            count.errors["sse"] += 1
        *lines, self._body = (self._body + body).split(b"\n")
        for line in lines:
            name, _, value = line.partition(b": ")
            if not line:
                self._dispatch(count, now_us)
            elif line.startswith(b":"):
                count.keepalives += 1
            elif name == b"data":
                self._data = value
            elif name == b"id" and value.isdigit():
                self._id = int(value)
            elif name == b"event" and value:
                self._named = True
            elif name == b"retry" and value.isdigit():
                self.retry_ms = int(value)
            else:
                count.errors["sse"] += 1

    def _dispatch(self, count: Counters, now_us: int) -> None:
        if self._named:
            count.control += 1
        elif self._data is not None and self._id is not None:
            self._event(self._id, self._data, count, now_us)
        elif self._data is not None or self._id is not None:
            count.errors["sse"] += 1
        self._id, self._data, self._named = None, None, False

    def _event(self, event_id: int, data: bytes, count: Counters, now_us: int) -> None:
        count.events += 1
        if (self.follower.seen + self.follower.number) % self._sample == 0:
            if (seq := _SEQ.search(data)) and int(seq[1]) != event_id:
                count.errors["mismatch"] += 1
            if sent := _SENT.search(data):
                count.latencies.append(max(0, now_us - int(sent[1])))
        self.follower.seen += 1
        self.follower.follow(event_id, count)
