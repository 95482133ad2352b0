"""One stream of a command: read, shown in our own terminal, and recorded line by line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from store import NewEvent
from webapp.process.lines import LineReader
from webapp.process.recorder import Recorder
from webapp.process.terminal import Channel, read

MOST_LEFT = 1024 * 1024
"""Bytes taken at the end from processes that outlive the command and never stop writing."""


class Output:
    """Reads a channel whenever something has come, and stops reading while the recorder is full.

    A full pipe or terminal then makes the command wait, which is all the backpressure there is.
    """

    def __init__(self, channel: Channel, recorder: Recorder, span_id: str, show: Callable[[bytes], None]) -> None:
        self._channel, self._recorder, self._span_id = channel, recorder, span_id
        self._lines = LineReader()
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._show = show
        recorder.when_room(self._resume)
        self._resume()

    async def ended(self) -> None:
        """Wait until the last writer is gone."""
        await self._end.wait()

    def close(self) -> None:
        """Take what the command left in the channel, and read no more."""
        self._loop.remove_reader(self._channel.source)
        taken = 0
        while not self._end.is_set():
            data = read(self._channel) if taken < MOST_LEFT else None
            taken += len(data or b"")
            self._take(data or b"")
        os.close(self._channel.source)

    def _resume(self) -> None:
        if not self._end.is_set():
            self._loop.add_reader(self._channel.source, self._readable)

    def _readable(self) -> None:
        data = read(self._channel)
        if data is not None:
            self._take(data)
        if self._end.is_set() or self._recorder.full:
            self._loop.remove_reader(self._channel.source)

    def _take(self, data: bytes) -> None:
        self._show(data)
        for line in self._lines.feed(data, final=not data):
            payload: dict[str, object] = {"message": line.text, "stream": self._channel.stream}
            if line.partial:
                payload["partial"] = True
            event = NewEvent(event_type="log", span_id=self._span_id, payload=payload)
            self._recorder.add(event, len(line.text))
        if not data:
            self._end.set()
