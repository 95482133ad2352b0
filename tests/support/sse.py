"""A strict parser of server-sent events, for tests that cut and stall connections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class Message:
    """The fields of one received SSE message."""

    event: str
    data: str
    id: str | None
    retry: int | None
    comment: str | None

    @property
    def json(self) -> Any:
        """Parse the data as JSON."""
        return json.loads(self.data)


def messages(lines: Iterator[str]) -> Iterator[Message]:
    """Yield the messages of a stream, including comments. Blank lines separate messages."""
    block: list[str] = []
    for line in lines:
        if line:
            block.append(line)
            continue
        if block:
            yield message_of(block)
        block = []


def message_of(block: list[str]) -> Message:
    """Return the message that these lines form."""
    found: dict[str, list[str]] = {}
    for line in block:
        name, _, value = line.partition(":")
        found.setdefault(name, []).append(value.removeprefix(" "))
    return Message(
        event=found.get("event", [""])[-1],
        data="\n".join(found.get("data", [])),
        id=found["id"][-1] if "id" in found else None,
        retry=int(found["retry"][-1]) if "retry" in found else None,
        comment=found.get("", [None])[-1],
    )


@contextmanager
def open_stream(url: str, *, timeout: float = 60, **options: Any) -> Iterator[Iterator[Message]]:
    """Open the stream at `url` and yield its messages. Fail if no bytes arrive for `timeout` seconds."""
    with httpx.stream("GET", url, timeout=timeout, **options) as response:
        response.raise_for_status()
        yield messages(_lines(response))


def _lines(response: httpx.Response) -> Iterator[str]:
    buffer = b""
    for chunk in response.iter_raw():
        buffer += chunk
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            assert not line.endswith(b"\r"), "streams send LF only"
            yield line.decode()
