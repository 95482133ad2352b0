"""Reads a command's output, shows it in our own terminal, and records it line by line."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence

from signalbox.store import NewEvent
from signalbox.store.state import Unfinished
from signalbox.webapp.process.line_reader import LineReader
from signalbox.webapp.process.output_lines import OutputLine
from signalbox.webapp.process.recorder import Recorder
from signalbox.webapp.process.terminal import OutputPipe, read_available, terminal_size
from signalbox.webapp.process.write_order import WriteOrder, in_write_order

MAX_READ_BYTES = 64 * 1024
"""Bytes of one stream after which reading pauses until they are recorded."""

BUSY_SECONDS = 0.2
"""Seconds for which the output counts as busy after a line."""

MAX_FINAL_BYTES = 1024 * 1024
"""Maximum bytes read at the end, because processes that outlive the command may never stop writing."""


class Output:
    """Reads a command's pipes when they are readable, and stops reading while the recorder is full.

    The command then waits for its full pipe or terminal, which is the only backpressure. `show` is called with a pipe
    and the bytes that were read from it. `on_change` is called when an incomplete line may have changed.
    """

    def __init__(
        self,
        pipes: Sequence[OutputPipe],
        recorder: Recorder,
        span_id: str,
        show: Callable[[OutputPipe, bytes], None],
        order: WriteOrder | None = None,
    ) -> None:
        self._recorder, self._span_id, self._show = recorder, span_id, show
        self._order = order or WriteOrder(())
        self.on_change: Callable[[], None] = lambda: None
        self._last = self._recorded = 0.0
        self._streams = [_Stream(pipe, self._now) for pipe in pipes]
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._end = asyncio.Event()
        recorder.call_when_room(self._resume)
        self._resume()

    async def ended(self) -> None:
        """Wait until the last writer has closed the pipes."""
        await self._end.wait()

    def close(self) -> None:
        """Read the rest of the pipes, and stop."""
        for stream in self._streams:
            self._loop.remove_reader(stream.pipe.source)
        for _ in range(MAX_FINAL_BYTES // MAX_READ_BYTES):
            if not self._read():
                break
        for stream in self._streams:
            self._finish(stream)
            os.close(stream.pipe.source)
        if self._timer is not None:
            self._timer.cancel()
        self._order.close()

    def resize(self) -> None:
        """Resize the command's terminals."""
        for stream in self._streams:
            if stream.pipe.terminal:
                self._record([(stream, stream.lines.resize(*terminal_size()))])

    def unfinished(self) -> list[Unfinished]:
        """Return the unfinished output of each stream: text that is not in the log because it may still change."""
        found = ((stream.pipe.stream, stream.lines.unfinished_text) for stream in self._streams if not stream.ended)
        return [Unfinished(text, name or None) for name, text in found if text]

    def busy(self) -> bool:
        """Return whether a line was completed less than BUSY_SECONDS ago."""
        return time.monotonic() - self._recorded < BUSY_SECONDS

    def _now(self) -> float:
        # Never return the same time twice, because it orders the lines of two streams.
        self._last = max(time.monotonic(), self._last + 1e-6)
        return self._last

    def _resume(self) -> None:
        for stream in self._streams:
            if not stream.ended:
                self._loop.add_reader(stream.pipe.source, self._readable)

    def _readable(self) -> None:
        self._read()
        if self._recorder.full:
            for stream in self._streams:
                self._loop.remove_reader(stream.pipe.source)

    def _read(self) -> bool:
        """Read all pipes in the order in which they were written to; return whether there was any output."""
        taken = [b""] * len(self._streams)
        order: list[int] = []
        closed: list[_Stream] = []
        more = True
        while more and max(map(len, taken)) < MAX_READ_BYTES:
            more = False
            for index, stream in enumerate(self._streams):
                data = None if stream.ended or stream in closed else read_available(stream.pipe)
                if data:
                    taken[index] += data
                    more = True
                elif data == b"":
                    closed.append(stream)
            order += self._order.written()
        for index, data in in_write_order(order, taken):
            stream = self._streams[index]
            self._show(stream.pipe, data)
            self._record([(stream, stream.lines.feed(data))])
        for stream in closed:
            self._loop.remove_reader(stream.pipe.source)
            self._finish(stream)
        if any(taken):
            self.on_change()
            self._wait_for_lines()
        return any(taken)

    def _finish(self, stream: _Stream) -> None:
        if not stream.ended:
            stream.ended = True
            self._record([(stream, stream.lines.feed(b"", final=True))])
            self.on_change()
        if all(one.ended for one in self._streams):
            self._end.set()

    def _wait_for_lines(self) -> None:
        """Schedule a check for the time when a held line may be logged."""
        if self._timer is None:
            waits = [due for stream in self._streams if (due := stream.lines.due) is not None]
            if waits:
                self._timer = self._loop.call_later(min(waits), self._settle)

    def _settle(self) -> None:
        self._timer = None
        self._record([(stream, stream.lines.settle()) for stream in self._streams])
        self.on_change()
        self._wait_for_lines()

    def _record(self, given: list[tuple[_Stream, list[OutputLine]]]) -> None:
        if not any(lines for _, lines in given):
            return
        self._recorded = self._last
        if len(self._streams) > 1:
            # Lines of the other stream that were written earlier come first, even if they are held.
            newest = max(lines[-1].at for _, lines in given if lines)
            given = given + [(stream, stream.lines.settle(newest)) for stream in self._streams]
        given = [(stream, lines) for stream, lines in given if lines]
        if len(given) == 1:
            stream, lines = given[0]
            for line in lines:
                self._add(stream.pipe.stream, line)
            return
        found = [(line, stream.pipe.stream) for stream, lines in given for line in lines]
        for line, name in sorted(found, key=lambda one: one[0].at):
            self._add(name, line)

    def _add(self, name: str, line: OutputLine) -> None:
        payload: dict[str, object] = {"message": line.text}
        if name:
            payload["stream"] = name
        if line.partial:
            payload["partial"] = True
        if line.redrawn:
            payload["redrawn"] = True
        self._recorder.add(NewEvent(event_type="log", span_id=self._span_id, payload=payload), len(line.text))


class _Stream:
    """One pipe with its line reader."""

    def __init__(self, pipe: OutputPipe, clock: Callable[[], float]) -> None:
        self.pipe, self.ended = pipe, False
        columns, height = terminal_size() if pipe.terminal else (None, None)
        self.lines = LineReader(columns, clock=clock) if height is None else LineReader(columns, height, clock)
