"""Verification of an export, without a database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from signalbox.store import InvalidEvent
from signalbox.store.chain.findings import LogReport
from signalbox.store.chain.heads import CheckingKey, SignedHead
from signalbox.store.chain.linked_event import LinkedEvent, is_redacted, link_in
from signalbox.store.chain.verification import Claims, Entry, verify
from signalbox.store.line_breaks import as_stored
from signalbox.webapp.export import ndjson


class _Line(LinkedEvent, frozen=True, forbid_unknown_fields=True, dict=True):
    """An event of an export. An unknown field is an error here, because it may be a known one that was changed."""


def verify_file(
    lines: Iterable[bytes],
    heads: Sequence[SignedHead] = (),
    keys: Collection[CheckingKey] = (),
    *,
    must_be_signed: bool = False,
) -> LogReport:
    """Verify an NDJSON export. Raises InvalidEvent if its first line is not that of an export."""
    numbered = iter(lines)
    first = next(numbered, b"")
    header = ndjson.read([first]).header
    chain, task_id = header.chain, header.task.task_id
    wrong_header = chain is not None and header.digest != ndjson.digest_of(header)
    if chain is None:
        claims, own = Claims(task_id, "", 0, None, False), list[SignedHead]()
    else:
        link = _bytes(chain.link)
        claims, own = Claims(task_id, chain.identity, chain.seq, link, chain.ended), list(chain.heads)
    identities = {claims.identity, *(head.identity for head in own)}
    own += [head for head in heads if head.identity in identities and head not in own]
    faults: list[str] = []
    report = verify(claims, _entries(numbered, task_id, faults), own, keys, must_be_signed=must_be_signed)
    if wrong_header:
        report.add("unreadable", None, "the first line, which describes the task, was changed")
    for fault in faults:
        report.add("unreadable", None, fault)
    if chain is None:
        # A file of an earlier version does not say where its log ends.
        report.faults = [fault for fault in report.faults if fault.kind != "inserted" or fault.seq != 1]
        report.fault_count, report.latest_seq = len(report.faults), report.events
    return report


def _entries(lines: Iterable[bytes], task_id: str, faults: list[str]) -> Iterator[Entry]:
    decoder = msgspec.json.Decoder(_Line)
    last_id = last_seq = 0
    for number, line in enumerate(lines, 2):
        if not line.strip():
            continue
        try:
            event = decoder.decode(line)
            link = link_in(event)
        except (ValueError, RecursionError) as error:
            faults.append(f"line {number} is not a line of an export: {error}")
            continue
        payload = as_stored(bytes(event.payload_json))
        event = msgspec.structs.replace(event, payload_json=msgspec.Raw(payload))
        wrong = ""
        if event.task_id != task_id:
            wrong = "its task_id is not that of the export"
        elif event.seq > last_seq and event.event_id <= last_id:
            wrong = "its event_id is not above that of the event before"
        last_id, last_seq = event.event_id, event.seq
        yield Entry(event, link, b"" if is_redacted(event) else None, wrong)


def _bytes(link: str | None) -> bytes | None:
    try:
        return bytes.fromhex(link) if link is not None else None
    except ValueError:
        raise InvalidEvent("line 1: the link of the log must have hexadecimal digits") from None
