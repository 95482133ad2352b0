"""The links of an imported log: checked, and kept even if they do not fit, so that a change stays visible."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

from signalbox.store.chain import tombstones
from signalbox.store.chain.heads import LogHead, SignedHead, SigningKey, check_head, signed
from signalbox.store.chain.linked_event import is_redacted, link_in
from signalbox.store.chain.links import START, canonical, link_of
from signalbox.store.chain.verification import IMPORTED_FROM
from signalbox.store.errors import InvalidEvent
from signalbox.store.events import Event
from signalbox.store.sql.database import Database

_INSERT_HEAD = "INSERT INTO signed_heads VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_REDACTED = "INSERT INTO redacted_events (task_id, seq, digest) VALUES (?, ?, ?)"

log = logging.getLogger("signalbox.store")


class ImportedLinks:
    """Checks the links of an export while its events are read.

    An export of an earlier version has no links: then the import makes them. `last_given` is the seq of the last event
    that had a link, and later events get links too. `redacted` are the seqs of redacted events, with the digests of
    their canonical form.
    """

    def __init__(self, heads: Sequence[SignedHead] = ()) -> None:
        self.last_given = 0
        self.redacted: list[tuple[int, bytes]] = []
        self.newest = START
        self._given = START
        self._heads = heads
        self._changed = False
        self._heads_at: dict[int, list[SignedHead]] = {}
        for head in heads:
            try:
                check_head(head)
            except ValueError as error:
                raise InvalidEvent(f"a signed head of the log is not valid: {error}", "heads") from None
            self._heads_at.setdefault(head.seq, []).append(head)

    def take(self, exported: Event, event: Event) -> tuple[bytes | None, bytes]:
        """Return the link that an event has in the export, or None, and the link that it gets if it has none.

        `event` is the event as it is stored. If it does not fit its link, it keeps it: the log was changed after it was
        exported, and `signalbox verify` names the event also after the import. Raises InvalidEvent for what is no link.
        """
        try:
            given = link_in(exported)
        except ValueError as error:
            raise InvalidEvent(f"#{event.seq}: {error}", "link") from None
        if given is None:
            self.newest = link_of(event, self.newest)
            return None, self.newest
        if is_redacted(exported):
            self.redacted.append((event.seq, sha256(canonical(event)).digest()))
        elif not _fits(exported, event, self._given, given):
            self._mark(event.seq, "its link: it was changed after it was exported, or an event before it is missing")
        for head in self._heads_at.get(event.seq, ()):
            if head.link != given.hex():
                self._mark(event.seq, "the signed head")
        self.last_given, self._given, self.newest = event.seq, given, given
        return given, given

    def _mark(self, seq: int, unfit: str) -> None:
        """Warn about the first event that does not fit."""
        if not self._changed:
            log.warning("the imported log was changed: #%d does not fit %s", seq, unfit)
        self._changed = True

    def write(self, db: Database, task_id: str, identity: str, seq: int, key: SigningKey) -> None:
        """Store the heads of the export, a new head that says how far the log is imported, and the redacted events."""
        head = LogHead(
            task_id=task_id,
            identity=identity,
            seq=seq,
            link=self.newest.hex(),
            signed_at=db.now(),
            reason="import",
        )
        insert_heads(db, [*self._heads, signed(head, key)], task_id)
        if self.redacted:
            db.executemany(_INSERT_REDACTED, [(task_id, at, digest) for at, digest in self.redacted])


def insert_heads(db: Database, heads: Iterable[SignedHead], task_id: str) -> None:
    """Store signed heads of a task that are not stored yet."""
    db.executemany(
        f"{_INSERT_HEAD} ON CONFLICT DO NOTHING",
        [
            (task_id, h.seq, h.reason, h.key_id, h.identity, bytes.fromhex(h.link), h.signed_at, h.signature)
            for h in heads
        ],
    )


def insert_new_heads(db: Database, heads: Iterable[SignedHead]) -> None:
    """Store signed heads of tasks that still exist."""
    for head in heads:
        sql = "SELECT 1 FROM task_event_seq_counters WHERE task_id = ? AND identity = ?"
        if db.execute(sql, (head.task_id, head.identity)).fetchone():
            insert_heads(db, [head], head.task_id)


def _fits(exported: Event, event: Event, before: bytes, link: bytes) -> bool:
    if exported.origin == "import":
        origins: Sequence[str] = IMPORTED_FROM
    else:
        origins = ("" if exported.origin is msgspec.UNSET else exported.origin,)
    if any(link_of(event, before, origin) == link for origin in origins):
        return True
    stone = tombstones.tombstone_of(event.payload)
    return stone is not None and stone.link == link.hex()
