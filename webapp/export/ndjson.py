"""A task as NDJSON: a line with the task, then a line per event. `signalbox import` reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from signalbox.store import Event, InvalidEvent, TaskRecord
from signalbox.store.line_breaks import one_line
from signalbox.store.state import Task

FORMAT = 1
T = TypeVar("T")
_encoder = msgspec.json.Encoder()


class Header(msgspec.Struct, kw_only=True):
    """The first line. `redacted`: payloads may differ from those that the run wrote, because secrets are hidden."""

    signalbox: int
    task: TaskRecord
    redacted: bool = False


def head_line(task: Task, *, redacted: bool) -> bytes:
    """Return the first line of an export."""
    named = {name: getattr(task, name) for name in TaskRecord.__struct_fields__}
    if task.main_span_seq:
        named["main_span_id"] = ""
    record = TaskRecord(**named)
    return one_line(msgspec.json.encode(Header(signalbox=FORMAT, task=record, redacted=redacted))) + b"\n"


def event_lines(events: Iterable[Event]) -> bytes:
    """Return one line per event."""
    return one_line(_encoder.encode_lines(list(events)))


def read(lines: Iterable[bytes]) -> tuple[TaskRecord, Iterator[Event]]:
    """Return the task and an iterator of the events of an export. Raises InvalidEvent that names the line."""
    numbered = enumerate(lines, 1)
    header: Header = _decoded(next(numbered, (1, b"")), msgspec.json.Decoder(Header))
    if header.signalbox != FORMAT:
        raise InvalidEvent(f"line 1: the export has format {header.signalbox}; only format {FORMAT} is supported")
    decoder = msgspec.json.Decoder(Event)
    return header.task, (_decoded(line, decoder) for line in numbered if line[1].strip())


def _decoded(line: tuple[int, bytes], decoder: msgspec.json.Decoder[T]) -> T:
    number, text = line
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(f"line {number} is not a line of an export: {error}") from None
