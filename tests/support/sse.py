"""A strict reader of server-sent events over a plain socket, for tests that cut and stall."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class Message:
    """One message as it came: its fields, and the lines it was made of."""

    event: str
    data: str
    id: str | None
    retry: int | None
    comment: str | None

    @property
    def json(self) -> Any:
        """The data as JSON."""
        return json.loads(self.data)


def messages(lines: Iterator[str]) -> Iterator[Message]:
    """The messages of a stream, comments included, as the blank lines divide them."""
    block: list[str] = []
    for line in lines:
        if line:
            block.append(line)
            continue
        if block:
            yield message_of(block)
        block = []


def message_of(block: list[str]) -> Message:
    """The message that these lines are."""
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
def open_stream(url: str, *, timeout: float = 10, **more: Any) -> Iterator[Iterator[Message]]:
    """The messages of a stream at `url`; no answer within `timeout` seconds is an error."""
    with httpx.stream("GET", url, timeout=timeout, **more) as response:
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
