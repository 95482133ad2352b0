"""A task as NDJSON: a line that says what the task is, then a line for each event. `signalbox import` reads it."""

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
    """The first line; `redacted` says whether payloads are as the run wrote them."""

    signalbox: int
    task: TaskRecord
    redacted: bool = False


def head_line(task: Task, *, redacted: bool) -> bytes:
    """The first line of an export."""
    named = {name: getattr(task, name) for name in TaskRecord.__struct_fields__}
    if task.main_span_seq:
        named["main_span_id"] = ""
    record = TaskRecord(**named)
    return one_line(msgspec.json.encode(Header(signalbox=FORMAT, task=record, redacted=redacted))) + b"\n"


def event_lines(events: Iterable[Event]) -> bytes:
    """The lines of some events."""
    return one_line(_encoder.encode_lines(list(events)))


def read(lines: Iterable[bytes]) -> tuple[TaskRecord, Iterator[Event]]:
    """Return the task and an iterator of the events of an export. Raises InvalidEvent that names the line."""
    numbered = enumerate(lines, 1)
    header: Header = _decoded(next(numbered, (1, b"")), msgspec.json.Decoder(Header))
    if header.signalbox != FORMAT:
        raise InvalidEvent(f"line 1: this export has the format {header.signalbox}, and only {FORMAT} is known")
    decoder = msgspec.json.Decoder(Event)
    return header.task, (_decoded(line, decoder) for line in numbered if line[1].strip())


def _decoded(line: tuple[int, bytes], decoder: msgspec.json.Decoder[T]) -> T:
    number, text = line
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(f"line {number} is not one of an export: {error}") from None
