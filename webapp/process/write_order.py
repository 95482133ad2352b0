"""The order in which a command wrote to its two streams.

A read returns the data of one stream and says nothing about the other. On Linux the kernel also queues a notification
for each write to a pipe or a terminal, so one queue for both streams shows how the writes alternate. It does not show
the size of a write, and it merges consecutive writes to one stream. If both streams have several lines, the lines are
therefore divided evenly among the writes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

MAX_ALTERNATIONS = 4000
"""Maximum number of alternations between two reads. Output with more is not ordered."""


class WriteOrder:
    """Records the writes to the file descriptors `sinks`. Records nothing if the system does not report writes."""

    def __init__(self, sinks: Sequence[int]) -> None:
        self._notify: Any = None
        self._streams: dict[int, int] = {}
        if len(sinks) < 2 or not sys.platform.startswith("linux"):
            return
        with suppress(ImportError, OSError):
            from inotify_simple import INotify, flags

            self._notify = INotify()
            for index, sink in enumerate(sinks):
                self._streams[self._notify.add_watch(f"/proc/self/fd/{sink}", flags.MODIFY)] = index

    def written(self) -> list[int]:
        """Return the writes since the last call, each as an index into `sinks`."""
        if self._notify is None:
            return []
        try:
            events = self._notify.read(timeout=0)
        except OSError:
            return []
        return [self._streams[event.wd] for event in events if event.wd in self._streams]

    def close(self) -> None:
        """Stop recording."""
        if self._notify is not None:
            self._notify.close()
            self._notify = None


def in_write_order(order: Sequence[int], data: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """Split `data`, the bytes of each stream, into `(stream, bytes)` pieces in the order of the writes."""
    busy = [stream for stream, piece in enumerate(data) if piece]
    if len(busy) < 2 or not order or len(order) > MAX_ALTERNATIONS:
        return [(stream, data[stream]) for stream in sorted(busy, key=lambda one: _first(order, one))]
    left = {stream: order.count(stream) for stream in busy}
    lines = {stream: data[stream].splitlines(keepends=True) for stream in busy}
    pieces: list[tuple[int, bytes]] = []
    for stream in order:
        if not left.get(stream):
            continue
        share = len(lines[stream]) if left[stream] == 1 else max(1, len(lines[stream]) // left[stream])
        taken, lines[stream] = lines[stream][:share], lines[stream][share:]
        left[stream] -= 1
        if taken:
            pieces.append((stream, b"".join(taken)))
    return pieces + [(stream, b"".join(rest)) for stream, rest in lines.items() if rest]


def _first(order: Sequence[int], stream: int) -> int:
    return order.index(stream) if stream in order else len(order)
