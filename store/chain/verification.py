"""Verification of one log: reads its events in order, checks each link, and names the event that is wrong.

The verification holds two events at a time, so a log may have any length.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from signalbox.store.chain import tombstones
from signalbox.store.chain.findings import LogReport
from signalbox.store.chain.heads import CheckingKey, SignedHead
from signalbox.store.chain.links import START, canonical, has_line_break, link_of
from signalbox.store.events import Event, is_claim

IMPORTED_FROM = ("", "server", "import")
"""The origins that an event of an imported log may have had when it was linked."""


class Entry(NamedTuple):
    """One event as it was read, with its link, or None.

    `redacted` is the digest of the canonical form of an event whose payload was redacted, b"" if it is not known.
    """

    event: Event
    link: bytes | None
    redacted: bytes | None = None
    wrong: str = ""
    """Another fault of the event that the source found, or ""."""


class Claims(NamedTuple):
    """What a source says about a log: its newest link, the seq of its newest event, and whether the run has ended.

    `identity` is that of the task. `link` is None if the log has no links, or the source does not say.
    """

    task_id: str
    identity: str
    latest_seq: int
    link: bytes | None
    ended: bool


def verify(
    claims: Claims,
    entries: Iterable[Entry],
    heads: Sequence[SignedHead] = (),
    keys: Collection[CheckingKey] = (),
    *,
    must_be_signed: bool = False,
) -> LogReport:
    """Verify a log whose events come in the order of the source, with the heads that belong to it.

    With `must_be_signed`, an end without a signature that was checked is a fault.
    """
    return _Verification(claims, heads, keys).run(entries, must_be_signed)


class _Verification:
    def __init__(self, claims: Claims, heads: Sequence[SignedHead], keys: Collection[CheckingKey]) -> None:
        self._claims = claims
        self._report = LogReport(task_id=claims.task_id, latest_seq=claims.latest_seq, ended=claims.ended)
        self._keys: Mapping[str, CheckingKey] = {key.key_id: key for key in keys}
        self._heads = sorted(heads, key=lambda head: head.seq)
        self._next_head = 0
        self._seq = 0
        self._link: bytes | None = START
        self._rolled: bytes | None = None
        self._unlinked_from = 0
        # By how much the seqs are higher than when the events were linked, because an event was inserted or removed.
        self._shift = 0
        # The seq of the second of two swapped events, and the link that the event after it follows.
        self._swapped: tuple[int, bytes] | None = None

    def run(self, entries: Iterable[Entry], must_be_signed: bool) -> LogReport:
        report = self._report
        self._check_signatures()
        stream = _Lookahead(entries)
        for entry in stream:
            report.events += 1
            self._take(entry, stream)
        self._end()
        if must_be_signed and (report.signed_to or 0) < self._seq:
            signed = f"only up to #{report.signed_to}" if report.signed_to else "not at all"
            report.add("unsigned", None, f"the log is signed {signed}, and its newest event is #{self._seq}")
        return report

    # events

    def _take(self, entry: Entry, stream: _Lookahead) -> None:
        event, report, expected = entry.event, self._report, self._seq + 1
        following = stream.following
        if event.seq > expected and following is not None and following.event.seq == expected:
            report.add("order", event.seq, f"#{event.seq} stands before #{expected}")
            stream.swap(entry)
            entry = following
            event, following = entry.event, stream.following
            if event.seq == expected:
                self._check(entry, following)
            return
        if event.seq < expected:
            report.add(
                "inserted", event.seq, f"#{event.seq} stands after #{self._seq}: it is there twice, or misplaced"
            )
            return
        if event.seq > expected:
            missing = f"#{expected}" if event.seq == expected + 1 else f"#{expected} to #{event.seq - 1}"
            report.add("removed", expected, f"{missing} {'is' if event.seq == expected + 1 else 'are'} missing")
            self._pass_heads(event.seq - 1, None)
            # The link before the gap is not known, so this event is taken as it is.
            self._forget_unlinked()
            if entry.link is not None and report.linked_from is None:
                report.linked_from = event.seq
            self._accept(event.seq, entry.link)
            return
        if (
            following is not None
            and following.event.seq == event.seq
            and not self._fits(entry)
            and self._fits(following)
        ):
            report.add("inserted", event.seq, f"#{event.seq} is there twice, and the first one does not fit its link")
            return
        self._check(entry, following)

    def _check(self, entry: Entry, following: Entry | None) -> None:
        event, link, report = entry.event, entry.link, self._report
        seq = event.seq
        if entry.wrong:
            report.add("changed", seq, f"#{seq} was changed: {entry.wrong}")
        if self._swapped is not None and self._swapped[0] == seq:
            self._accept(*self._swapped)
            return
        if link is None:
            self._check_unlinked(entry)
            return
        if report.linked_from is None:
            report.linked_from = seq
        before = self._link
        if self._unlinked_from and before is not None and not self._fits(entry):
            before = self._explain_unlinked(entry, before)
        self._forget_unlinked()
        if has_line_break(event):
            report.add("changed", seq, f"#{seq} was changed: a field contains a line break")
        elif self._is_wrongly_imported(event):
            report.add("changed", seq, f"#{seq} was changed: its origin is not that of an imported event")
        elif entry.redacted is not None:
            self._check_redacted(entry)
        elif before is not None and not self._is_linked(event, before, link) and not self._check_erased(entry):
            self._explain(entry, before, following)
            return
        self._accept(seq, link)

    def _explain(self, entry: Entry, before: bytes, following: Entry | None) -> None:
        """Find out why an event does not fit its link, and continue with the link that later events fit."""
        event, link, report = entry.event, entry.link, self._report
        assert link is not None
        seq = event.seq
        computed = self._computed(event, before)
        if following is not None and following.link is not None:
            later, later_link = following.event, following.link
            if self._is_linked(later, computed, later_link):
                report.add("link_changed", seq, f"the link of #{seq} was changed; the event itself is as it was")
                self._accept(seq, computed)
                return
            if later.seq == seq + 1 and self._are_swapped(entry, following, before):
                report.add("order", seq, f"#{seq} and #{seq + 1} were swapped")
                self._swapped = (seq + 1, link)
                self._accept(seq, later_link)
                return
            if self._is_linked(later, before, later_link, by=1):
                report.add("inserted", seq, f"#{seq} was inserted, and the later events were renumbered")
                self._shift += 1
                self._accept(seq, before)
                return
            if not self._is_linked(later, link, later_link) and self._is_linked(later, link, later_link, by=-1):
                report.add("removed", seq, f"an event before #{seq} was removed, and the later ones were renumbered")
                self._shift -= 1
                self._accept(seq, link)
                return
        report.add("changed", seq, f"#{seq} was changed: it does not fit its link")
        self._accept(seq, link)

    def _are_swapped(self, first: Entry, second: Entry, before: bytes) -> bool:
        assert first.link is not None
        assert second.link is not None
        earlier = msgspec.structs.replace(second.event, seq=first.event.seq)
        later = msgspec.structs.replace(first.event, seq=second.event.seq)
        return self._is_linked(earlier, before, second.link) and self._is_linked(later, second.link, first.link)

    def _check_redacted(self, entry: Entry) -> None:
        event, digest = entry.event, entry.redacted
        assert digest is not None
        if digest and sha256(canonical(event)).digest() != digest:
            self._report.add("changed", event.seq, f"#{event.seq} was changed after it was redacted")
            return
        self._report.add_redacted(event.seq)

    def _check_erased(self, entry: Entry) -> bool:
        """Return whether an event is a tombstone with the link of the erased event. Reports one that is not valid."""
        event, link = entry.event, entry.link
        assert link is not None
        stone = tombstones.tombstone_of(event.payload) if b'"erased"' in bytes(event.payload_json) else None
        if stone is None:
            return False
        key = self._keys.get(stone.key_id)
        if stone.link != link.hex() or (key is not None and not tombstones.confirms(key, event, self._origins(event))):
            self._report.add("tombstone", event.seq, f"the tombstone of #{event.seq} was changed")
        elif key is None:
            self._report.unchecked += 1
            self._report.add_erased(event.seq)
        else:
            self._report.add_erased(event.seq)
        return True

    # links

    def _origins(self, event: Event) -> Sequence[str]:
        if event.seq <= self._report.imported_to and event.origin is not msgspec.UNSET:
            return IMPORTED_FROM
        return ("" if event.origin is msgspec.UNSET else event.origin,)

    def _is_wrongly_imported(self, event: Event) -> bool:
        return event.seq <= self._report.imported_to and event.origin != "import" and not is_claim(event)

    def _is_linked(self, event: Event, before: bytes, link: bytes, by: int = 0) -> bool:
        """Return whether an event has this link after `before`. `by` is added to the shift of its seq."""
        if shift := self._shift + by:
            event = msgspec.structs.replace(event, seq=event.seq - shift)
        return any(link_of(event, before, origin) == link for origin in self._origins(event))

    def _computed(self, event: Event, before: bytes) -> bytes:
        return link_of(event, before, self._origins(event)[0])

    def _fits(self, entry: Entry) -> bool:
        return self._link is None or entry.link is None or self._is_linked(entry.event, self._link, entry.link)

    def _accept(self, seq: int, link: bytes | None) -> None:
        self._seq, self._link = seq, link
        self._rolled = link
        self._pass_heads(seq - self._shift, link)

    # events without a link

    def _check_unlinked(self, entry: Entry) -> None:
        """Take an event without a link. The next link tells whether it never had one."""
        seq = entry.event.seq
        if not self._unlinked_from:
            self._unlinked_from, self._rolled = seq, self._link
        if self._rolled is not None:
            self._rolled = self._computed(entry.event, self._rolled)
        self._seq = seq
        self._pass_heads(seq, self._rolled)

    def _explain_unlinked(self, entry: Entry, before: bytes) -> bytes | None:
        """Report events whose links were removed. Return the link that `entry` follows, or None if it is not known."""
        rolled, first, last = self._rolled, self._unlinked_from, self._seq
        assert entry.link is not None
        names = f"#{first}" if first == last else f"#{first} to #{last}"
        if rolled is not None and self._is_linked(entry.event, rolled, entry.link):
            self._report.add("link_removed", first, f"the link of {names} was removed; the events are as they were")
            self._unlinked_from = 0
            return rolled
        self._report.add("link_removed", first, f"the link of {names} was removed, and the log was changed there")
        self._unlinked_from = 0
        return None

    def _forget_unlinked(self) -> None:
        if self._unlinked_from and self._report.linked_from not in (None, self._seq + 1):
            self._report.add_unlinked(self._unlinked_from, self._seq)
        self._unlinked_from = 0

    # heads

    def _check_signatures(self) -> None:
        for head in self._heads:
            key = self._keys.get(head.key_id)
            if key is not None and not key.confirms(head.signed_text(), head.signature):
                self._report.add("signature", head.seq, f"the signature of the head at #{head.seq} is wrong")
            elif head.reason == "import" and head.identity == self._claims.identity:
                self._report.imported_to = max(self._report.imported_to, head.seq)

    def _pass_heads(self, seq: int, link: bytes | None) -> None:
        """Compare the heads up to an event with its link."""
        while self._next_head < len(self._heads) and self._heads[self._next_head].seq <= seq:
            head = self._heads[self._next_head]
            self._next_head += 1
            if head.seq < seq or link is None:
                continue
            if head.link != link.hex():
                self._report.add("head", seq, f"the log does not fit its head at #{seq}: it was rewritten, or the head")
            elif (key := self._keys.get(head.key_id)) is None:
                self._report.unchecked += 1
            elif key.confirms(head.signed_text(), head.signature):
                self._report.signed_to = seq
                if head.key_id not in self._report.signed_by:
                    self._report.signed_by.append(head.key_id)

    def _end(self) -> None:
        claims, report = self._claims, self._report
        latest = max([claims.latest_seq, *(head.seq for head in self._heads)])
        if latest > self._seq:
            missing = f"#{self._seq + 1}" if latest == self._seq + 1 else f"#{self._seq + 1} to #{latest}"
            what = "the end of the log is missing" if claims.ended else "the newest events are missing"
            report.add("missing_end", self._seq + 1, f"{what}: {missing}")
        elif self._seq > claims.latest_seq:
            first = claims.latest_seq + 1
            report.add("inserted", first, f"the log goes on after #{claims.latest_seq}, its newest event")
        elif claims.link is not None and claims.link != START and self._link is not None:
            self._compare_newest(claims.link)
        if self._unlinked_from and report.linked_from is not None:
            report.add_unlinked(self._unlinked_from, self._seq)

    def _compare_newest(self, newest: bytes) -> None:
        if newest == self._link:
            return
        if self._unlinked_from and newest == self._rolled:
            first, last = self._unlinked_from, self._seq
            names = f"#{first}" if first == last else f"#{first} to #{last}"
            self._report.add("link_removed", first, f"the link of {names} was removed; the events are as they were")
            self._unlinked_from = 0
        else:
            self._report.add("head", self._seq, f"the newest link is not that of #{self._seq}: one of them was changed")


class _Lookahead:
    """Iterates over entries, and shows the one that follows."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = iter(entries)
        self.following = next(self._entries, None)

    def __iter__(self) -> Iterator[Entry]:
        while self.following is not None:
            entry = self.following
            self.following = next(self._entries, None)
            yield entry

    def swap(self, entry: Entry) -> None:
        """Put `entry` in the place of the following one."""
        self.following = entry
