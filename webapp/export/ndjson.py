"""A task as NDJSON: a line with the task, then a line per event. `signalbox import` reads it.

Each event has its link, and the first line has the signed heads, so `signalbox verify` can prove the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple, TypeVar

import msgspec

from signalbox.store import Event, InvalidEvent, TaskRecord
from signalbox.store.chain.heads import SignedHead
from signalbox.store.chain.linked_event import LinkedEvent, linked
from signalbox.store.chain.verification import Claims
from signalbox.store.contract.reading.links import StoredLink
from signalbox.store.line_breaks import one_line
from signalbox.store.state import Task

FORMAT = 1
T = TypeVar("T")
_encoder = msgspec.json.Encoder()
_UNLINKED = StoredLink(None, False)


class Chain(msgspec.Struct, kw_only=True, frozen=True):
    """The end of the log when it was exported: the seq and the link of its newest event, and its signed heads.

    `identity` is that of the exported task, `ended` says whether its run had ended. `link` is None if the log has no
    links.
    """

    identity: str
    seq: int
    link: str | None
    ended: bool
    heads: list[SignedHead] = []


class Header(msgspec.Struct, kw_only=True):
    """The first line. `redacted`: payloads may differ from those that the run wrote, because secrets are hidden.

    `chain` is None in a file of an earlier version. `digest` is the SHA-256 of this line without `digest` and without
    its line end, in hexadecimal digits.
    """

    signalbox: int
    task: TaskRecord
    redacted: bool = False
    chain: Chain | None = None
    digest: str | msgspec.UnsetType = msgspec.UNSET


class Export(NamedTuple):
    """A file that was read: its first line, and the iterator of its events."""

    header: Header
    events: Iterator[Event]

    @property
    def heads(self) -> Sequence[SignedHead]:
        """The signed heads of the log."""
        return self.header.chain.heads if self.header.chain else ()


def head_line(task: Task, claims: Claims, heads: Sequence[SignedHead], *, redacted: bool) -> bytes:
    """Return the first line of an export."""
    named = {name: getattr(task, name) for name in TaskRecord.__struct_fields__}
    if task.main_span_seq:
        named["main_span_id"] = ""
    chain = Chain(
        identity=claims.identity,
        seq=claims.latest_seq,
        link=claims.link.hex() if claims.link is not None else None,
        ended=claims.ended,
        heads=[head for head in heads if head.seq <= claims.latest_seq],
    )
    header = Header(signalbox=FORMAT, task=TaskRecord(**named), redacted=redacted, chain=chain)
    header.digest = digest_of(header)
    return one_line(msgspec.json.encode(header)) + b"\n"


def digest_of(header: Header) -> str:
    """Return the digest of a first line."""
    plain = Header(signalbox=header.signalbox, task=header.task, redacted=header.redacted, chain=header.chain)
    return sha256(one_line(msgspec.json.encode(plain))).hexdigest()


def event_lines(
    events: Iterable[Event], links: Mapping[int, StoredLink] | None = None, shown: Iterable[Event] | None = None
) -> bytes:
    """Return one line per event, with its link if there are `links`. `shown` are the events after their redaction."""
    if links is None:
        return one_line(_encoder.encode_lines(list(events)))
    lines = []
    for event, seen in zip(events, shown if shown is not None else events, strict=True):
        link, redacted = links.get(event.seq, _UNLINKED)
        lines.append(linked(seen, link, redacted=redacted or seen is not event))
    return one_line(_encoder.encode_lines(lines))


def read(lines: Iterable[bytes]) -> Export:
    """Return the content of an export. Raises InvalidEvent that names the line, also while the events are read."""
    numbered = enumerate(lines, 1)
    header: Header = _decoded(next(numbered, (1, b"")), msgspec.json.Decoder(Header))
    if header.signalbox != FORMAT:
        raise InvalidEvent(f"line 1: the export has format {header.signalbox}; only format {FORMAT} is supported")
    return Export(header, _events(numbered, header))


def _events(numbered: Iterator[tuple[int, bytes]], header: Header) -> Iterator[Event]:
    decoder = msgspec.json.Decoder(LinkedEvent)
    seq = 0
    for line in numbered:
        if line[1].strip():
            event = _decoded(line, decoder)
            seq = event.seq
            yield event
    if header.chain is not None and seq < header.chain.seq:
        raise InvalidEvent(f"the end of the export is missing: #{seq + 1} to #{header.chain.seq}")


def without_links(events: Iterable[Event]) -> Iterator[Event]:
    """Yield the events as if they came from a version without links."""
    for event in events:
        yield Event(**{name: getattr(event, name) for name in Event.__struct_fields__})


def _decoded(line: tuple[int, bytes], decoder: msgspec.json.Decoder[T]) -> T:
    number, text = line
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(f"line {number} is not a line of an export: {error}") from None
